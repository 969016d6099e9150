"""Worker processes of the math reward: killed, replaced and counted, from every kind of caller."""

import asyncio
import concurrent.futures
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from golongrl.core.errors import MissingPackageError, WorkerError
from golongrl.rewards import pool

TOWER = "9^{9^{9^9}}"


@pytest.fixture(autouse=True)
def _fresh_workers():
    pool.close()
    yield
    pool.close()


def ask_root() -> bool | None:
    return pool.verdict(r"\sqrt{2}", r"\sqrt2").equal


def test_verdicts():
    before = pool.counts()
    assert pool.verdict("x^2+2x+1", "(x+1)^2") == pool.Verdict(True)
    assert pool.verdict("x^2", "x^3") == pool.Verdict(False)
    assert pool.verdict(r"\sqrt{2}", "1.41", 0.01) == pool.Verdict(True)
    assert pool.verdict(r"\sqrt{2}", "1.41", 0.0001) == pool.Verdict(False)
    after = pool.counts()
    assert (after.jobs - before.jobs, after.started - before.started) == (4, 1)


@pytest.mark.parametrize("answer", ["a\nb", "\0", "\ud800", "}{", "\\frac{", "x" * 1_000_000, "$", "(" * 300])
def test_no_text_upsets_a_worker(answer):
    assert pool.verdict("42", answer).equal is not True
    assert pool.verdict("42", "40+2").equal is True


def test_a_tower_costs_one_worker_and_its_time_only():
    ask_root()
    before, started = pool.counts(), time.monotonic()
    found = pool.verdict("42", TOWER, seconds=1)
    assert (found.equal, found.reason) == (None, "timeout")
    assert time.monotonic() - started < 4
    assert ask_root() is True
    after = pool.counts()
    assert (after.timeouts - before.timeouts, after.started - before.started) == (1, 1)


def test_the_clock_does_not_run_in_the_queue():
    with concurrent.futures.ThreadPoolExecutor(12) as threads:
        towers = [threads.submit(pool.verdict, "42", TOWER, seconds=1) for _ in range(4)]
        others = [threads.submit(pool.verdict, r"\sqrt{2}", r"\sqrt2", seconds=1) for _ in range(8)]
        assert [job.result().reason for job in towers] == ["timeout"] * 4
        assert [job.result().equal for job in others] == [True] * 8


def test_from_event_loops():
    async def both():
        return ask_root(), await asyncio.to_thread(ask_root)

    assert asyncio.run(both()) == (True, True)


def _child(results):
    results.put((ask_root(), pool.counts().started))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_from_other_processes(method):
    ask_root()
    context = multiprocessing.get_context(method)
    results = context.SimpleQueue()
    child = context.Process(target=_child, args=(results,), daemon=True)
    child.start()
    assert results.get() == (True, 1)
    child.join(20)
    assert child.exitcode == 0
    assert ask_root() is True


def test_a_worker_killed_while_idle_is_replaced():
    ask_root()
    (worker,) = pool._pool.workers
    worker.process.kill()
    worker.process.wait()
    assert ask_root() is True


def test_a_worker_killed_in_mid_job_is_an_error():
    ask_root()
    before = pool.counts()
    (worker,) = pool._pool.workers
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        job = threads.submit(pool.verdict, "42", TOWER, seconds=20)
        time.sleep(0.5)
        os.kill(worker.process.pid, signal.SIGKILL)
        found = job.result()
    assert (found.equal, found.reason) == (None, "error")
    assert "status -9" in found.problem
    assert pool.counts().errors - before.errors == 1
    assert ask_root() is True


def test_workers_are_replaced_after_their_share(monkeypatch):
    monkeypatch.setattr(pool, "RECYCLE", 2)
    before = pool.counts().started
    assert [ask_root() for _ in range(5)] == [True] * 5
    assert pool.counts().started - before == 3


def test_no_worker_outlives_a_killed_parent():
    script = (
        "import os, time\n"
        "from golongrl.rewards import pool\n"
        "pool.verdict('2', '1+1')\n"
        "if os.fork() == 0:\n"
        "    time.sleep(60)\n"
        "print(*[worker.process.pid for worker in pool._pool.workers], flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 1
    parent.kill()
    parent.wait()
    try:
        deadline = time.monotonic() + 10
        while Path(f"/proc/{pids[0]}/cmdline").exists() and time.monotonic() < deadline:
            if not Path(f"/proc/{pids[0]}/cmdline").read_bytes():
                break
            time.sleep(0.05)
        else:
            assert time.monotonic() < deadline, "the worker still runs"
    finally:
        parent.stdout.close()
        os.killpg(parent.pid, signal.SIGKILL)


def test_a_missing_package_is_an_error_and_no_score(monkeypatch, tmp_path):
    (tmp_path / "math_verify.py").write_text("raise ImportError('broken', name='math_verify')")
    shadow = pool._environment
    monkeypatch.setattr(
        pool, "_environment", lambda: {**shadow(), "PYTHONPATH": f"{tmp_path}:{shadow()['PYTHONPATH']}"}
    )
    with pytest.raises(MissingPackageError, match="math-verify"):
        ask_root()


def test_a_worker_that_cannot_start_says_why(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(WorkerError, match="did not start"):
        ask_root()
    monkeypatch.undo()
    assert ask_root() is True


def test_files_of_the_working_folder_are_not_imported(monkeypatch, tmp_path):
    for name in ("math", "json", "golongrl"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the working folder')")
    monkeypatch.chdir(tmp_path)
    assert ask_root() is True
