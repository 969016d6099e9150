"""Sends calls to several endpoints at once: a lane per model with a gate for tokens, and one limit for the cost."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from golongrl.core import chat

LOOKAHEAD = 16
"""Calls prepared per model beyond those in flight; what bounds the memory of prompts."""
BATCH = LOOKAHEAD // 2
BATCH_SECONDS = 0.02
"""Calls are prepared by the batch, handed on after this time at the latest: a change of threads costs as much as a
short call."""


@dataclass(frozen=True)
class Job:
    """A call ready to be sent. `model` names its lane; `worst` is the most that it can cost."""

    model: str
    request: chat.Request
    key: str
    worst: float = 0.0

    @property
    def tokens(self) -> int:
        """Prompt and largest answer, in tokens."""
        return self.request.n_tokens + self.request.sampling.max_tokens


class CostLimit:
    """Admits calls while what is spent and the most that those in flight can cost stay below a limit.

    `reached` is final: a call that did not fit with none in flight, and every later one with a price, is not made.
    """

    def __init__(self, limit: float | None, spent: Callable[[], float]):
        self.reached = False
        self.not_made = 0
        self._limit = None if limit is None else limit * (1 + 1e-9)
        self._spent = spent
        self._reserved = 0.0
        self._in_flight = 0
        self._changed = asyncio.Condition()

    def _fits(self, worst: float) -> bool:
        return self._limit is None or self._spent() + self._reserved + worst <= self._limit

    async def reserve(self, worst: float) -> bool:
        """Wait until a call may cost `worst`; False when it never may."""
        if self._limit is None or worst == 0:
            return True
        async with self._changed:
            await self._changed.wait_for(lambda: self.reached or self._in_flight == 0 or self._fits(worst))
            self.reached = self.reached or not self._fits(worst)
            if self.reached:
                self.not_made += 1
            else:
                self._reserved += worst
                self._in_flight += 1
            self._changed.notify_all()
            return not self.reached

    async def release(self, worst: float) -> None:
        """End a reservation, once what the call did cost is part of what is spent."""
        if self._limit is None or worst == 0:
            return
        async with self._changed:
            self._in_flight -= 1
            self._reserved = self._reserved - worst if self._in_flight else 0.0
            self._changed.notify_all()


@dataclass
class _Lane:
    """One model's endpoint while calls run."""

    endpoint: chat.Endpoint
    gate: chat.TokenGate
    health: chat.Health
    client: Any
    queue: asyncio.Queue[Job | None] = field(default_factory=lambda: asyncio.Queue(LOOKAHEAD - BATCH))
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Sender:
    """Sends jobs in their order, lane by lane, and hands every answer to `keep`.

    When an endpoint is gone, its own calls end at once and no other is started; those in flight elsewhere are still
    waited for, since they may be paid for.
    """

    def __init__(
        self,
        endpoint_of: Callable[[str], chat.Endpoint],
        keep: Callable[[Job, chat.Generation], None],
        limit: CostLimit,
    ):
        self._endpoint_of = endpoint_of
        self._keep = keep
        self._limit = limit
        self._lanes: dict[str, _Lane] = {}
        self._workers: list[asyncio.Task[None]] = []
        self._watches: list[asyncio.Task[None]] = []
        self._gone: BaseException | None = None
        self._stopped = False

    async def send(self, jobs: Iterator[Job | None]) -> None:
        """Send every job (None: nothing to send at this place); raises what the first failing lane raised."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                # Prompts are built and counted in a thread, so that answers are read meanwhile.
                while batch := await asyncio.to_thread(self._next, jobs):
                    for job in batch:
                        if job.model not in self._lanes:
                            await self._open(job.model, stack)
                        await self._lanes[job.model].queue.put(job)
                for lane in self._lanes.values():
                    await lane.queue.put(None)
                await asyncio.gather(*self._workers)
            finally:
                self._stopped = True
                lanes = self._lanes.values()
                running = [*self._workers, *self._watches, *(task for lane in lanes for task in lane.tasks)]
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)
        if self._gone is not None:
            raise self._gone

    def _next(self, jobs: Iterator[Job | None]) -> list[Job]:
        batch: list[Job] = []
        started = time.monotonic()
        for job in jobs:
            if self._stopped:
                return []
            if job is not None:
                batch.append(job)
            if batch and (len(batch) == BATCH or time.monotonic() - started > BATCH_SECONDS):
                break
        return batch

    async def _open(self, model: str, stack: contextlib.AsyncExitStack) -> None:
        endpoint = self._endpoint_of(model)
        client = await stack.enter_async_context(chat.open_client(endpoint))
        gate = chat.TokenGate(endpoint.max_requests, endpoint.token_budget)
        lane = self._lanes[model] = _Lane(endpoint, gate, chat.Health(endpoint), client)
        self._workers.append(asyncio.create_task(self._work(lane)))
        if endpoint.alive is not None:
            watch = asyncio.create_task(chat.watch(endpoint.alive))
            watch.add_done_callback(lambda task: self._ended(lane, task))
            self._watches.append(watch)

    async def _work(self, lane: _Lane) -> None:
        """Start a lane's calls as its gate and the cost limit admit them; then wait for all."""
        while (job := await lane.queue.get()) is not None:
            await lane.gate.enter(job.tokens)
            if self._stopped or not await self._limit.reserve(job.worst):
                await lane.gate.leave(job.tokens)
                continue
            task = asyncio.create_task(self._ask(lane, job))
            lane.tasks.add(task)
            task.add_done_callback(lambda task: self._ended(lane, task))
        while lane.tasks:
            await asyncio.gather(*lane.tasks, return_exceptions=True)

    async def _ask(self, lane: _Lane, job: Job) -> None:
        try:
            if not self._stopped:
                self._keep(job, await chat.ask(lane.client, lane.endpoint, job.request, job.key, lane.health))
        finally:
            await lane.gate.leave(job.tokens)
            await self._limit.release(job.worst)

    def _ended(self, lane: _Lane, task: asyncio.Task[None]) -> None:
        """Note a task that ended; one that raised speaks for the whole endpoint."""
        lane.tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._gone = self._gone or error
        self._stopped = True
        for other in lane.tasks:
            other.cancel()
