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

from golongrl.core.errors import MissingPackageError, UsageError, WorkerError
from golongrl.rewards import math_process, pool

TOWER = "9^{9^{9^9}}"


@pytest.fixture(autouse=True)
def _fresh_workers():
    pool.close()
    yield
    pool.close()


def wait_until(done) -> bool:
    deadline = time.monotonic() + 20
    while not done() and time.monotonic() < deadline:
        time.sleep(0.01)
    return done()


def running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def script(text: str, **options) -> subprocess.Popen:
    """A Python process of its own whose first output the test reads."""
    head = "import os, signal, threading, time\nfrom golongrl.rewards import pool\n"
    return subprocess.Popen([sys.executable, "-c", head + text], stdout=subprocess.PIPE, text=True, **options)


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


def test_no_text_upsets_a_worker():
    for answer in ("a\nb", "\0", "\ud800", "}{", "\\frac{", "$", "(" * 100, "x" * 1_000_000):
        assert pool.verdict("42", answer, seconds=1).equal is not True, answer[:10]
        assert pool.verdict("42", "40+2").equal is True, answer[:10]


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


def test_a_worker_that_dies_before_it_begins_is_replaced():
    ask_root()
    before = pool.counts()
    (worker,) = pool._pool.workers
    os.kill(worker.process.pid, signal.SIGSTOP)
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        job = threads.submit(ask_root)
        assert wait_until(lambda: worker._jobs == 2)
        time.sleep(0.1)
        os.kill(worker.process.pid, signal.SIGKILL)
        assert job.result() is True
    after = pool.counts()
    assert (after.errors - before.errors, after.started - before.started) == (0, 1)


def test_a_stopped_worker_is_killed_after_a_grace(monkeypatch):
    ask_root()
    monkeypatch.setattr(math_process, "GRACE_SECONDS", 0.5)
    (worker,) = pool._pool.workers
    os.kill(worker.process.pid, signal.SIGSTOP)
    # More than a pipe holds: the job cannot even be handed over.
    assert pool.verdict("42", "40+2" + " " * 100_000).equal is True
    assert not running(worker.process.pid)


def test_closing_ends_jobs_in_flight():
    ask_root()
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        job = threads.submit(pool.verdict, "42", TOWER, seconds=20)
        time.sleep(0.5)
        pool.close()
        assert job.result().reason == "error"
    assert ask_root() is True


def test_workers_are_replaced_after_their_share(monkeypatch):
    monkeypatch.setattr(math_process, "RECYCLE", 2)
    before = pool.counts().started
    assert [ask_root() for _ in range(3)] == [True] * 3
    assert pool.counts().started - before == 2


def test_callers_are_served_in_order(monkeypatch):
    monkeypatch.setenv("GOLONGRL_MATH_WORKERS", "1")
    served = []

    def ask(number):
        ask_root()
        served.append(number)

    before = pool.counts().started
    with concurrent.futures.ThreadPoolExecutor(7) as threads:
        threads.submit(pool.verdict, "42", TOWER, seconds=1)
        assert wait_until(lambda: pool.counts().started > before)
        for number in range(6):
            threads.submit(ask, number)
            assert wait_until(lambda number=number: len(pool._pool._waiting) == number + 1)
    assert served == list(range(6))
    assert pool.counts().started - before == 2


def test_a_bad_number_of_workers_is_a_usage_error(monkeypatch):
    monkeypatch.setenv("GOLONGRL_MATH_WORKERS", "none")
    with pytest.raises(UsageError, match="GOLONGRL_MATH_WORKERS='none'"):
        ask_root()


def test_a_job_that_needs_too_much_memory_is_an_error():
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            "from golongrl.rewards import math_worker as w\n"
            "w._bound_memory()\n"
            "job = {'gold': '', 'answer': '', 'tolerance': 0}\n"
            "reply = w._answer(lambda *_: bytearray(2 * w.MEMORY), job)\n"
            "print(reply['reason'], reply['worn'], reply['problem'])",
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert child.stdout == "error True the comparison needs more than 1024 MB of memory\n"


@pytest.mark.parametrize(
    "odd",
    [
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
        "signal.signal(signal.SIGALRM, signal.SIG_IGN)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})",
    ],
)
def test_the_callers_signals_do_not_stop_the_clock(odd):
    child = script(f"{odd}\nprint(pool.verdict('42', '{TOWER}', seconds=0.5).reason)")
    assert child.communicate()[0] == "timeout\n"


@pytest.mark.parametrize("busy", [False, True])
def test_no_worker_outlives_a_killed_parent(busy):
    parent = script(
        "pool.verdict('2', '1+1')\n"
        # A child that lives on must not hold the pipes open.
        "if os.fork() == 0:\n"
        "    time.sleep(60)\n"
        f"if {busy}:\n"
        f"    threading.Thread(target=pool.verdict, args=('42', '{TOWER}'), kwargs={{'seconds': 1}}).start()\n"
        "    time.sleep(0.3)\n"
        "print(*[worker.process.pid for worker in pool._pool.workers], flush=True)\n"
        "time.sleep(60)\n",
        start_new_session=True,
    )
    (pid,) = map(int, parent.stdout.readline().split())
    assert running(pid)
    parent.kill()
    parent.wait()
    try:
        assert wait_until(lambda: not running(pid))
    finally:
        parent.stdout.close()
        os.killpg(parent.pid, signal.SIGKILL)


def test_a_missing_package_is_an_error_and_no_score(monkeypatch, tmp_path):
    (tmp_path / "math_verify.py").write_text("raise ImportError('broken', name='math_verify')")
    path = f"{tmp_path}{os.pathsep}{math_process.environment()['PYTHONPATH']}"
    environment = {**math_process.environment(), "PYTHONPATH": path}
    monkeypatch.setattr(math_process, "environment", lambda: environment)
    with pytest.raises(MissingPackageError, match="math-verify"):
        ask_root()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exit 3", "status 3"),
        ("echo no room >&2; exit 1", "no room"),
        ("echo nonsense; exit", "nonsense"),
        (None, "No such"),
    ],
)
def test_a_worker_that_cannot_start_says_why(monkeypatch, tmp_path, text, said):
    broken = tmp_path / "python"
    if text:
        broken.write_text(f"#!/bin/sh\n{text}\n")
        broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(WorkerError, match=f"did not start .*{said}"):
        ask_root()
    monkeypatch.undo()
    assert ask_root() is True


def test_a_worker_that_dies_once_at_start_is_started_again(monkeypatch, tmp_path):
    flaky = tmp_path / "python"
    flaky.write_text(f'#!/bin/sh\nmkdir "{tmp_path}/died" && exit 1\nexec "{sys.executable}" "$@"\n')
    flaky.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(flaky))
    assert ask_root() is True
    assert (tmp_path / "died").exists()


def test_files_of_the_working_folder_are_not_imported(monkeypatch, tmp_path):
    for name in ("math", "json", "golongrl"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the working folder')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep)
    assert ask_root() is True


def test_from_a_ray_actor():
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:

        @ray.remote
        class Scorer:
            def ask(self, answer):
                found = pool.verdict("42", answer, seconds=1)
                return found.equal, found.reason

        scorer = Scorer.remote()
        answers = ["40+2", TOWER, "40+3"]
        assert ray.get([scorer.ask.remote(answer) for answer in answers]) == [
            (True, "ok"),
            (None, "timeout"),
            (False, "ok"),
        ]
    finally:
        ray.shutdown()
