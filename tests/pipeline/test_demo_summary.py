import json

import pytest

from golongrl.core.errors import DataError
from golongrl.core.records import Record, write_parquet
from golongrl.pipeline.demo import summary
from golongrl.pipeline.demo.stages import StageResult


def record(capability, index):
    return Record.model_validate(
        {
            "data_source": "EM",
            "prompt": [{"role": "user", "content": "?"}],
            "reward_model": {"ground_truth": {"golden_label": "x"}},
            "extra_info": {"index": index, "capability": capability},
        }
    )


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_records_are_counted_per_capability_and_split(tmp_path):
    write_parquet(tmp_path / "train.parquet", [record(c, i) for i, c in enumerate(["T1", "T1", "T8"])])
    write_parquet(tmp_path / "val.parquet", [record("T1", 9)])
    assert summary.dataset_table(tmp_path).rows == [
        ["T1 precise retrieval", "em", 2, 1],
        ["T8 sequence ordering", "pairwise", 1, 0],
        ["all", "", 3, 1],
    ]


def test_training_rows_show_absent_tasks_as_absent(tmp_path):
    def numbers(task, reward, share):
        name = f"task/{task}"
        return {f"{name}/reward": reward, f"{name}/rollouts": 8, f"{name}/advantage_share": share}

    steps = [
        {"key": "step-1", "step": 1, "metrics": {**numbers("T1", 0.25, 1.0), **numbers("T8", 0.0, 0.0)}},
        {"key": "step-2", "step": 2, "metrics": {**numbers("T8", 0.5, 1.0), "actor/lr": 1e-6}},
    ]
    write_lines(tmp_path / "metrics.jsonl", steps)
    table = summary.training_table(tmp_path / "metrics.jsonl")
    assert table.columns == ("task", "rollouts", "reward, step 1", "reward, step 2", "share of advantage")
    assert table.rows == [["T1", 8, 0.25, None, 0.5], ["T8", 16, 0.0, 0.5, 0.5]]
    write_lines(tmp_path / "metrics.jsonl", [])
    with pytest.raises(DataError, match="no training step"):
        summary.training_table(tmp_path / "metrics.jsonl")


def test_the_difference_is_what_compare_found(tmp_path):
    for name, score in {"base": 0.25, "trained": 0.75}.items():
        results = {"n_scored": 3, "score": score, "low": 0.0, "high": None}
        (tmp_path / f"eval-{name}").mkdir()
        (tmp_path / f"eval-{name}" / "results.json").write_text(json.dumps(results))
    found = {"n_items": 2, "mean": 0.5, "low": 0.5, "high": 0.5, "verdict": "..."}
    (tmp_path / "compare").mkdir()
    (tmp_path / "compare" / "compare.json").write_text(json.dumps({"comparisons": [found]}))
    assert summary.score_table(tmp_path).rows == [
        ["base", 3, 0.25, 0.0, None],
        ["trained", 3, 0.75, 0.0, None],
        ["difference", 2, 0.5, 0.5, 0.5],
    ]


def test_only_what_ran_now_counts_into_the_total():
    stages = [StageResult("a", "golongrl a", 100.0, reused=True), StageResult("b", "", 65.2, reused=False)]
    assert summary.stage_table(stages).rows == [
        ["a", "1 min 40 s", "reused"],
        ["b", "1 min 05 s", "ran"],
        ["all", "1 min 05 s", ""],
    ]


def test_places_list_only_what_exists(tmp_path):
    (tmp_path / "ckpt").mkdir()
    assert summary.place_table(tmp_path, "ckpt").rows == [["checkpoint", str(tmp_path / "ckpt")]]
