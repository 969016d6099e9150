"""How every phase asks models: lazily, several endpoints at once, each call paid once, within a cost limit.

Answers are journalled under content keys; prompts are not. A call that failed after its retries is owed again.
"""

import asyncio
import contextlib
import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from golongrl.core import chat, servers
from golongrl.core.errors import CheckFailedError, UsageError
from golongrl.core.store import Journal
from golongrl.core.tokens import Tokenizer
from golongrl.pipeline.dataset.collect import Progress, silent
from golongrl.pipeline.dataset.llm_settings import ModelConfig

BUDGET_IN_LENGTHS = 8
LOOKAHEAD = 16
"""Calls prepared per model beyond those in flight; what bounds the memory of prompts."""
TEMPLATE_TOKENS = 8
"""Tokens that a chat template adds to a message, about."""
FINAL = ("overlong", "refused")


@dataclass(frozen=True)
class Call:
    """One question to one model. Calls with the same `prefix` share a context and are given one after the other."""

    model: str
    messages: tuple[Mapping[str, str], ...]
    seed: int
    repeat: int = 0
    max_tokens: int | None = None
    temperature: float | None = None
    schema: Mapping[str, Any] | None = None
    prefix: str = ""


@dataclass
class Spent:
    """What the calls of one model came to: answers, tokens, and cost in the currency of the prices."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


def grouped(calls: Iterable[Call]) -> list[Call]:
    """Calls with those of one prefix together, at the place of the first; the order is kept otherwise."""
    groups: dict[tuple[str, str], list[Call]] = {}
    for number, call in enumerate(calls):
        groups.setdefault((call.prefix, "" if call.prefix else str(number)), []).append(call)
    return [call for group in groups.values() for call in group]


@dataclass
class _Lane:
    """One model's endpoint while calls run."""

    endpoint: chat.Endpoint
    gate: chat.TokenGate
    health: chat.Health
    client: Any
    queue: asyncio.Queue[tuple[Call, chat.Request, str] | None]
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    gone: BaseException | None = None

    def ended(self, task: asyncio.Task[None]) -> None:
        """Note a call that ended; one that raised speaks for the whole endpoint."""
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None and self.gone is None:
            self.gone = task.exception()
            for other in self.tasks:
                other.cancel()


@dataclass
class _Round:
    """What one `run` has to tell at its end."""

    reserved: float = 0.0
    priced: int = 0
    """Calls in flight that `reserved` stands for."""
    stopped: bool = False
    not_made: int = 0
    failed: int = 0
    last: str = ""
    seen: set[str] = field(default_factory=set)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)


