"""Plans of training runs: one estimate with the preflight of `golongrl train`, layouts that work, time by hand."""

import json
from collections import Counter

import pytest
from dataset_records import make
from model_configs import DEEPSEEK_V2_LITE, QWEN3_4B, QWEN3_30B_A3B, QWEN3_NEXT_80B

from golongrl.core.errors import DataError, UsageError
from golongrl.core.gpus import GPUS
from golongrl.core.memory.rollout import kv_pool
from golongrl.core.memory.verdict import judge
from golongrl.core.model_shape.read import read_shape
from golongrl.pipeline.planning.epoch import Prompts, concurrent, epoch, prompts_of_file
from golongrl.pipeline.planning.output import as_json
from golongrl.pipeline.planning.plan import plan_config
from golongrl.pipeline.planning.quantities import parse_gpus
from golongrl.pipeline.planning.request import Efficiency, Request
from golongrl.pipeline.planning.servers import Way, write_seconds
from golongrl.pipeline.planning.summary import verdict
from golongrl.pipeline.planning.tables import sections
from golongrl.pipeline.planning.work import forward, update
from golongrl.pipeline.training.config import TrainConfig
from golongrl.pipeline.training.layout import check_batches, check_layout, layout
from golongrl.pipeline.training.memory import report
from golongrl.pipeline.training.resolve import preset

H100 = GPUS["H100"]


def cluster(name: str, **changes) -> TrainConfig:
    return TrainConfig.model_validate({"data": "d", **preset(name), **changes})


def asked(length, gpus, **changes) -> Request:
    return Request(parse_gpus(gpus), length, purpose="train", **changes)


def request_of(run: TrainConfig) -> Request:
    return asked(run.longest, f"{run.nodes}x{run.gpus_per_node}xH100", response=run.max_response_tokens)


@pytest.mark.parametrize(("name", "config"), [("qwen3-4b", QWEN3_4B), ("qwen3-30b-a3b", QWEN3_30B_A3B)])
def test_the_plan_of_a_run_is_what_its_preflight_says(name, config):
    run = cluster(name)
    before = report(read_shape(config), run, {"H100": H100.memory})
    planned = plan_config(config, "config.json", request_of(run), layout=layout(run)).training
    assert planned.best.verdict == before.verdicts[0]
    assert planned.rows == before.rows


@pytest.mark.parametrize(
    ("config", "length", "gpus"),
    [
        (QWEN3_4B, 180_224, "16x8xH100"),
        (QWEN3_4B, 32_768, "8xH100"),
        (QWEN3_4B, 16_384, "1xH100"),
        (QWEN3_30B_A3B, 180_224, "16x8xH100"),
        (QWEN3_30B_A3B, 65_536, "8xH200"),
        (QWEN3_NEXT_80B, 131_072, "16x8xH200"),
        (DEEPSEEK_V2_LITE, 65_536, "8xH200"),
    ],
)
def test_a_recommended_layout_passes_the_preflight_as_it_is_printed(config, length, gpus):
    request = asked(length, gpus, response=4096)
    found = plan_config(config, "config.json", request)
    assert found.fits
    shape = read_shape(config)
    keys = as_json(found)["training"]["train_keys"]
    verl = {key.removeprefix("verl."): value for key, value in keys.items() if key.startswith("verl.")}
    plain = {key: value for key, value in keys.items() if not key.startswith("verl.")}
    run = TrainConfig.model_validate({"model": "m", "data": "d", "device": "cuda", **plain, "verl": verl})
    check_layout(run, shape)
    check_batches(run)
    verdict_of_run = judge(shape, layout(run), request.gpus.type.name, request.gpus.type.memory)
    assert verdict_of_run == found.training.best.verdict
    assert verdict_of_run.level == "fits"


