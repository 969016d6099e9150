"""The records before a run: every row's schema, a spread of golds, the rows that the audit reads."""

import pyarrow
import pyarrow.parquet
import pytest

from golongrl.core.errors import CheckFailedError, DataError
from golongrl.core.records import Record, write_parquet
from golongrl.pipeline.training.preflight import data as data_check


def record(index, metric="em", gold="4", text="?", **extra):
    return Record(
        data_source="golongrl",
        prompt=[{"role": "user", "content": text}],
        reward_model={"ground_truth": {"golden_label": gold}},
        extra_info={"index": index, "metric": metric, **extra},
    )


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "train.parquet"
    write_parquet(path, [record(index) for index in range(5)])
    return path


def test_every_row_of_a_long_file_is_checked_and_a_spread_of_golds_scored(tmp_path, monkeypatch):
    monkeypatch.setattr(data_check, "SCORED", 100)
    monkeypatch.setattr(data_check, "SECONDS", 600)
    path = tmp_path / "long.parquet"
    metrics = ["em"] * 97 + ["choice"] * 3
    rows = (record(i, metrics[i % 100], gold="A", options=["x", "y"], n_tokens=50 + i % 2) for i in range(1000))
    write_parquet(path, rows)
    facts = data_check.check_data(str(path), 50)
    assert (facts.rows, facts.read, facts.too_long) == (1000, 1000, 500)
    assert facts.tasks == {"em": 970, "choice": 30}
    assert facts.scored == 97 + 3


def test_a_missing_gold_is_found_in_a_row_that_is_not_scored(tmp_path, monkeypatch):
    monkeypatch.setattr(data_check, "SCORED", 5)
    monkeypatch.setattr(data_check, "SECONDS", 600)
    path = tmp_path / "long.parquet"
    write_parquet(path, (record(i, gold=" " if i == 37 else "4") for i in range(100)))
    with pytest.raises(DataError, match=r"row 38, field reward_model.ground_truth: the ground truth is empty"):
        data_check.check_data(str(path), 50)


def test_reading_stops_when_time_is_up(tmp_path, monkeypatch):
    path = tmp_path / "long.parquet"
    write_parquet(path, (record(i) for i in range(3000)))
    monkeypatch.setattr(data_check, "SCORED", 1000)
    monkeypatch.setattr(data_check, "SECONDS", 0)
    facts = data_check.check_data(str(path), 50)
    assert (facts.rows, facts.read, facts.whole) == (3000, 1024, False)


def test_texts_stay_in_the_file_unless_they_may_be_missing(data, tmp_path):
    with pyarrow.parquet.ParquetFile(data) as file:
        assert "prompt.list.element.role" in data_check._without_texts(file)
        assert "prompt.list.element.content" not in data_check._without_texts(file)
    table = pyarrow.parquet.read_table(data)
    prompts = [[{"role": "user", "content": None if place == 3 else "?"}] for place in range(5)]
    kind = table.schema.field("prompt").type
    broken = table.set_column(1, "prompt", pyarrow.array(prompts, kind))
    path = tmp_path / "null.parquet"
    pyarrow.parquet.write_table(broken, path)
    with pytest.raises(DataError, match=r"row 4, field prompt\.0\.content"):
        data_check.check_data(str(path), 50)


@pytest.mark.parametrize("group", [7, 1000])
def test_the_audited_rows_are_spread_over_the_file(tmp_path, group):
    path = tmp_path / "long.parquet"
    write_parquet(path, (record(i, text=f"prompt {i}") for i in range(1000)))
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(path), path, row_group_size=group)
    rows = list(data_check.sample_rows(str(path), 40, seed=3))
    numbers = [number for number, _ in rows]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 40
    assert numbers[0] < 300 < 700 < numbers[-1]
    assert all(row["prompt"][0]["content"] == f"prompt {number - 1}" for number, row in rows)
    assert rows == list(data_check.sample_rows(str(path), 40, seed=3))


def test_a_small_file_is_audited_whole(tmp_path):
    path = tmp_path / "small.parquet"
    write_parquet(path, (record(i) for i in range(64)))
    table = pyarrow.parquet.read_table(path)
    with pyarrow.parquet.ParquetWriter(path, table.schema) as writer:
        writer.write_table(table.slice(0, 63))
        writer.write_table(table.slice(63))
    assert [number for number, _ in data_check.sample_rows(str(path), 64, seed=0)] == list(range(1, 65))


def test_a_row_group_too_large_to_decode_gives_its_beginning(tmp_path, monkeypatch):
    path = tmp_path / "one.parquet"
    write_parquet(path, (record(i, text="word " * 200) for i in range(1000)))
    pyarrow.parquet.write_table(pyarrow.parquet.read_table(path), path, row_group_size=1000, use_dictionary=False)
    size = pyarrow.parquet.read_metadata(path).row_group(0).total_byte_size
    monkeypatch.setattr(data_check, "GATE_BYTES", size // 10)
    numbers = [number for number, _ in data_check.sample_rows(str(path), 40, seed=0)]
    assert len(numbers) == 40
    assert max(numbers) <= 100


def test_the_audit_names_the_row_of_the_file(tmp_path):
    path = tmp_path / "bad.parquet"
    rows = [record(i, "math", gold=str(i)) for i in range(100)]
    rows[90] = record(90, "math", gold="$$")
    write_parquet(path, rows)
    with pytest.raises(CheckFailedError, match=r"row 91: .*golongrl verify-rewards"):
        data_check.gate(str(path), seed=0, rows=100)