class Calls:
    """Asks models and keeps their answers; made by `open_calls`."""

    def __init__(
        self,
        journal: Journal,
        models: Mapping[str, ModelConfig],
        max_cost: float | None,
        tokenizer: Tokenizer,
        alive: Mapping[str, Callable[[], None]],
    ):
        self.models = models
        self.max_cost = max_cost
        self.usage: dict[str, Spent] = {}
        self._journal = journal
        self._alive = alive
        self._overlong: dict[str, chat.Generation] = {}
        self._lengths: dict[str, int | None] = {}
        # Calls of one prefix share their longest message.
        self._count = functools.lru_cache(maxsize=16)(tokenizer.count)
        for row in journal.rows.values():
            self._add(row["model"], chat.Usage.model_validate(row["usage"]), row["cost"])

    @property
    def spent(self) -> float:
        """Cost so far, earlier runs in the same folder included."""
        return sum(entry.cost for entry in self.usage.values())

    def think(self, name: str) -> Literal["optional", "required"]:
        """Whether answers of this model need a closed thinking block."""
        return self._config(name).think

    def result(self, call: Call) -> chat.Generation:
        """The answer of a call that was run, or its final error (overlong, refused)."""
        key = self._request(call).key(self._identity(call.model))
        found = self._overlong.get(key) or chat.stored(self._journal, key)
        if found is None:
            raise KeyError(f"a call to {call.model} was not run")
        return found

    def run(self, calls: Iterable[Call], progress: Progress = silent, label: str = "calls") -> None:
        """Ask for every call that the journal lacks; returns when all are answered.

        Raises CheckFailedError when calls failed after their retries or the cost limit was reached, ServerError when
        an endpoint is gone; what was answered before is kept.
        """
        with progress(label, None) as bar:
            now = asyncio.run(self._run(calls, bar))
        if now.failed:
            raise CheckFailedError(
                f"{label}: {now.failed} calls failed after their retries (the last: {now.last}); finished work is "
                "kept, run the same command again"
            )
        if now.not_made:
            raise CheckFailedError(
                f"{label}: cost limit reached: spent {self.spent:.4f} of {self.max_cost}, {now.not_made} calls "
                "not made; raise --max-cost and run the same command again"
            )

    async def _run(self, calls: Iterable[Call], bar: Any) -> _Round:
        now = _Round()
        lanes: dict[str, _Lane] = {}
        workers: list[asyncio.Task[None]] = []
        async with contextlib.AsyncExitStack() as stack:
            source = iter(calls)
            try:
                # Prompts are built and counted in a thread, so that answers are read meanwhile.
                while (ready := await asyncio.to_thread(self._next, source, now, bar)) is not None:
                    call = ready[0]
                    if call.model not in lanes:
                        endpoint = self._endpoint(call.model)
                        client = await stack.enter_async_context(chat.open_client(endpoint))
                        gate = chat.TokenGate(endpoint.max_requests, endpoint.token_budget)
                        lanes[call.model] = _Lane(
                            endpoint, gate, chat.Health(endpoint), client, asyncio.Queue(LOOKAHEAD)
                        )
                        workers.append(asyncio.create_task(self._work(lanes[call.model], now, bar)))
                    await lanes[call.model].queue.put(ready)
                    if any(lane.gone for lane in lanes.values()):
                        break
                for lane in lanes.values():
                    await lane.queue.put(None)
                await asyncio.gather(*workers)
            finally:
                running = [*workers, *(task for lane in lanes.values() for task in lane.tasks)]
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)
        for lane in lanes.values():
            if lane.gone is not None:
                raise lane.gone
        return now

    def _next(self, source: Iterator[Call], now: _Round, bar: Any) -> tuple[Call, chat.Request, str] | None:
        """The next call that has no answer yet."""
        for call in source:
            request = self._request(call)
            key = request.key(self._identity(call.model))
            if key in now.seen:
                bar.advance(1)
                continue
            now.seen.add(key)
            if key in self._journal or key in self._overlong:
                bar.advance(1)
                continue
            n_tokens = sum(self._count(message["content"]) + TEMPLATE_TOKENS for message in call.messages)
            length = self._length(call.model)
            needed = n_tokens + request.sampling.max_tokens
            if length is not None and needed > length:
                message = f"{n_tokens} prompt + {request.sampling.max_tokens} answer tokens; the model takes {length}"
                # Kept in memory only: it costs nothing to find out again, and another server may take more.
                self._overlong[key] = chat.Generation(key=key, error=chat.ChatError(kind="overlong", message=message))
                bar.advance(1)
                continue
            return call, chat.Request(request.messages, request.sampling, call.seed, call.repeat, n_tokens), key
        return None

    async def _work(self, lane: _Lane, now: _Round, bar: Any) -> None:
        """Start a lane's calls in their order, as its gate and the cost limit admit them; then wait for all."""
        while (ready := await lane.queue.get()) is not None:
            call, request, _ = ready
            if lane.gone is not None:
                continue
            worst = self._cost(call.model, request.n_tokens, request.sampling.max_tokens)
            tokens = request.n_tokens + request.sampling.max_tokens
            await lane.gate.enter(tokens)
            if not await self._afford(worst, now):
                await lane.gate.leave(tokens)
                now.not_made += 1
                continue
            task = asyncio.create_task(self._finish(lane, ready, worst, now, bar))
            lane.tasks.add(task)
            task.add_done_callback(lane.ended)
        while lane.tasks:
            await asyncio.gather(*lane.tasks, return_exceptions=True)

    async def _afford(self, worst: float, now: _Round) -> bool:
        """Reserve the most that a call can cost, once it fits the limit; False when it never will."""
        if self.max_cost is None or worst == 0:
            return True
        limit = self.max_cost * (1 + 1e-9)
        async with now.changed:
            await now.changed.wait_for(
                lambda: now.stopped or now.priced == 0 or self.spent + now.reserved + worst <= limit
            )
            now.stopped = now.stopped or self.spent + now.reserved + worst > limit
            if not now.stopped:
                now.reserved += worst
                now.priced += 1
            now.changed.notify_all()
            return not now.stopped

    async def _finish(
        self, lane: _Lane, ready: tuple[Call, chat.Request, str], worst: float, now: _Round, bar: Any
    ) -> None:
        call, request, key = ready
        try:
            if lane.gone is None:
                answer = await chat.ask(lane.client, lane.endpoint, request, key, lane.health)
                self._keep(call, request, key, answer, now, bar)
        finally:
            await lane.gate.leave(request.n_tokens + request.sampling.max_tokens)
            if self.max_cost is not None and worst:
                async with now.changed:
                    now.priced -= 1
                    now.reserved = now.reserved - worst if now.priced else 0.0
                    now.changed.notify_all()

    def _keep(self, call: Call, request: chat.Request, key: str, got: chat.Generation, now: _Round, bar: Any) -> None:
        if got.error is not None and got.error.kind not in FINAL:
            now.failed += 1
            now.last = f"{call.model}: {got.error.message}"
            return
        usage = got.usage
        if got.error is None:
            prompt, answer = usage.prompt_tokens, usage.completion_tokens
            usage = chat.Usage(
                prompt_tokens=request.n_tokens if prompt is None else prompt,
                completion_tokens=self._count(got.text) if answer is None else answer,
            )
        cost = self._cost(call.model, usage.prompt_tokens or 0, usage.completion_tokens or 0)
        row = got.model_copy(update={"usage": usage}).model_dump(exclude={"key"})
        self._journal.append(key, **row, model=call.model, cost=cost)
        self._add(call.model, usage, cost)
        bar.advance(1)
        note = getattr(bar, "note", None)
        if note is not None and self.spent:
            note(f"cost {self.spent:.4f}" + (f" of {self.max_cost}" if self.max_cost is not None else ""))

    def _add(self, model: str, usage: chat.Usage, cost: float) -> None:
        entry = self.usage.setdefault(model, Spent())
        entry.calls += 1
        entry.prompt_tokens += usage.prompt_tokens or 0
        entry.completion_tokens += usage.completion_tokens or 0
        entry.cost += cost

    def _cost(self, model: str, prompt_tokens: int, completion_tokens: int) -> float:
        config = self.models[model]
        return (prompt_tokens * config.input_price + completion_tokens * config.output_price) / 1e6

    def _config(self, name: str) -> ModelConfig:
        if name not in self.models:
            raise UsageError(f"no entry {name!r} in models (there are: {', '.join(self.models) or 'none'}); add it")
        return self.models[name]

    def _identity(self, name: str) -> str:
        return json.dumps(self._config(name).identity(), sort_keys=True)

    def _request(self, call: Call) -> chat.Request:
        config = self._config(call.model)
        extra: dict[str, Any] = {}
        if call.schema is not None:
            form = {"name": "answer", "schema": dict(call.schema), "strict": True}
            extra["response_format"] = {"type": "json_schema", "json_schema": form}
        sampling = chat.Sampling(
            temperature=config.temperature if call.temperature is None else call.temperature,
            top_p=config.top_p,
            max_tokens=config.max_tokens if call.max_tokens is None else call.max_tokens,
            extra=extra,
        )
        return chat.Request(call.messages, sampling, call.seed, call.repeat)

    def _length(self, name: str) -> int | None:
        """Prompt and answer together; what the endpoint says where the entry is silent, asked once."""
        if name not in self._lengths:
            config = self._config(name)
            self._lengths[name] = config.max_model_len or chat.served_length(self._address(name))
        return self._lengths[name]

    def _address(self, name: str) -> chat.Endpoint:
        config = self._config(name)
        if not config.base_url:
            raise UsageError(f"the entry {name!r} of models has no base_url; set it, or name an engine")
        return chat.Endpoint(
            base_url=config.base_url,
            model=config.model,
            max_requests=config.concurrency,
            token_budget=config.token_budget,
            timeout=config.timeout,
            retries=config.retries,
            alive=self._alive.get(name),
            api_key_env=config.api_key_env,
        )

    def _endpoint(self, name: str) -> chat.Endpoint:
        address, length = self._address(name), self._length(name)
        if address.token_budget is None and length is not None:
            return replace(address, token_budget=BUDGET_IN_LENGTHS * length)
        return address


