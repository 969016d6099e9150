"""The same jobs here, in processes and on a Ray cluster of its own."""

import contextlib
import copy
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from golongrl.core.errors import UsageError
from golongrl.core.machine import HostMemory
from golongrl.pipeline.dataset import workers
from golongrl.pipeline.dataset.workers import open_workers

JOBS = [{"number": number, "words": ["a", "ü"]} for number in range(9)]
SCRIPT = """
import copy, json, sys
from golongrl.pipeline.dataset.workers import open_workers
if __name__ == "__main__":
    with open_workers(2, "local") as run_all:
        for _ in range(2):
            print(json.dumps(sorted(run_all(copy.copy, json.loads(sys.argv[1])), key=lambda job: job["number"])))
"""


PREPARATION = """
import os
from pathlib import Path
def prepare(folder):
    Path(folder, str(os.getpid())).touch()
def job(one):
    return {"prepared": Path(one["folder"], str(os.getpid())).exists(), "own": os.getpid() != one["driver"]}
"""
PREPARED = """
import functools, json, os, sys, time
from preparation import job, prepare
from golongrl.pipeline.dataset.workers import open_workers
if __name__ == "__main__":
    folder = sys.argv[1]
    with open_workers(2, None, functools.partial(prepare, folder)) as run_all:
        deadline = time.monotonic() + 60
        while not os.listdir(folder) and time.monotonic() < deadline:
            time.sleep(0.05)
        early = len(os.listdir(folder))
        jobs = [{"folder": folder, "driver": os.getpid()} for _ in range(6)]
        print(json.dumps([early, list(run_all(job, jobs))]))
"""


def run_prepared(folder, **environment):
    (folder / "script.py").write_text(PREPARED)
    (folder / "preparation.py").write_text(PREPARATION)
    (folder / "prepared").mkdir()
    return subprocess.run(
        [sys.executable, "script.py", "prepared"],
        **{"cwd": folder, "capture_output": True, "text": True, "check": True},
        env={**os.environ, **environment},
    )


def test_processes_prepare_before_there_are_jobs(tmp_path):
    early, results = json.loads(run_prepared(tmp_path).stdout)
    # One that the others are forked from, or each of them.
    assert early in (1, 2)
    assert results == [{"prepared": True, "own": True}] * 6


def test_processes_start_where_the_temporary_folder_has_too_long_a_name_for_a_socket(tmp_path):
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    done = run_prepared(tmp_path, TMPDIR=str(folder))
    assert json.loads(done.stdout)[1] == [{"prepared": True, "own": True}] * 6


def test_a_module_in_the_working_folder_stands_in_for_no_other(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    for name in ("json.py", "random.py", "golongrl.py"):
        (tmp_path / "elsewhere" / name).write_text("raise SystemExit('taken for a module')")
    (tmp_path / "script.py").write_text(PREPARED)
    (tmp_path / "preparation.py").write_text(PREPARATION)
    (tmp_path / "prepared").mkdir()
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py", tmp_path / "prepared"],
        **{"cwd": tmp_path / "elsewhere", "capture_output": True, "text": True, "check": True},
    )
    assert json.loads(done.stdout)[1] == [{"prepared": True, "own": True}] * 6


@pytest.mark.parametrize("count", [1, 2])
def test_every_job_is_done_once(count):
    with open_workers(count) as run_all:
        assert list(run_all(copy.copy, [])) == []
        for _ in range(2):
            assert sorted(run_all(copy.copy, iter(JOBS)), key=lambda job: job["number"]) == JOBS


KILLED = """
import os, time
from pathlib import Path
def job(one):
    Path(one["folder"], str(os.getpid())).touch()
    time.sleep(one["seconds"])
    return one
"""
ENDLESS = """
import functools, sys
from killed import job
from golongrl.pipeline.dataset.workers import open_workers
if __name__ == "__main__":
    prepare = functools.partial(len, "prepared") if sys.argv[2] == "forked" else None
    with open_workers(2, None, prepare) as run_all:
        list(run_all(job, [{"folder": sys.argv[1], "seconds": 600}] * 2))
"""


@pytest.mark.parametrize("how", ["forked", "spawned"])
def test_workers_end_when_the_driver_is_killed(tmp_path, how):
    (tmp_path / "script.py").write_text(ENDLESS)
    (tmp_path / "killed.py").write_text(KILLED)
    seen = tmp_path / "seen"
    seen.mkdir()
    driver = subprocess.Popen([sys.executable, "script.py", seen, how], cwd=tmp_path, start_new_session=True)
    try:
        wait_until(lambda: len(os.listdir(seen)) == 2)
        workers = [int(name) for name in os.listdir(seen)]
        assert all(map(lives, workers))
        driver.kill()
        driver.wait()
        wait_until(lambda: not any(map(lives, workers)))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(driver.pid, signal.SIGKILL)


