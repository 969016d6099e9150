"""Agreement with recorded rows: scores of a reference implementation, and where it is wrong, the right ones."""

import json
from pathlib import Path

import pytest

from golongrl.core.records import parse_record
from golongrl.rewards import REWARDS, score_response
from golongrl.rewards.mrcr_ratio import mrcr_ratio

HERE = Path(__file__).parent / "parity"
ROWS = [json.loads(line) for line in (HERE / "rewards.jsonl").read_text(encoding="utf-8").splitlines()]
MRCR = [json.loads(line) for line in (HERE / "mrcr.jsonl").read_text(encoding="utf-8").splitlines()]

# A gold list of one empty string is a broken record: it has no score, where the row asks for 0.
UNSCORABLE = {355}


def record_of(row):
    return parse_record(
        {
            "data_source": row["data_source"],
            "prompt": [{"role": "user", "content": "q"}],
            "reward_model": {"style": "rule", "ground_truth": row["ground_truth"]},
            "extra_info": {"reward_mode": row["task"]},
        }
    )


def test_every_metric_has_rows():
    assert len(ROWS) == 247
    assert {record_of(row).metric for row in ROWS} == set(REWARDS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['id']}-{row['tag']}")
def test_row(row):
    # Rows with an entry call the scorer behind the thinking gate, with the answer text alone.
    score = score_response(record_of(row), row["model_output"], think="optional" if row.get("entry") else "required")
    if row["id"] in UNSCORABLE:
        assert (score.value, score.reason) == (None, "malformed_gold")
        return
    tolerance = 1e-3 if row["reward_kind"] == "ROUGE-L" else 1e-6
    if row["tag"] == "agree":
        assert score.value == pytest.approx(row["reference_score"], abs=tolerance)
    elif row["expected_op"] == "eq":
        assert score.value == pytest.approx(row["expected"], abs=tolerance)
    elif row["expected_op"] == "ge":
        assert score.value >= row["expected"] - tolerance
    else:
        assert row["expected_op"] == "lt"
        assert score.value < row["expected"]


@pytest.mark.parametrize("row", MRCR, ids=lambda row: str(row["id"]))
def test_mrcr_row(row):
    expected = row["reference_score"] if row["expected"] is None else row["expected"]
    assert mrcr_ratio(row["response"], row["answer"], row["random_string_to_prepend"]) == pytest.approx(
        expected, abs=1e-6
    )
