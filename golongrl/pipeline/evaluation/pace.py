"""What people see while answers come: how many are done, tokens per second, the score so far, and the time left."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from golongrl.core import chat

ANSWER_WEIGHT = 30
"""Tokens of a prompt that a server reads in about the time in which it writes one of an answer; for the time left."""


class Counter(Protocol):
    """Something that shows finished work; `note` is what stands behind the count from then on."""

    def advance(self, count: int = 1) -> None: ...

    def note(self, text: str) -> None: ...


class _Silent:
    def advance(self, count: int = 1) -> None:
        pass

    def note(self, text: str) -> None:
        pass


@contextlib.contextmanager
def silent(label: str, total: int | None = None) -> Iterator[Counter]:
    """Progress that shows nothing."""
    yield _Silent()


Progress = Callable[[str, int | None], contextlib.AbstractContextManager[Counter]]


def pace(
    counter: Counter,
    sizes: Mapping[str, int],
    score: Callable[[], str] = lambda: "",
    clock: Callable[[], float] = time.monotonic,
) -> Callable[[chat.Generation], None]:
    """Called with each answer: counts it, and notes tokens per second, the score, errors, and the time left.

    `sizes` are the tokens of each prompt by the key of its answer. Long prompts come first, so the time left goes by
    tokens: those of the prompts, and answers as long as those so far.
    """
    started, left = clock(), sum(sizes.values())
    done, read, tokens, errors = 0, 0, 0, 0

    def show(generation: chat.Generation) -> None:
        nonlocal left, done, read, tokens, errors
        size = sizes.get(generation.key, 0)
        done, left, read = done + 1, left - size, read + size
        tokens += generation.usage.completion_tokens or 0
        errors += generation.error is not None
        seconds = max(clock() - started, 1e-9)
        work = read + ANSWER_WEIGHT * tokens + done
        todo = left + (ANSWER_WEIGHT * tokens / done + 1) * (len(sizes) - done)
        parts = [f"{tokens / seconds:.0f} tokens/s", score(), f"{errors} errors" if errors else ""]
        counter.note(", ".join(filter(None, [*parts, f"{_duration(seconds * todo / work)} left"])))
        counter.advance()

    return show


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
