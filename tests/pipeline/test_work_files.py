"""Files of the work folder: whole or not there, and a job counts as finished only with all of them."""

import pytest

from golongrl.pipeline.dataset.work_files import read_summary, work_path, write_summary


def job(folder):
    """A finished job's summary and its one file, of 12 bytes."""
    shard, summary = folder / "made" / "a.jsonl", folder / "made" / "a.json"
    with work_path(shard) as temporary:
        temporary.write_bytes(b'{"text": 1}\n')
    write_summary(summary, {"读": [1, None]}, [shard])
    return shard, summary


def test_what_a_job_found_is_read_back(tmp_path):
    shard, summary = job(tmp_path)
    assert read_summary(summary) == {"读": [1, None]}
    assert sorted(path.name for path in shard.parent.iterdir()) == ["a.json", "a.jsonl"]


def test_a_job_without_a_summary_is_not_finished(tmp_path):
    assert read_summary(tmp_path / "a.json") is None


@pytest.mark.parametrize("left", [0, 5, 11])
def test_a_job_whose_file_was_cut_off_is_not_finished(tmp_path, left):
    shard, summary = job(tmp_path)
    shard.write_bytes(shard.read_bytes()[:left])
    assert read_summary(summary) is None


def test_a_job_whose_file_is_gone_is_not_finished(tmp_path):
    shard, summary = job(tmp_path)
    shard.unlink()
    assert read_summary(summary) is None


def test_a_torn_summary_is_none(tmp_path):
    _, summary = job(tmp_path)
    whole = summary.read_bytes()
    for size in range(len(whole) - 1):
        summary.write_bytes(whole[:size])
        assert read_summary(summary) is None, size


@pytest.mark.parametrize("text", ["[]", "[{}]", '{"read": 1}', "1", "\udcff"])
def test_a_summary_of_another_form_is_none(tmp_path, text):
    (tmp_path / "a.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    assert read_summary(tmp_path / "a.json") is None


def test_a_failure_leaves_nothing_behind_and_the_old_file_alone(tmp_path):
    shard, _ = job(tmp_path)

    def fail():
        with work_path(shard) as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert shard.read_bytes() == b'{"text": 1}\n'
    assert sorted(path.name for path in shard.parent.iterdir()) == ["a.json", "a.jsonl"]
