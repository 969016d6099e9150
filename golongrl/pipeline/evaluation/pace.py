"""What people see while answers come: how many are done, tokens per second, and how long the rest will take."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from golongrl.core import chat


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
    counter: Counter, total: int, clock: Callable[[], float] = time.monotonic
) -> Callable[[chat.Generation], None]:
    """Called with each answer: counts it, and notes tokens per second, errors, and the time left at this rate."""
    started, done, tokens, errors = clock(), 0, 0, 0

    def show(generation: chat.Generation) -> None:
        nonlocal done, tokens, errors
        done += 1
        tokens += generation.usage.completion_tokens or 0
        errors += generation.error is not None
        seconds = max(clock() - started, 1e-9)
        left = seconds / done * (total - done)
        parts = [f"{tokens / seconds:.0f} tokens/s", f"{_duration(left)} left"]
        counter.note(", ".join([*parts, f"{errors} errors"] if errors else parts))
        counter.advance()

    return show


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
