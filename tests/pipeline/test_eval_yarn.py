"""YaRN in an evaluation: which prompts run with which factor, on which start of the server, and what is said."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import chat_server
import engine_server
import pytest

from golongrl.cli import console
from golongrl.core import servers
from golongrl.core.errors import ConfigError, ServerError, UsageError
from golongrl.core.rope import yarn_override
from golongrl.core.yarn_plan import UNKNOWN, Bucket, reach
from golongrl.pipeline.evaluation import job as jobs
from golongrl.pipeline.evaluation import length_notes, plan, runner, serving
from golongrl.pipeline.evaluation.config import EvalConfig

CONFIG = {"max_position_embeddings": 1024, "rope_theta": 1e6, "rope_scaling": None}
LONG = (400, 900, 1500, 1900, 3000)
"""Tokens of the prompts, nearly: with 24 for the answer two fit the model, two need its double, one its triple."""


def model_folder(folder, **changes):
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    return folder


def rows(path, lengths=LONG):
    """A file of MRCR rows whose prompts have these lengths in tokens of four bytes."""
    with open(path, "w") as out:
        for number, length in enumerate(lengths):
            text = f"{number}" + "rain " * length
            prompt = [{"role": "user", "content": text[: 4 * length - 64]}]
            row = {"prompt": json.dumps(prompt), "answer": "abcx", "random_string_to_prepend": "abc", "n_needles": 2}
            out.write(json.dumps(row) + "\n")
    return path


@pytest.fixture
def place(tmp_path):
    """A model folder, rows, and an interpreter with an engine."""
    model_folder(tmp_path / "model")
    rows(tmp_path / "rows.jsonl")
    (tmp_path / "engine").mkdir()
    engine_server.interpreter(tmp_path / "engine")
    return tmp_path


def config(place, **changes):
    values = {
        "bench": "mrcr",
        "model": str(place / "model"),
        "engine": "vllm",
        "server_python": str(place / "engine" / "python"),
        "tokenizer": "approx",
        "data": str(place / "rows.jsonl"),
        "max_input": 4000,
        "max_output": 24,
        "out": str(place / "run"),
    }
    return EvalConfig(**values | changes)


def starts(place):
    """The length and the YaRN factor of each start."""
    found = engine_server.commands(place / "engine")
    return [(one["length"], one["yarn"] and json.loads(one["yarn"])["rope_parameters"]["factor"]) for one in found]


def test_each_bucket_of_lengths_runs_on_a_start_of_its_own(place):
    said = []
    card = runner.evaluate(config(place), say=said.append)
    assert card.complete
    assert card.cards[0].results["n_scored"] == 5
    # Three starts: 1024 as it is, the longest of 1900 + 24 tokens with 2, of 3000 + 24 with 3.
    assert starts(place) == [(1024, None), (2048, 2.0), (3072, 3.0)]
    asked = sorted(engine_server.requests(place / "engine"))
    assert [start for start, _ in asked] == [1, 1, 2, 2, 3]
    buckets = card.cards[0].results["settings"]["yarn_buckets"]
    assert [bucket["factor"] for bucket in buckets] == [None, 2.0, 3.0]
    assert card.cards[0].results["settings"]["yarn"] == "auto"
    assert any("the server is started 3 times, once per factor: as it is, 2, 3" in line for line in said)
    assert any(f"starting vllm 0.32.0 for {place.name} with YaRN 3 for 3072 tokens" in line for line in said)
    assert not (place / "run" / ".yarn-model").exists()
    # Nothing is asked again, and nothing is started.
    assert runner.evaluate(config(place)).complete
    assert len(starts(place)) == 3


def test_each_start_counts_its_own_prompts(place):
    counts = []

    class Counted(console.Progress):
        def __exit__(self, *failure):
            super().__exit__(*failure)
            if "generating" in self.label:
                counts.append((self.done, self.total))

    runner.evaluate(config(place), Counted)
    assert counts == [(2, 2), (2, 2), (1, 1)]


def test_off_leaves_longer_prompts_out(place):
    card = runner.evaluate(config(place, yarn="off"))
    assert starts(place) == [(1024, None)]
    assert (card.cards[0].results["n_scored"], card.cards[0].results["n_overlong"]) == (2, 3)


def test_a_factor_runs_all_prompts_scaled(place):
    card = runner.evaluate(config(place, yarn="2.5"))
    assert starts(place) == [(2560, 2.5)]
    assert (card.cards[0].results["n_scored"], card.cards[0].results["n_overlong"]) == (4, 1)
    assert card.cards[0].results["settings"]["yarn"] == 2.5


def test_what_is_missing_is_asked_on_the_start_that_it_needs(place):
    runner.evaluate(config(place))
    journal = place / "run" / "generations.jsonl"
    first = (place / "run" / "samples.jsonl").read_bytes()
    kept = journal.read_text().splitlines()[:-1]
    journal.write_text("\n".join(kept) + "\n")
    assert runner.evaluate(config(place)).complete
    assert starts(place)[3:] == [(3072, 3.0)]
    assert (place / "run" / "samples.jsonl").read_bytes() == first


def test_a_run_goes_on_with_the_plan_that_it_began_with(place):
    runner.evaluate(config(place))
    limits = json.loads((place / "run" / "limits.json").read_text())
    assert limits["yarn_buckets"] == [
        {"longest": 1024, "factor": None},
        {"longest": limits["yarn_buckets"][1]["longest"], "factor": 2.0},
        {"longest": limits["yarn_buckets"][2]["longest"], "factor": 3.0},
    ]
    # As another version of golongrl might have laid it down: other factors are other models, so all is asked again.
    for bucket in limits["yarn_buckets"][1:]:
        bucket["factor"] = 4.0
    (place / "run" / "limits.json").write_text(json.dumps(limits))
    assert runner.evaluate(config(place)).complete
    assert starts(place)[3:] == [(4096, 4.0)]
    limits["yarn_buckets"] = [{"up_to": 3}]
    (place / "run" / "limits.json").write_text(json.dumps(limits))
    with pytest.raises(UsageError, match="changed by hand"):
        runner.evaluate(config(place))


def test_another_setting_is_another_run(place):
    runner.evaluate(config(place, yarn="off"))
    with pytest.raises(UsageError, match="yarn"):
        runner.evaluate(config(place, yarn="auto"))


def test_a_server_that_takes_less_than_was_asked_for_is_refused(place):
    (place / "other").mkdir()
    python = engine_server.interpreter(place / "other", told=1024)
    with pytest.raises(ServerError, match=r"says it takes 1024 tokens, 2048 were asked for; .*--server-arg"):
        runner.evaluate(config(place, server_python=str(python)))
    # What runs on the model as it is was answered before.
    assert len((place / "run" / "generations.jsonl").read_text().splitlines()) == 2


def test_a_newer_engine_is_named(place):
    (place / "other").mkdir()
    said = []
    python = engine_server.interpreter(place / "other", version="0.40.1")
    runner.evaluate(config(place, server_python=str(python)), say=said.append)
    assert any("vllm 0.40.1 is newer than the versions known here" in line for line in said)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_killed_between_starts_it_leaves_nothing_behind_and_goes_on(place):
    command = [sys.executable, "-m", "golongrl.cli.app", "eval"]
    settings = config(place).model_dump(exclude_unset=True)
    for key, value in settings.items():
        command += ["--set", f"{key}={value[0] if isinstance(value, list) else value}"]
    command += ["--set", 'server_args=["--delay", "0.5"]', "--set", "concurrency=1"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    journal, deadline = place / "run" / "generations.jsonl", time.monotonic() + 60
    # Two answers: the first start is done, the second is on its way up or was asked already.
    while not journal.exists() or journal.read_bytes().count(b"\n") < 2:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    pids = [one["pid"] for one in engine_server.commands(place / "engine")]
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)
        pids = [one["pid"] for one in engine_server.commands(place / "engine")]
    before = journal.read_bytes().count(b"\n")
    asked = len(engine_server.requests(place / "engine"))
    settings["concurrency"] = 1
    assert runner.evaluate(EvalConfig(**settings)).complete
    # Nothing that was answered is asked again.
    assert len(engine_server.requests(place / "engine")) - asked == 5 - before
    assert runner.evaluate(EvalConfig(**settings, fresh=True)).complete


def test_a_dry_run_shows_plan_and_starts(place):
    said = []
    (entry,) = runner.describe(config(place, dry_run=True), say=said.append)
    assert [bucket["factor"] for bucket in entry["yarn_buckets"]] == [None, 2.0, 3.0]
    assert any(line.startswith("mrcr: up to 1024 tokens as it is, up to ") for line in said)
    assert not (place / "engine" / "started.jsonl").exists()


def test_the_option_reaches_the_plan(place):
    command = [sys.executable, "-m", "golongrl.cli.app", "eval", "--bench", "mrcr", "--tokenizer", "approx"]
    command += [
        "--model",
        place / "model",
        "--data",
        place / "rows.jsonl",
        "--max-output",
        "24",
        "--dry-run",
        "--json",
    ]
    for option, factors, overlong in (("off", [], 3), ("3", [3.0], 0), ("auto", [None, 2.0, 3.0], 0)):
        done = subprocess.run([*command, "--yarn", option], capture_output=True, text=True, cwd=place, check=True)
        (entry,) = json.loads(done.stdout)["plan"]
        assert [bucket["factor"] for bucket in entry["yarn_buckets"]] == factors
        assert entry["overlong"] == overlong


def test_yarn_that_the_config_ships_is_said_to_be_kept(place):
    scaling = {"type": "yarn", "factor": 2.0, "original_max_position_embeddings": 1024}
    model_folder(place / "shipped", rope_scaling=scaling)
    said = []
    runner.evaluate(config(place, model=str(place / "shipped")), say=said.append)
    # Its 2048 tokens are its own, and restated for engines that would take the 1024 of the config for all of it.
    assert starts(place) == [(2048, 2.0), (3072, 3.0)]
    assert any("has YaRN 2.0 of 1024 tokens: kept up to 2048 tokens, replaced beyond" in line for line in said)
    settings = json.loads((place / "run" / "results.json").read_text())["settings"]
    assert [bucket["factor"] for bucket in settings["yarn_buckets"]] == [None, 3.0]


def test_a_model_that_cannot_be_scaled_says_so_and_runs_what_fits(place):
    scaling = {"rope_type": "llama3", "factor": 4.0, "original_max_position_embeddings": 256}
    model_folder(place / "llama", rope_scaling=scaling)
    said = []
    card = runner.evaluate(config(place, model=str(place / "llama")), say=said.append)
    assert starts(place) == [(1024, None)]
    assert card.cards[0].results["n_overlong"] == 3
    assert any("YaRN cannot make room" in line and "(llama3)" in line for line in said)
    with pytest.raises(UsageError, match="llama3"):
        runner.evaluate(config(place, model=str(place / "llama"), yarn="2"))


def test_a_running_server_that_is_too_short_comes_with_the_flags_it_needs(place):
    said = []
    with chat_server.start("--model-len", 1024) as server:
        remote = config(place, base_url=server.base_url, engine=None, model="echo", tokenizer=str(place / "model"))
        told = [*length_notes.notes(*_prepared(remote, place))]
        runner.evaluate(remote.model_copy(update={"tokenizer": "approx"}), say=said.append)
    # The longest prompt and its 24 tokens make more than 2.75 times the model's own length.
    (line,) = told
    assert "prompts of mrcr do not fit the 1024 tokens that the server takes" in line
    assert '--hf-overrides \'{"rope_parameters": {"rope_type": "yarn", "rope_theta": 1000000.0, "factor": 3.0' in line
    assert "(SGLang) and run this command again with --fresh" in line
    # Without a config at hand there is only the length to name.
    (line,) = [line for line in said if "do not fit the 1024" in line]
    assert "hf-overrides" not in line
    assert "YaRN, if that is more than the model's own length" in line


def _prepared(remote, place):
    """What the notes are made of, with lengths counted as without a tokenizer."""
    model = replace(plan.describe_model(remote.model_copy(update={"tokenizer": "approx"})), files=place / "model")
    counted = remote.model_copy(update={"tokenizer": "approx"})
    return remote, model, [jobs.prepare(counted, "mrcr", model, 1024)]


def test_a_factor_that_is_named_for_a_running_server_is_part_of_the_answers_keys(place):
    with chat_server.start("--model-len", 4096) as server:
        remote = config(place, base_url=server.base_url, engine=None, model="echo")
        scaled = remote.model_copy(update={"yarn": 4.0, "out": str(place / "scaled")})
        results = [runner.evaluate(one).cards[0].results["settings"]["yarn_buckets"] for one in (remote, scaled)]
    assert results == [[], [{"longest": 4096, "factor": 4.0}]]
    keys = [
        {json.loads(line)["key"] for line in (place / name / "generations.jsonl").read_text().splitlines()}
        for name in ("run", "scaled")
    ]
    assert len(keys[0]) == len(keys[1]) == 5
    assert not keys[0] & keys[1]


@pytest.mark.parametrize("factor", ["1", "0.5", "-3", "inf", "nan", "on"])
def test_a_factor_that_lengthens_nothing_is_refused(factor):
    with pytest.raises((ConfigError, ValueError), match="must be auto, off, or a factor above 1"):
        EvalConfig(bench="mrcr", model="m", yarn=factor)


def test_a_model_of_the_hub_has_no_config_to_plan_with():
    named = {"bench": "mrcr", "model": "org/name", "engine": "vllm"}
    with pytest.raises(UsageError, match=r"--yarn 2 cannot be set; .* give --model as a local folder"):
        plan.describe_model(EvalConfig(**named, yarn="2"))
    found = plan.describe_model(EvalConfig(**named)).reach
    assert (found.rope, found.why_not[:33]) == (None, "it needs the config.json of org/n")
    assert plan.describe_model(EvalConfig(**named, yarn="off")).reach == UNKNOWN


def test_a_folder_for_an_engine_that_takes_no_override_goes_with_the_server(tmp_path):
    model = model_folder(tmp_path / "model")
    (tmp_path / "weights").write_text("w")
    (model / "model.safetensors").symlink_to(tmp_path / "weights")
    (tmp_path / "engine").mkdir()
    python = engine_server.interpreter(tmp_path / "engine", version="0.11.0")
    nested = {"model_type": "vision", "text_config": CONFIG}
    (model / "config.json").write_text(json.dumps(nested))
    folder = tmp_path / "run" / servers.YARN_FOLDER
    served = servers.serve(
        "vllm",
        str(model),
        python=str(python),
        log=tmp_path / "run" / "server.log",
        max_model_len=2048,
        yarn=yarn_override(nested, 2),
        version="0.11.0",
    )
    with served as server:
        assert server.model == str(model)
        assert (folder / "model.safetensors").read_text() == "w"
        language = json.loads((folder / "config.json").read_text())["text_config"]
        assert language["rope_scaling"]["factor"] == language["rope_parameters"]["factor"] == 2.0
    assert not folder.exists()
    (start,) = engine_server.commands(tmp_path / "engine")
    assert (start["model"], start["yarn"]) == (str(folder), None)
    assert json.loads((model / "config.json").read_text()) == nested


def limits(reached, known=40960, short=None, **values):
    return plan.choose_limits(EvalConfig(bench="mrcr", model="m", **values), known, short, reach=reached)


QWEN3 = {"max_position_embeddings": 40960, "rope_theta": 1e6}


def test_yarn_makes_room_for_prompts_and_leaves_the_answers_share():
    # A default answer takes 51,200 of 182,272 of the model as it is, or nothing would run without scaling.
    assert limits(reach(QWEN3, "auto")) == plan.Limits(142577, 131072, 11505)
    assert limits(UNKNOWN) == plan.Limits(40960, 29455, 11505)
    assert limits(reach(QWEN3, "off")) == plan.Limits(40960, 29455, 11505)
    # What is asked for with a factor is measured by what the factor makes: 163,840 and its share of 46,022.
    assert limits(reach(QWEN3, 4.0)) == plan.Limits(163840, 117818, 46022)
    assert limits(reach(QWEN3, "auto"), max_output=51200) == plan.Limits(182272, 131072, 51200)
    assert limits(reach(QWEN3, "auto"), max_model_len=65536) == plan.Limits(65536, 47128, 18408)


def test_auto_ends_at_eight_times_the_model():
    config = EvalConfig(bench="mrcr-1m", model="m")
    found = plan.choose_limits(config, 40960, None, reach=reach(QWEN3, "auto"), max_input=1 << 20)
    assert found == plan.Limits(327680, 316175, 11505)
    with pytest.raises(UsageError, match=r"fill a model of 327680 tokens; .* larger factor with --yarn"):
        limits(reach(QWEN3, "auto"), max_input=1 << 20)
    with pytest.raises(UsageError, match="more than the 327680 tokens that --yarn auto makes"):
        limits(reach(QWEN3, "auto"), max_model_len=400000)


def test_a_model_that_is_long_enough_keeps_its_limits():
    long = {**QWEN3, "max_position_embeddings": 262144}
    assert limits(reach(long, "auto"), known=262144) == plan.Limits(262144, 131072, 51200)
    assert limits(UNKNOWN, known=262144) == plan.Limits(262144, 131072, 51200)


def test_limits_come_back_from_json():
    found = plan.Limits(4096, 4000, 24, (Bucket(1024, None), Bucket(3024, 3.0)))
    assert plan.Limits.from_json(json.loads(json.dumps(found.as_json()))) == found
    # A run from before there were buckets goes on without scaling.
    old = plan.Limits.from_json({"max_model_len": 9, "max_input": 6, "max_output": 3})
    assert (old.yarn_buckets, old.factor(8)) == ((), None)


def test_identity_of_a_scaled_model_differs():
    model = plan.Model("m", "folder:abc", None, None, None, "optional")
    found = [serving.identity(model, factor) for factor in (None, 1.5, 1.25)]
    assert found == ["folder:abc", "folder:abc yarn 1.5", "folder:abc yarn 1.25"]
