"""The same jobs here, in processes and on a Ray cluster of its own."""

import copy
import json
import subprocess
import sys

import pytest

from golongrl.core.errors import UsageError
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


PREPARED = """
import functools, json, os, sys, time
from pathlib import Path
from golongrl.pipeline.dataset.workers import open_workers
def prepare(folder):
    Path(folder, str(os.getpid())).touch()
def job(one):
    return {"prepared": Path(one["folder"], str(os.getpid())).exists(), "own": os.getpid() != one["driver"]}
if __name__ == "__main__":
    folder = sys.argv[1]
    with open_workers(2, None, functools.partial(prepare, folder)) as run_all:
        deadline = time.monotonic() + 60
        while len(os.listdir(folder)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        early = len(os.listdir(folder))
        jobs = [{"folder": folder, "driver": os.getpid()} for _ in range(6)]
        print(json.dumps([early, list(run_all(job, jobs))]))
"""


def test_processes_prepare_before_there_are_jobs(tmp_path):
    (tmp_path / "script.py").write_text(PREPARED)
    (tmp_path / "prepared").mkdir()
    done = subprocess.run(
        [sys.executable, "script.py", "prepared"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [2, [{"prepared": True, "own": True}] * 6]


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_once(workers):
    with open_workers(workers) as run_all:
        assert list(run_all(copy.copy, [])) == []
        for _ in range(2):
            assert sorted(run_all(copy.copy, iter(JOBS)), key=lambda job: job["number"]) == JOBS


def test_ray_does_the_same(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py", json.dumps(JOBS)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == [JOBS, JOBS]


def test_a_cluster_that_is_not_there_is_said_so():
    with open_workers(1, "127.0.0.1:1") as run_all, pytest.raises(UsageError, match="cannot join the Ray cluster"):
        list(run_all(copy.copy, JOBS))
