"""The same jobs here, in processes and on a Ray cluster of its own."""

import copy
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


@pytest.mark.parametrize("workers", [1, 2])
def test_every_job_is_done_once(workers):
    with open_workers(workers) as run_all:
        assert list(run_all(copy.copy, [])) == []
        for _ in range(2):
            assert sorted(run_all(copy.copy, iter(JOBS)), key=lambda job: job["number"]) == JOBS


def test_ray_does_the_same(tmp_path):
    import json

    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py", json.dumps(JOBS)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == [JOBS, JOBS]


def test_a_cluster_that_is_not_there_is_said_so():
    with open_workers(1, "127.0.0.1:1") as run_all, pytest.raises(UsageError, match="cannot join the Ray cluster"):
        list(run_all(copy.copy, JOBS))
