"""GPU hours of a step and of an epoch: rollouts, log-probabilities, update.

One step is `prompts` groups of `rollouts`, strictly on-policy. Rollouts: each prompt is read once by every server
that gets a part of its group (they spread evenly, so by min(rollouts, servers) of them), then all responses are
written at the mean context; a server runs as many at once as its pool holds, and the part of a group that it has
shares the prompt's cache.
Log-probabilities: one forward pass over prompt and response. Update: forward and backward, with recomputation. All
GPUs do each part in turn. Left out: weight transfer, rewards (they run during generation), checkpoints, waiting for
the longest response, groups that dynamic sampling replaces, start-up.
"""

from collections import Counter
from dataclasses import dataclass

from golongrl.core.errors import DataError, require
from golongrl.core.memory.host import MAX_SEQUENCES
from golongrl.core.memory.layout import Layout
from golongrl.core.memory.rollout import kv_pool, sequence_bytes
from golongrl.core.model_shape.shape import Shape
from golongrl.core.records import existing_file, read_record_rows
from golongrl.pipeline.planning.request import Request
from golongrl.pipeline.planning.servers import Way, read_prompt, write_seconds
from golongrl.pipeline.planning.work import Work, forward, update

STEP = 256
"""Prompt lengths are rounded up to this, so that files of many records are summed quickly."""


@dataclass(frozen=True)
class Prompts:
    """The prompts of an epoch."""

    lengths: Counter[int]
    """Tokens -> prompts."""
    too_long: int
    source: str

    @property
    def number(self) -> int:
        """Prompts that are trained on."""
        return self.lengths.total()

    @property
    def tokens(self) -> int:
        """Their tokens."""
        return sum(length * number for length, number in self.lengths.items())


@dataclass(frozen=True)
class Step:
    """Seconds that all GPUs take for one step, or for as many prompts as an epoch has."""

    prefill: float
    decode: float
    log_probs: float
    update: float
    update_attention: float
    """Those of `update` that attention takes."""
    concurrent: int
    """Rollouts at once on one server."""

    @property
    def total(self) -> float:
        """All parts, one after another."""
        return self.prefill + self.decode + self.log_probs + self.update

    def times(self, number: float) -> "Step":
        """So many of them."""
        parts = (self.prefill, self.decode, self.log_probs, self.update, self.update_attention)
        return Step(*(number * part for part in parts), self.concurrent)


def full_length(request: Request) -> Prompts:
    """The prompts of one step, all of full length."""
    return Prompts(Counter({request.prompt: request.prompts}), 0, "every prompt of full length")


def prompts_of_file(path: str, longest: int) -> Prompts:
    """The prompt lengths of a file of records; DataError naming a row that has none."""
    lengths: Counter[int] = Counter()
    too_long = 0
    for row, tokens in _token_counts(path):
        if not isinstance(tokens, int) or tokens < 1:
            raise DataError(
                f"{path} row {row} has no extra_info.n_tokens, which says how long its prompt is; build the data "
                "with golongrl build-dataset, or give --tokens-per-epoch"
            )
        if tokens > longest:
            too_long += 1
        else:
            lengths[-(-tokens // STEP) * STEP if tokens > STEP else tokens] += 1
    if not lengths:
        raise DataError(f"{path} has no prompt of at most {longest:,} tokens; raise --length or give other --data")
    return Prompts(lengths, too_long, path)


def _token_counts(path: str):
    file = existing_file(path, "data file")
    if file.suffix != ".parquet":
        for row, values in read_record_rows(file):
            yield row, (values.get("extra_info") or {}).get("n_tokens")
        return
    parquet = require("pyarrow.parquet").ParquetFile(file)
    row = 0
    for batch in parquet.iter_batches(columns=["extra_info.n_tokens"]):
        for value in batch.column(0).to_pylist():
            row += 1
            yield row, (value or {}).get("n_tokens")


def epoch(shape: Shape, request: Request, layout: Layout, prompts: Prompts) -> Step:
    """The time of rolling out and training on every prompt once."""
    scoring, learning = Work(0, 0, 0), Work(0, 0, 0)
    for length, number in prompts.lengths.items():
        whole, rollouts = length + request.response, number * request.rollouts
        scoring = scoring.plus(forward(shape, whole).times(rollouts))
        learning = learning.plus(update(shape, whole, recompute=layout.recompute).times(rollouts))
    rate = request.gpus.world * request.gpus.type.flops
    learning_rate = rate * request.efficiency.train
    reading, writing, at_once = rollout_seconds(shape, request, layout, prompts)
    return Step(
        prefill=reading,
        decode=writing,
        log_probs=scoring.total / (rate * request.efficiency.prefill),
        update=learning.total / learning_rate,
        update_attention=learning.attention / learning_rate,
        concurrent=at_once,
    )


def rollout_seconds(shape: Shape, request: Request, layout: Layout, prompts: Prompts) -> tuple[float, float, int]:
    """Seconds of reading all prompts and of writing all responses, and the rollouts at once on one server."""
    servers = max(1, request.gpus.world // layout.rollout_tensor)
    readers = min(request.rollouts, servers)
    reading = Work(0, 0, 0)
    for length, number in prompts.lengths.items():
        reading = reading.plus(read_prompt(shape, length).times(number * readers))
    mean = prompts.tokens // prompts.number
    at_once = concurrent(shape, request, layout, mean)
    token = write_seconds(shape, request, Way(layout.rollout_tensor), at_once, mean + request.response // 2)
    written = prompts.number * request.rollouts * request.response
    rate = request.gpus.world * request.gpus.type.flops * request.efficiency.prefill
    return reading.total / rate, written / (servers * at_once) * token, at_once


def concurrent(shape: Shape, request: Request, layout: Layout, prompt: int) -> int:
    """Rollouts of such a prompt that one server runs at once; a part of a group shares its prompt's cache."""
    servers = max(1, request.gpus.world // layout.rollout_tensor)
    share = max(1, request.rollouts // servers)
    asked = max(1, request.prompts * request.rollouts // servers)
    pool = kv_pool(shape, layout, request.gpus.type.memory).bytes
    whole = sequence_bytes(shape, prompt + request.response, layout.rollout_tensor)
    start = sequence_bytes(shape, prompt, layout.rollout_tensor)
    group = start + share * max(1, whole - start)
    room = pool // group * share if pool >= group else (pool - start) // max(1, whole - start)
    return max(1, min(room, asked, MAX_SEQUENCES))
