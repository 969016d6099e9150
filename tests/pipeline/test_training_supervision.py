"""The training process under supervision, with small real processes in verl's place."""

import json
import os
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from golongrl.core.errors import CheckFailedError, DataError, StorageError
from golongrl.pipeline.training.metrics import first_and_last, read_steps
from golongrl.pipeline.training.supervise import RUN_VARIABLE, clear_dead_sessions, run_worker


def worker(tmp_path, code: str) -> list[str]:
    """A command that runs `code` with `step(n, reward)` at hand, which writes a row of metrics.jsonl."""
    script = tmp_path / "worker.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import json, os, subprocess, sys, time
            def step(n, reward):
                with open({str(tmp_path / "metrics.jsonl")!r}, "a") as f:
                    row = {{"key": f"step-{{n}}", "step": n, "metrics": {{"task/em/reward": reward}}}}
                    f.write(json.dumps(row) + "\\n")
            """
        )
        + textwrap.dedent(code)
    )
    return [sys.executable, str(script)]


def follow(tmp_path, code, resumed_from=0):
    seen = []
    run_worker(worker(tmp_path, code), {}, tmp_path, resumed_from, seen.append, lambda *_: None)
    return seen


def test_every_step_is_seen_once(tmp_path):
    seen = follow(tmp_path, "step(1, 0.5)\ntime.sleep(0.7)\nstep(2, 0.75)")
    assert [(row.step, row.rewards) for row in seen] == [(1, {"em": 0.5}), (2, {"em": 0.75})]


def test_a_resumed_run_shows_only_new_steps_and_replaces_old_rows(tmp_path):
    follow(tmp_path, "step(1, 0.1); step(2, 0.2); step(3, 0.3)")
    seen = follow(tmp_path, "step(2, 0.8); step(3, 0.9)", resumed_from=1)
    assert [row.step for row in seen] == [2, 3]
    assert [row.rewards["em"] for row in read_steps(tmp_path)] == [0.1, 0.8, 0.9]


def test_a_row_torn_by_a_crash_does_not_stop_the_resumed_run(tmp_path):
    follow(tmp_path, "step(1, 0.1)")
    with open(tmp_path / "metrics.jsonl", "a") as handle:
        handle.write('{"key": "step-2", "st')
    # The journal cuts the torn row off before it writes, as here.
    cut = "path = " + repr(str(tmp_path / "metrics.jsonl")) + "; data = open(path, 'rb').read()\n"
    cut += "open(path, 'wb').write(data[: data.rfind(b'\\n') + 1])\ntime.sleep(1)\nstep(2, 0.25)"
    assert [row.step for row in follow(tmp_path, cut, resumed_from=1)] == [2]


def test_what_was_known_at_a_checkpoint_counts_until_the_whole_row_is_there(tmp_path):
    def write(**row):
        with open(tmp_path / "metrics.jsonl", "a") as handle:
            handle.write(json.dumps(row) + "\n")

    write(key="step-1/partial", step=1, partial=True, metrics={"task/em/reward": 0.5})
    assert [row.metrics for row in read_steps(tmp_path)] == [{"task/em/reward": 0.5}]
    assert read_steps(tmp_path, finished=True) == []
    write(key="step-1", step=1, metrics={"task/em/reward": 0.5, "timing_s/step": 2.0})
    assert [row.seconds for row in read_steps(tmp_path)] == [2.0]


def test_a_torn_last_row_is_left_out(tmp_path):
    follow(tmp_path, "step(1, 0.1)")
    with open(tmp_path / "metrics.jsonl", "a") as handle:
        handle.write('{"key": "step-2", "st')
    assert [row.step for row in read_steps(tmp_path)] == [1]


def test_a_failure_names_its_cause_the_log_and_the_way_on(tmp_path):
    with pytest.raises(
        CheckFailedError, match=r"(?s)exit code 1 \(ValueError: no such layer\).*same command.*train\.log"
    ):
        follow(tmp_path, "raise ValueError('no such layer')")


def test_an_error_of_our_own_is_told_as_it_is(tmp_path):
    with pytest.raises(DataError, match=r"^row 3 has no gold; mend it \(log: \S+train.log\)$"):
        follow(tmp_path, "from golongrl.core.errors import DataError\nraise DataError('row 3 has no gold; mend it')")


def test_a_full_disk_is_told_from_other_failures(tmp_path):
    with pytest.raises(StorageError, match="no space left"):
        follow(tmp_path, "raise OSError(28, 'No space left on device')")


def test_a_killed_worker_is_a_failure(tmp_path):
    with pytest.raises(CheckFailedError, match="exit code 137"):
        follow(tmp_path, "os.kill(os.getpid(), 9)")


def test_workers_that_die_at_once_end_the_run(tmp_path):
    line = "(raylet) The process is dead, probably it crashed during start."
    with pytest.raises(CheckFailedError, match="workers die as soon as they start"):
        follow(tmp_path, f"print('{line}\\n' * 3, flush=True)\ntime.sleep(300)")


def test_daemons_in_sessions_of_their_own_end_with_the_run(tmp_path):
    follow(
        tmp_path,
        """
        child = subprocess.Popen(["sleep", "300"], start_new_session=True)
        open("%s", "w").write(str(child.pid))
        """
        % (tmp_path / "pid"),
    )
    pid = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_leftovers_of_a_crashed_run_are_ended_before_the_next(tmp_path):
    left = subprocess.Popen(["sleep", "300"], env={**os.environ, RUN_VARIABLE: str(tmp_path)}, start_new_session=True)
    other = subprocess.Popen(["sleep", "300"], env={**os.environ, RUN_VARIABLE: str(tmp_path / "b")})
    try:
        time.sleep(0.2)
        follow(tmp_path, "step(1, 0.0)")
        assert left.wait(timeout=5) == -9
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_first_and_last_steps_are_averaged_per_task(tmp_path):
    rows = [("em", 0.0), ("em", 0.2), ("f1", 0.5), ("em", 0.6), ("em", 1.0)]
    with open(tmp_path / "metrics.jsonl", "w") as handle:
        for step, (task, reward) in enumerate(rows, 1):
            handle.write(json.dumps({"key": step, "step": step, "metrics": {f"task/{task}/reward": reward}}) + "\n")
    steps = read_steps(tmp_path)
    assert first_and_last(steps, 2) == {"em": (pytest.approx(0.1), pytest.approx(0.8)), "f1": (0.5, 0.5)}
    # Three of four windows would overlap: four occurrences make two halves.
    assert first_and_last(steps, 3) == first_and_last(steps, 2)


def test_files_of_ray_clusters_that_are_long_gone_are_removed(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    two_days_ago = time.time() - 2 * 24 * 3600
    for day, pid in (("21", gone.pid), ("22", os.getpid()), ("23", gone.pid)):
        session = tmp_path / f"session_2026-11-{day}_18-21-43_944702_{pid}"
        (session / "logs").mkdir(parents=True)
        if day != "23":
            for path in (session / "logs", session):
                os.utime(path, (two_days_ago, two_days_ago))
    (tmp_path / "session_latest").symlink_to(tmp_path)
    (tmp_path / "kept").mkdir()
    clear_dead_sessions(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    # One driver is alive; the other session is so new that its driver may live on another host.
    assert left == [
        "kept",
        f"session_2026-11-22_18-21-43_944702_{os.getpid()}",
        f"session_2026-11-23_18-21-43_944702_{gone.pid}",
        "session_latest",
    ]
