"""Running one function over many jobs: here, in processes, or on a Ray cluster; results do not depend on which."""

import concurrent.futures
import contextlib
import functools
import gc
import importlib
import itertools
import json
import multiprocessing
import os
import shlex
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from multiprocessing import forkserver
from typing import Any

from golongrl.core.errors import UsageError, WorkerError, require
from golongrl.core.machine import host_memory, usable_cores
from golongrl.pipeline.dataset import fork_source

Job = dict[str, Any]
"""A job and its result are plain JSON types, so that they travel to any process."""
RunAll = Callable[[Callable[[Job], Job], Iterable[Job]], Iterator[Job]]
"""Results of a function, importable by name, over the jobs, in the order in which they are finished."""
KNOCK_SECONDS = 3.0
COLLECTIONS = (20_000, 20, 20)
"""Thresholds of Python's garbage collector."""
AHEAD = 3
"""Jobs handed out per process, beyond which the driver waits for results."""
BYTES_EACH = 10_000_000
"""Bytes of the sources from which one more process saves more time than it takes to start."""
MEMORY_EACH = 800_000_000
"""Memory of a worker process."""
ONE_THREAD = {"FASTOKENS_BPE_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Neither the token counter nor numpy of a worker process may take the other processes' cores."""


def processes(workers: int | None, ray_address: str | None, source_bytes: int) -> int:
    """`workers`, or without a number as many as so much text is worth and this machine has cores and memory for; on a
    Ray cluster, which does that itself, 1."""
    if workers is not None or ray_address is not None:
        return workers or 1
    most = [source_bytes // BYTES_EACH, usable_cores()]
    memory = host_memory()
    if memory is not None:
        most.append(memory.available // MEMORY_EACH)
    return max(1, min(most))


@contextlib.contextmanager
def open_workers(
    workers: int, ray_address: str | None = None, prepare: fork_source.Preparation | None = None
) -> Iterator[RunAll]:
    """What runs jobs, for as long as the context lasts; processes start with the first jobs and stay.

    With `prepare` they begin to start at once, and it is called before their first job: on Linux by the process that
    they are forked from, whose memory they share, then (which should find nothing left to do) by each of them.
    Running raises WorkerError when a process dies, UsageError when Ray cannot be reached.
    """
    if ray_address is not None:
        yield functools.partial(_on_ray, ray_address, workers)
    elif workers == 1:
        yield map
    else:
        # A process forked from this one would share locks and random state with it.
        forks = prepare is not None and _start_fork_server(prepare)
        context = multiprocessing.get_context("forkserver" if forks else "spawn")
        pool = concurrent.futures.ProcessPoolExecutor(
            workers, mp_context=context, initializer=_begin, initargs=(dict(os.environ), prepare)
        )
        try:
            if prepare is not None and not forks:
                for _ in range(workers):
                    pool.submit(_nothing)
            yield functools.partial(_in_processes, pool, workers)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _start_fork_server(prepare: fork_source.Preparation) -> bool:
    """Start what worker processes are forked from, one for the rest of this process's life; whether it started."""
    if sys.platform != "linux":
        # Elsewhere system libraries do not survive a fork.
        return False
    forkserver.set_forkserver_preload([fork_source.__name__])
    # Python would take files of the working folder for modules.
    settings = {**ONE_THREAD, "PYTHONSAFEPATH": "1", fork_source.VARIABLE: fork_source.written(prepare)}
    with _environment(settings):
        try:
            forkserver.ensure_running()
        except OSError:
            # Such as a temporary folder whose path is too long for a socket.
            return False
    return True


@contextlib.contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin(environment: Mapping[str, str], prepare: Callable[[], None] | None) -> None:
    # The process that this one was forked from may have been started in another.
    os.environ.clear()
    os.environ.update({**ONE_THREAD, **environment})
    threading.Thread(target=_end_with_driver, daemon=True).start()
    if prepare is not None:
        prepare()
    _collect_rarely()


def _end_with_driver() -> None:
    # Else it would wait for jobs for ever when the driver is killed.
    driver = multiprocessing.parent_process()
    if driver is not None:
        driver.join()
        os._exit(1)


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """For as long as the context lasts, this process looks for cycles of garbage as rarely as worker processes do."""
    usual = gc.get_threshold()
    _collect_rarely()
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _collect_rarely() -> None:
    # Documents and records are millions of objects without cycles: looking for some takes a twentieth of the time.
    gc.freeze()
    gc.set_threshold(*COLLECTIONS)


def _nothing() -> None:
    """A job by which a process starts."""


def _in_processes(
    pool: concurrent.futures.ProcessPoolExecutor, workers: int, function: Callable[[Job], Job], jobs: Iterable[Job]
) -> Iterator[Job]:
    waiting = iter(jobs)
    try:
        pending = _handed_out(pool, function, itertools.islice(waiting, workers * AHEAD))
        while pending:
            done, pending = concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED)
            pending |= _handed_out(pool, function, itertools.islice(waiting, len(done)))
            for future in done:
                yield future.result()
    except concurrent.futures.process.BrokenProcessPool as error:
        raise WorkerError(
            "a worker process died, most likely for lack of memory; run the same command again with fewer --workers, "
            "finished work is kept"
        ) from error


def _handed_out(
    pool: concurrent.futures.ProcessPoolExecutor, function: Callable[[Job], Job], jobs: Iterable[Job]
) -> set[concurrent.futures.Future[Job]]:
    try:
        return {pool.submit(function, job) for job in jobs}
    except (EOFError, ConnectionError) as error:
        # The process that workers are forked from is gone.
        raise concurrent.futures.process.BrokenProcessPool from error


def _on_ray(address: str, workers: int, function: Callable[[Job], Job], jobs: Iterable[Job]) -> Iterator[Job]:
    """Through Ray Data, one task per job; `address` "local" starts a cluster of `workers` processes here."""
    rows = [{"job": json.dumps(job)} for job in jobs]
    if not rows:
        return
    ray = require("ray")
    data = require("ray.data")
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        options: dict[str, Any] = {"num_cpus": max(workers, 2)} if address == "local" else {}
        if shlex.quote(sys.executable) != sys.executable:
            # Ray puts the interpreter into a shell command as it is, which breaks where its path has a space.
            options["runtime_env"] = {"py_executable": shlex.quote(sys.executable)}
        try:
            _knock(address)
            ray.init(address=address, log_to_driver=False, include_dashboard=False, **options)
        except (OSError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"cannot join the Ray cluster at {address!r} ({error}); start one with `ray start --head`, or use "
                "--workers N on this machine"
            ) from error
    data.DataContext.get_current().enable_progress_bars = False
    name = f"{function.__module__}:{function.__qualname__}"
    results = data.from_items(rows, override_num_blocks=len(rows)).map(
        _call, fn_kwargs={"function": name}, num_cpus=1
    )
    for row in results.iter_rows():
        yield json.loads(row["result"])


def _knock(address: str) -> None:
    """OSError when nobody listens at HOST:PORT; Ray itself would wait for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "://" not in address:
        socket.create_connection((host, int(port)), timeout=KNOCK_SECONDS).close()


def _call(row: dict[str, str], function: str) -> dict[str, str]:
    """One Ray row: the named function over the job."""
    module, _, name = function.partition(":")
    return {"result": json.dumps(getattr(importlib.import_module(module), name)(json.loads(row["job"])))}