WAITING = """
import os, time
from pathlib import Path
def prepare(folder, driver):
    Path(folder, "begun").touch()
    deadline = time.monotonic() + 60
    while os.getppid() == driver and time.monotonic() < deadline:
        time.sleep(0.05)
"""
INTERRUPTED = """
import copy, functools, os, sys
from pathlib import Path
from waiting import prepare
from golongrl.pipeline.dataset.workers import open_workers
def jobs(folder):
    Path(folder, "asked").touch()
    yield {"number": 1}
if __name__ == "__main__":
    try:
        with open_workers(2, None, functools.partial(prepare, sys.argv[1], os.getpid())) as run_all:
            list(run_all(copy.copy, jobs(sys.argv[1])))
    except KeyboardInterrupt:
        sys.exit(130)
"""


def test_workers_that_were_asked_for_before_ctrl_c_say_nothing_after_it(tmp_path):
    (tmp_path / "script.py").write_text(INTERRUPTED)
    (tmp_path / "waiting.py").write_text(WAITING)
    driver = subprocess.Popen(
        [sys.executable, "script.py", tmp_path],
        **{"cwd": tmp_path, "stderr": subprocess.PIPE, "text": True, "start_new_session": True},
    )
    try:
        wait_until((tmp_path / "begun").exists)
        wait_until((tmp_path / "asked").exists)
        # A moment later it waits for its first worker, which cannot be forked yet.
        time.sleep(0.3)
        os.killpg(driver.pid, signal.SIGINT)
        # The end of the stream is the end of every process that could say something.
        assert driver.communicate(timeout=60) == (None, "")
        assert driver.returncode == 130
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(driver.pid, signal.SIGKILL)


FAILING = """
import os, time
def job(one):
    os._exit(3)
def prepare(seconds):
    time.sleep(seconds)
    os._exit(3)
"""
FAILED = """
import functools, sys
from failing import job, prepare
from golongrl.core.errors import WorkerError
from golongrl.pipeline.dataset.workers import open_workers
if __name__ == "__main__":
    prepared = functools.partial(*{"job": (len, "prepared"), "source": (prepare, 1)}[sys.argv[1]])
    try:
        with open_workers(2, None, prepared) as run_all:
            list(run_all(job, [{"number": number} for number in range(9)]))
    except WorkerError as error:
        print(error)
"""


@pytest.mark.parametrize("what", ["job", "source"])
def test_a_process_that_dies_at_a_job_or_before_there_are_any_is_said_so(tmp_path, what):
    (tmp_path / "script.py").write_text(FAILED)
    (tmp_path / "failing.py").write_text(FAILING)
    done = subprocess.run(
        [sys.executable, "script.py", what],
        **{"cwd": tmp_path, "capture_output": True, "text": True, "check": True, "timeout": 60},
    )
    assert "worker process" in done.stdout


def wait_until(reached, seconds=60):
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lives(process):
    try:
        # One that has ended waits as a zombie until somebody asks how.
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize(
    ("size", "cores", "available", "expected"),
    [
        (0, 8, 64, 1),
        (19, 8, 64, 1),
        (20, 8, 64, 2),
        (500, 8, 64, 8),
        (500, 8, 2, 2),
        (500, 8, 0, 1),
        (500, 1, 64, 1),
    ],
)
def test_as_many_processes_as_text_cores_and_memory_are_worth(monkeypatch, size, cores, available, expected):
    monkeypatch.setattr(workers, "usable_cores", lambda: cores)
    monkeypatch.setattr(workers, "host_memory", lambda: HostMemory(64 * 10**9, available * 10**9))
    assert workers.processes(None, None, size * 10**6) == expected
    assert workers.processes(3, None, size * 10**6) == 3
    assert workers.processes(None, "auto", size * 10**6) == 1


def test_ray_does_the_same(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py", json.dumps(JOBS)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == [JOBS, JOBS]


def test_a_cluster_that_is_not_there_is_said_so():
    with open_workers(1, "127.0.0.1:1") as run_all, pytest.raises(UsageError, match="cannot join the Ray cluster"):
        list(run_all(copy.copy, JOBS))
