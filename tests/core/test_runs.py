import json
import os
import platform
import subprocess
import sys

import pytest

from golongrl.core.errors import DataError, RunConflictError, StorageError
from golongrl.core.runs import (
    differing_keys,
    git_sha,
    is_finished,
    only_writer,
    open_run,
    other_settings,
    package_versions,
    read_config,
    set_aside,
)

CONFIG = {"algo": "tmn", "lengths": (1, 2), "seed": 0}


def test_a_new_run_says_what_was_asked_and_with_what(tmp_path):
    run = open_run(tmp_path / "a" / "run", CONFIG, command="train", inputs={"x.parquet": "ab12"})
    assert (run.resumed, run.finished) == (False, False)
    assert json.loads(run.path("config.json").read_text()) == {
        "command": "train",
        "algo": "tmn",
        "lengths": [1, 2],
        "seed": 0,
        "inputs": {"x.parquet": "ab12"},
    }
    manifest = json.loads(run.path("manifest.json").read_text())
    assert manifest["command"] == "train"
    assert manifest["finished"] is None
    assert manifest["inputs"] == {"x.parquet": "ab12"}
    assert manifest["versions"]["python"] == platform.python_version()


def test_the_same_settings_resume_and_finished_work_is_seen(tmp_path):
    first = open_run(tmp_path / "run", CONFIG, command="train")
    started = first.manifest["started"]
    again = open_run(tmp_path / "run", CONFIG, command="train")
    assert (again.resumed, again.finished) == (True, False)
    again.finish(steps=3)
    done = open_run(tmp_path / "run", dict(reversed(CONFIG.items())), command="train")
    assert (done.resumed, done.finished) == (True, True)
    assert done.manifest["steps"] == 3
    assert done.manifest["started"] == started
    done.reopen()
    assert not open_run(tmp_path / "run", CONFIG, command="train").finished


def test_a_run_killed_before_its_manifest_starts_anew(tmp_path):
    open_run(tmp_path / "run", CONFIG, command="train").path("manifest.json").unlink()
    run = open_run(tmp_path / "run", CONFIG, command="train")
    assert run.resumed is False
    assert run.path("manifest.json").exists()


@pytest.mark.parametrize(
    ("config", "command", "inputs", "shown"),
    [
        ({**CONFIG, "algo": "grpo"}, "train", {}, "algo: 'tmn' -> 'grpo'"),
        ({**CONFIG, "new": 1}, "train", {}, "new: None -> 1"),
        (CONFIG, "eval", {}, "command: 'train' -> 'eval'"),
        (CONFIG, "train", {"x": "2"}, "x: not read before"),
    ],
)
def test_other_settings_are_refused_with_what_differs(tmp_path, config, command, inputs, shown):
    open_run(tmp_path / "run", CONFIG, command="train")
    before = {name: (tmp_path / "run" / name).read_bytes() for name in os.listdir(tmp_path / "run")}
    with pytest.raises(RunConflictError) as caught:
        open_run(tmp_path / "run", config, command=command, inputs=inputs)
    assert f"({shown})" in str(caught.value)
    assert "--fresh" in str(caught.value)
    assert {name: (tmp_path / "run" / name).read_bytes() for name in os.listdir(tmp_path / "run")} == before


def test_changed_inputs_are_named_without_their_hashes(tmp_path):
    open_run(tmp_path / "run", CONFIG, command="train", inputs={"a": "ab12", "b": "cd34", "c": "ef56"})
    with pytest.raises(RunConflictError, match=r"\(b: its content changed; c: no longer read\)"):
        open_run(tmp_path / "run", CONFIG, command="train", inputs={"a": "ab12", "b": "0000"})


def test_of_many_changed_inputs_the_first_are_named(tmp_path):
    open_run(tmp_path / "run", CONFIG, command="train", inputs=dict.fromkeys("abcdefgh", "1"))
    with pytest.raises(RunConflictError, match=r"; e: its content changed; and 3 more inputs\)"):
        open_run(tmp_path / "run", CONFIG, command="train", inputs=dict.fromkeys("abcdefgh", "2"))


def test_differing_keys_are_sorted_and_complete():
    assert differing_keys({"b": 1, "a": [1], "c": 0}, {"b": 2, "a": [1], "d": 0}) == [
        "b: 1 -> 2",
        "c: 0 -> None",
        "d: None -> 0",
    ]


def test_fresh_sets_old_runs_aside_and_deletes_nothing(tmp_path):
    for seed in range(3):
        run = open_run(tmp_path / "run", {"seed": seed}, command="train", fresh=True)
        run.path("metrics.jsonl").write_text(str(seed))
        assert run.resumed is False
    assert sorted(os.listdir(tmp_path)) == ["run", "run.old-1", "run.old-2"]
    texts = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("run.old-1", "run.old-2", "run")]
    assert texts == ["0", "1", "2"]


def test_fresh_leaves_an_empty_folder_where_it_is(tmp_path):
    (tmp_path / "run").mkdir()
    open_run(tmp_path / "run", {}, command="train", fresh=True)
    assert os.listdir(tmp_path) == ["run"]