def test_the_first_layout_takes_the_fewest_gpus_per_copy():
    found = plan_config(QWEN3_4B, "config.json", asked(180_224, "16x8xH100")).training
    assert [candidate.verdict.level for candidate in found.candidates] == ["fits"] * 4
    per_copy = [candidate.layout.world // candidate.layout.data for candidate in found.candidates]
    assert per_copy == sorted(per_copy)
    assert dict(found.variations)["recompute = false"].level == "does not fit"


def test_what_cannot_be_trained_has_no_time():
    found = plan_config(QWEN3_30B_A3B, "config.json", asked(131_072, "1xL40S"))
    assert not found.fits
    assert found.step is None
    assert verdict(found).startswith("does not fit: ")
    assert as_json(found)["training"]["step"] is None
    assert "Time" not in [section.title for section in sections(found)]


def test_the_time_of_a_step_by_hand():
    shape, run = read_shape(QWEN3_4B), cluster("qwen3-4b")
    request = asked(
        180_224, "16x8xH100", prompts=128, rollouts=16, efficiency=Efficiency(prefill=0.5, train=0.4, bandwidth=0.5)
    )
    prompts = Prompts(Counter({163_840: 128}), 0, "by hand")
    step = epoch(shape, request, layout(run), prompts)
    rate = 128 * 989e12
    # 16 servers of 8 GPUs: each of a group's 16 rollouts is on another one, so every prompt is read 16 times.
    assert step.prefill == pytest.approx(128 * 16 * forward(shape, 163_840, logits=1).total / (rate * 0.5))
    assert step.log_probs == pytest.approx(2048 * forward(shape, 180_224).total / (rate * 0.5))
    assert step.update == pytest.approx(2048 * update(shape, 180_224, recompute=True).total / (rate * 0.4))
    # One rollout of a group per server: whole sequences in the pool.
    pool = kv_pool(shape, layout(run), H100.memory)
    assert step.concurrent == pool.sequences == 14
    token = write_seconds(shape, request, Way(8), 14, 163_840 + 8192)
    assert step.decode == pytest.approx(2048 * 16_384 / (16 * 14) * token)
    assert step.times(2).total == pytest.approx(2 * step.total)


def test_rollouts_of_a_group_on_one_server_share_its_prompt():
    shape = read_shape(QWEN3_4B)
    run = cluster("qwen3-4b", nodes=1, context_parallel=1)
    request = asked(180_224, "8xH100", prompts=16, rollouts=16)
    pool = kv_pool(shape, layout(run), H100.memory).bytes
    # One server of 8 GPUs has the whole group: 163,840 tokens once and 16 x 16,384, of 18,432 bytes each.
    group = 18_432 * (163_840 + 16 * 16_384)
    assert concurrent(shape, request, layout(run), 163_840) == pool // group * 16 == 96


def test_an_epoch_is_what_the_data_holds(tmp_path):
    from golongrl.core.records import write_parquet

    lengths = [200, 1000, 1000, 5000, 200_000]
    path = tmp_path / "train.parquet"
    write_parquet(path, [make("T1", "?", "4", n_tokens=number) for number in lengths])
    found = prompts_of_file(str(path), 163_840)
    # Above 256 tokens lengths are rounded up to a multiple of it.
    assert found.lengths == {200: 1, 1024: 2, 5120: 1}
    assert (found.number, found.too_long) == (4, 1)
    whole = plan_config(QWEN3_4B, "config.json", asked(180_224, "16x8xH100"), data=str(path))
    assert whole.prompts.number == 4
    assert 0 < whole.epoch.total < whole.step.total
    with pytest.raises(DataError, match="no prompt of at most 100 tokens"):
        prompts_of_file(str(path), 100)


def test_records_without_a_length_are_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"extra_info": {"n_tokens": 7}}) + "\n" + json.dumps({"extra_info": {}}) + "\n")
    with pytest.raises(DataError, match=r"row 2 has no extra_info\.n_tokens.*--tokens-per-epoch"):
        prompts_of_file(str(path), 100)


def test_tokens_per_epoch_are_prompts_of_full_length_and_cost_needs_a_price():
    found = plan_config(
        QWEN3_4B, "config.json", asked(180_224, "16x8xH100", price=2.0), tokens_per_epoch=163_840 * 256
    )
    assert found.prompts.number == 256
    # Twice the 128 prompts of a step.
    assert found.epoch.total == pytest.approx(2 * found.step.total)
    told = as_json(found)["training"]
    assert told["step"]["cost"] == pytest.approx(told["step"]["gpu_hours"] * 2)
    assert told["step"]["gpu_hours"] == pytest.approx(found.step.total * 128 / 3600)
    time = next(section for section in sections(found) if section.title.startswith("Time"))
    assert time.columns[-1] == "cost"
    assert "epoch has 41,943,040 prompt tokens" in time.title
    assert time.rows[1][0] == "epoch of 256 prompts"


def test_a_response_that_leaves_no_prompt_is_refused():
    with pytest.raises(UsageError, match="leaves no prompt"):
        plan_config(QWEN3_4B, "config.json", asked(16_384, "8xH100"))
