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
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from golongrl.core.errors import UsageError, WorkerError, require

Job = dict[str, Any]
"""A job and its result are plain JSON types, so that they travel to any process."""
RunAll = Callable[[Callable[[Job], Job], Iterable[Job]], Iterator[Job]]
"""Results of a function, importable by name, over the jobs, in the order in which they are finished."""
KNOCK_SECONDS = 3.0
COLLECTIONS = (20_000, 20, 20)
"""Thresholds of Python's garbage collector."""
AHEAD = 3
"""Jobs handed out per process, beyond which the driver waits for results."""


@contextlib.contextmanager
def open_workers(
    workers: int, ray_address: str | None = None, prepare: Callable[[], None] | None = None
) -> Iterator[RunAll]:
    """What runs jobs, for as long as the context lasts; processes start with the first jobs and stay.

    With `prepare` processes of this machine start at once and call it before their first job.
    Running raises WorkerError when a process dies, UsageError when Ray cannot be reached.
    """
    if ray_address is not None:
        yield functools.partial(_on_ray, ray_address, workers)
    elif workers == 1:
        yield map
    else:
        # A forked process would share locks and random state with this one.
        context = multiprocessing.get_context("spawn")
        pool = concurrent.futures.ProcessPoolExecutor(
            workers, mp_context=context, initializer=_begin, initargs=(prepare,)
        )
        try:
            if prepare is not None:
                for _ in range(workers):
                    pool.submit(_nothing)
            yield functools.partial(_in_processes, pool, workers)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin(prepare: Callable[[], None] | None) -> None:
    # The token counter of a worker process must not take the other processes' cores.
    os.environ.setdefault("FASTOKENS_BPE_THREADS", "1")
    if prepare is not None:
        prepare()
    _collect_rarely()


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
    pending = {pool.submit(function, job) for job in itertools.islice(waiting, workers * AHEAD)}
    try:
        while pending:
            done, pending = concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED)
            pending |= {pool.submit(function, job) for job in itertools.islice(waiting, len(done))}
            for future in done:
                yield future.result()
    except concurrent.futures.process.BrokenProcessPool as error:
        raise WorkerError(
            "a worker process died, most likely for lack of memory; run the same command again with fewer --workers, "
            "finished work is kept"
        ) from error


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