@contextlib.contextmanager
def open_calls(
    folder: Path,
    models: Mapping[str, ModelConfig],
    *,
    max_cost: float | None,
    tokenizer: Tokenizer,
    alive: Mapping[str, Callable[[], None]] | None = None,
) -> Iterator[Calls]:
    """Calls whose answers are kept in `folder`/calls.jsonl. `alive`: see chat.Endpoint, by name of the model."""
    with Journal(folder / "calls.jsonl") as journal:
        yield Calls(journal, models, max_cost, tokenizer, alive or {})


@contextlib.contextmanager
def serve_model(
    engine: str, config: ModelConfig, *, log: Path, python: str | None = None, extra_args: tuple[str, ...] = ()
) -> Iterator[tuple[ModelConfig, Callable[[], None]]]:
    """Serve `config.model` with an engine of core.servers: its entry with the address, and `alive` for open_calls."""
    with servers.serve(
        engine, config.model, python=python, log=log, extra_args=extra_args, max_model_len=config.max_model_len
    ) as server:
        # transformers serve neither batches nor keeps the random state of requests apart: one at a time.
        streams = 1 if engine == "transformers" else config.concurrency
        found = {"base_url": server.base_url, "model": server.model, "concurrency": streams}
        yield config.model_copy(update=found), server.check
