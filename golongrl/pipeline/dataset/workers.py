"""Running one function over many jobs: here, in processes, or on a Ray cluster; results do not depend on which."""

import concurrent.futures
import itertools
import json
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from golongrl.core.errors import UsageError, WorkerError, require

Job = dict[str, Any]
"""A job and its result are plain JSON types, so that they travel to any process."""
AHEAD = 3
"""Jobs handed out per process, beyond which the driver waits for results."""


def run_all(
    function: Callable[[Job], Job], jobs: Iterable[Job], *, workers: int, ray_address: str | None
) -> Iterator[Job]:
    """The results of `function` over the jobs, in the order in which they are finished.

    `function` must be importable by name. WorkerError when a process dies, UsageError when Ray cannot be reached.
    """
    if ray_address is not None:
        yield from _on_ray(function, jobs, ray_address, workers)
    elif workers == 1:
        yield from map(function, jobs)
    else:
        yield from _in_processes(function, jobs, workers)


def _in_processes(function: Callable[[Job], Job], jobs: Iterable[Job], workers: int) -> Iterator[Job]:
    waiting = iter(jobs)
    first = list(itertools.islice(waiting, 1))
    if not first:
        return
    # A forked process would share locks and random state with this one.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        pending = {pool.submit(function, job) for job in (*first, *itertools.islice(waiting, workers * AHEAD - 1))}
        try:
            while pending:
                done, pending = concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED)
                pending |= {pool.submit(function, job) for job in itertools.islice(waiting, len(done))}
                for future in done:
                    yield future.result()
        except concurrent.futures.process.BrokenProcessPool as error:
            raise WorkerError(
                "a worker process died, most likely for lack of memory; run the same command again with fewer "
                "--workers, finished work is kept"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _on_ray(function: Callable[[Job], Job], jobs: Iterable[Job], address: str, workers: int) -> Iterator[Job]:
    """Through Ray Data, one task per job; `address` "local" starts a cluster of `workers` processes here."""
    ray = require("ray")
    data = require("ray.data")
    if not ray.is_initialized():
        options = {"num_cpus": max(workers, 2)} if address == "local" else {}
        try:
            ray.init(address=address, log_to_driver=False, include_dashboard=False, **options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"cannot join the Ray cluster at {address!r} ({error}); start one with `ray start --head`, or use "
                "--workers N on this machine"
            ) from error
    data.DataContext.get_current().enable_progress_bars = False
    rows = [{"job": json.dumps(job)} for job in jobs]
    if not rows:
        return
    name = f"{function.__module__}:{function.__qualname__}"
    results = data.from_items(rows, override_num_blocks=len(rows)).map(
        _call, fn_kwargs={"function": name}, num_cpus=1, max_retries=2
    )
    for row in results.iter_rows():
        yield json.loads(row["result"])


def _call(row: dict[str, str], function: str) -> dict[str, str]:
    """One Ray row: the named function over the job."""
    import importlib

    module, _, name = function.partition(":")
    return {"result": json.dumps(getattr(importlib.import_module(module), name)(json.loads(row["job"])))}
