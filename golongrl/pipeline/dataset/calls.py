"""How every phase asks models: lazily, several endpoints at once, each call paid once, within a cost limit.

Answers are journalled under content keys; prompts are not. A call that failed after its retries is owed again.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from golongrl.core import chat, servers
from golongrl.core.errors import CheckFailedError, UsageError
from golongrl.core.store import Journal
from golongrl.core.tokens import Tokenizer
from golongrl.pipeline.dataset.call_lanes import CostLimit, Job, Sender
from golongrl.pipeline.dataset.collect import Progress, silent
from golongrl.pipeline.dataset.llm_settings import ModelConfig

BUDGET_IN_LENGTHS = 8
TEMPLATE_TOKENS = 8
"""Tokens that a chat template adds to a message, about."""
FINAL = ("overlong", "refused")


@dataclass(frozen=True)
class Call:
    """One question to one model. Calls are sent in their order: whoever makes several about one context gives them
    one after the other, so that a server's prefix cache serves them."""

    model: str
    messages: tuple[Mapping[str, str], ...]
    seed: int
    repeat: int = 0
    max_tokens: int | None = None
    temperature: float | None = None
    schema: Mapping[str, Any] | None = None


@dataclass
class Spent:
    """What the calls of one model came to: answers, tokens, and cost in the currency of the prices."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0


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
        # In memory only: it costs nothing to find out again, and another server may take more.
        self._overlong: dict[str, chat.Generation] = {}
        self._lengths: dict[str, int | None] = {}
        # Calls about one context share their longest message.
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
        key = self._key(call)
        found = self._overlong.get(key) or chat.stored(self._journal, key)
        if found is None:
            raise KeyError(f"a call to {call.model} was not run")
        return found

    def run(self, calls: Iterable[Call], progress: Progress = silent, label: str = "calls") -> None:
        """Ask for every call that the journal lacks; returns when all are answered.

        Raises CheckFailedError when calls failed after their retries or the cost limit was reached, ServerError when
        an endpoint is gone; what was answered before is kept.
        """
        limit = CostLimit(self.max_cost, lambda: self.spent)
        failed: list[str] = []
        with progress(label, None) as bar:

            def keep(job: Job, answer: chat.Generation) -> None:
                if answer.error is not None and answer.error.kind not in FINAL:
                    failed.append(f"{job.model}: {answer.error.message}")
                    return
                self._keep(job, answer)
                bar.advance(1)
                if self.spent and hasattr(bar, "note"):
                    bar.note(f"cost {self.spent:.4f}" + ("" if self.max_cost is None else f" of {self.max_cost}"))

            asyncio.run(Sender(self._endpoint, keep, limit).send(self._jobs(calls, limit, bar)))
        if failed:
            raise CheckFailedError(
                f"{label}: {len(failed)} calls failed after their retries (the last: {failed[-1]}); finished work is "
                "kept, run the same command again"
            )
        if limit.not_made:
            raise CheckFailedError(
                f"{label}: cost limit reached: spent {self.spent:.4f} of {self.max_cost}, {limit.not_made} calls "
                "not made; raise --max-cost and run the same command again"
            )

    def _jobs(self, calls: Iterable[Call], limit: CostLimit, bar: Any) -> Iterator[Job | None]:
        """The calls that have no answer yet; None in the place of every other."""
        seen: set[str] = set()
        for call in calls:
            key = self._key(call)
            if key in seen or key in self._journal or key in self._overlong:
                bar.advance(1)
                yield None
                continue
            seen.add(key)
            if limit.reached and self._cost(call.model, 1, 1):
                # Its tokens need not be counted any more.
                limit.not_made += 1
                yield None
                continue
            request = self._request(call)
            n_tokens = sum(self._count(message["content"]) + TEMPLATE_TOKENS for message in call.messages)
            answer = request.sampling.max_tokens
            length = self._length(call.model)
            if length is not None and n_tokens + answer > length:
                message = f"{n_tokens} prompt + {answer} answer tokens; the model takes {length}"
                self._overlong[key] = chat.Generation(key=key, error=chat.ChatError(kind="overlong", message=message))
                bar.advance(1)
                yield None
                continue
            yield Job(call.model, replace(request, n_tokens=n_tokens), key, self._cost(call.model, n_tokens, answer))

    def _keep(self, job: Job, got: chat.Generation) -> None:
        """Journal an answer with its usage and cost; where the server did not count, the tokenizer does."""
        if got.error is not None and got.error.kind == "overlong":
            self._overlong[job.key] = got
            return
        usage = got.usage
        if got.error is None:
            prompt, answer = usage.prompt_tokens, usage.completion_tokens
            usage = chat.Usage(
                prompt_tokens=job.request.n_tokens if prompt is None else prompt,
                completion_tokens=self._count(got.text) if answer is None else answer,
            )
        cost = self._cost(job.model, usage.prompt_tokens or 0, usage.completion_tokens or 0)
        row = got.model_copy(update={"usage": usage}).model_dump(exclude={"key"})
        self._journal.append(job.key, **row, model=job.model, cost=cost)
        self._add(job.model, usage, cost)

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

    def _key(self, call: Call) -> str:
        return self._request(call).key(self._config(call.model).model)

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
            address_option=f"models.{name}.base_url",
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