def test_fresh_never_moves_the_working_folder_away(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    for folder in (".", "..", tmp_path):
        (tmp_path / "inner" / "file").write_text("mine")
        with pytest.raises(RunConflictError, match="holds the working folder; name another --out"):
            open_run(folder, {}, command="train", fresh=True)
    assert (tmp_path / "inner" / "file").read_text() == "mine"


def test_a_file_is_no_run_folder(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunConflictError, match="is a file; choose a folder"):
        open_run(tmp_path / "file", {}, command="train")
    with pytest.raises(StorageError, match="cannot write"):
        open_run(tmp_path / "file" / "run", {}, command="train")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["config.json", "manifest.json"])
@pytest.mark.parametrize("data", [b'{"half": ', b"[]", b"\xff\xfe"])
def test_damaged_files_are_named(tmp_path, name, data):
    open_run(tmp_path / "run", CONFIG, command="train").path(name).write_bytes(data)
    with pytest.raises(DataError, match=rf"{name} is not .*JSON.*; pass --fresh to start over"):
        open_run(tmp_path / "run", CONFIG, command="train")
    assert open_run(tmp_path / "run", CONFIG, command="train", fresh=True).resumed is False


def test_git_sha_is_the_commit_or_none(tmp_path):
    def git(*command: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *command], capture_output=True, text=True, check=True
        ).stdout.strip()

    assert git_sha(tmp_path) is None
    git("init", "-q")
    assert git_sha(tmp_path) is None
    git("commit", "-q", "--allow-empty", "-m", "first")
    assert git_sha(tmp_path) == git("rev-parse", "HEAD")


def test_versions_come_from_metadata():
    import numpy

    versions = package_versions()
    assert versions["numpy"] == numpy.__version__
    assert set(versions) <= {
        *("python", "golongrl", "verl", "torch", "ray", "transformers", "tokenizers", "datasets", "math-verify"),
        "numpy",
    }


def test_setting_aside_takes_the_first_free_name(tmp_path):
    for number in (1, 2):
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / "file").write_text(str(number))
        assert set_aside(tmp_path / "run") == tmp_path / f"run.old-{number}"
    assert [(tmp_path / f"run.old-{n}" / "file").read_text() for n in (1, 2)] == ["1", "2"]
    assert not (tmp_path / "run").exists()


HOLD = """
import sys
from pathlib import Path
from golongrl.core.runs import only_writer
with only_writer(Path(sys.argv[1]), "eval"):
    print("in", flush=True)
    sys.stdin.read()
"""


def test_one_process_at_a_time_writes_to_a_folder(tmp_path):
    command = [sys.executable, "-c", HOLD, tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"in\n"
        with pytest.raises(RunConflictError, match="another golongrl eval is writing"), only_writer(tmp_path, "eval"):
            pass
        process.kill()
    with only_writer(tmp_path, "eval"):
        pass


def test_a_lock_that_cannot_be_written_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"), only_writer(tmp_path / "file", "eval"):
        pass


def test_keys_that_change_no_result_may_differ_and_are_recorded(tmp_path):
    open_run(tmp_path / "run", {"seed": 1, "save_every": 5}, command="train")
    run = open_run(tmp_path / "run", {"seed": 1, "save_every": 9}, command="train", free=("save_every",))
    assert run.resumed
    assert json.loads((tmp_path / "run" / "config.json").read_text())["save_every"] == 9
    with pytest.raises(RunConflictError, match="seed: 1 -> 2"):
        open_run(tmp_path / "run", {"seed": 2, "save_every": 3}, command="train", free=("save_every",))


def test_what_would_be_refused_can_be_asked(tmp_path):
    assert other_settings(tmp_path / "run", {"seed": 2}) == []
    open_run(tmp_path / "run", {"seed": 1, "save_every": 5}, command="train", inputs={"a": "b"})
    changed = other_settings(tmp_path / "run", {"seed": 2, "save_every": 9}, free=("save_every",))
    assert changed == ["seed: 1 -> 2"]


def test_a_run_in_use_is_not_set_aside(tmp_path):
    open_run(tmp_path / "run", {"seed": 1}, command="train")
    with only_writer(tmp_path / "run", "train"), pytest.raises(RunConflictError, match="another golongrl train"):
        open_run(tmp_path / "run", {"seed": 2}, command="train", fresh=True)
    assert open_run(tmp_path / "run", {"seed": 2}, command="train", fresh=True).resumed is False
    assert (tmp_path / "run.old-1" / "config.json").exists()


def test_a_run_in_use_keeps_the_settings_it_was_started_with(tmp_path):
    open_run(tmp_path / "run", {"steps": 5}, command="train")
    with only_writer(tmp_path / "run", "train"):
        with pytest.raises(RunConflictError, match="another golongrl train"):
            open_run(tmp_path / "run", {"steps": 9}, command="train", free=("steps",))
        assert open_run(tmp_path / "run", {"steps": 5}, command="train").resumed
    assert read_config(tmp_path / "run")["steps"] == 5


def test_a_finished_run_is_told(tmp_path):
    assert not is_finished(tmp_path / "run")
    run = open_run(tmp_path / "run", {}, command="train")
    assert not is_finished(tmp_path / "run")
    run.finish()
    assert is_finished(tmp_path / "run")
