"""Which prompts make a batch: a share for every task, so that rare tasks are in each batch.

Drawn at random, a task of 0.5 % of the data is absent from half of the batches of 128 and alone in most others, where
batch statistics of a task scale are those of a single prompt. Here every batch holds at least one prompt of every
task (given as many places as tasks), and the other places go to the tasks in proportion to n_t^(1 / temperature),
n_t the task's records; without a temperature in equal parts. A task's own prompts come in shuffled order, all of them
before any comes again.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from golongrl.core.errors import ConfigError


def task_weights(counts: Sequence[int], temperature: float | None) -> np.ndarray:
    """Shares of shape [T] that sum to 1; temperature 1 is the data's own, None (infinite) equal."""
    raised = np.asarray(counts, dtype=np.float64) ** (0.0 if temperature is None else 1.0 / temperature)
    return raised / raised.sum()


def balanced(
    task_of: Sequence[str], prompts_per_batch: int, temperature: float | None = None, seed: int = 0
) -> Iterator[int]:
    """Endless indices into `task_of`, batch after batch; the same arguments give the same stream."""
    tasks = sorted(set(task_of))
    if prompts_per_batch < len(tasks):
        raise ConfigError(
            f"a batch of {prompts_per_batch} prompts cannot hold all {len(tasks)} tasks ({', '.join(tasks)}); raise "
            "prompts_per_batch or set sampling = 'shuffle'"
        )
    members = [np.flatnonzero([task == name for task in task_of]) for name in tasks]
    shares = task_weights([len(rows) for rows in members], temperature) * (prompts_per_batch - len(tasks))
    rng = np.random.default_rng(seed)
    streams = [_endless(rows, np.random.default_rng((seed, index))) for index, rows in enumerate(members)]
    owed = np.zeros(len(tasks))
    while True:
        owed += shares
        places = np.ones(len(tasks), dtype=int)
        for _ in range(prompts_per_batch - len(tasks)):
            # To whom most is owed; what a batch cannot pay stays owed, so that shares hold over batches.
            first = int(owed.argmax())
            places[first] += 1
            owed[first] -= 1
        batch = [next(stream) for stream, count in zip(streams, places, strict=True) for _ in range(count)]
        yield from (batch[place] for place in rng.permutation(len(batch)))


def _endless(rows: np.ndarray, rng: np.random.Generator) -> Iterator[int]:
    while True:
        yield from rng.permutation(rows).tolist()


class TaskSampler:
    """A sampler for verl's StatefulDataLoader that goes on where it was: one pass yields whole batches only."""

    def __init__(self, task_of: Sequence[str], prompts_per_batch: int, temperature: float | None, seed: int):
        self._arguments = (list(task_of), prompts_per_batch, temperature, seed)
        self._length = len(task_of) // prompts_per_batch * prompts_per_batch
        self._stream = balanced(*self._arguments)
        self._drawn = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[int]:
        for _ in range(self._length - self._drawn % self._length):
            self._drawn += 1
            yield next(self._stream)

    def state_dict(self) -> dict[str, int]:
        """How many indices were drawn since the start of the run."""
        return {"drawn": self._drawn}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go to that place in the stream."""
        self._stream = balanced(*self._arguments)
        self._drawn = state["drawn"]
        for _ in range(self._drawn):
            next(self._stream)
