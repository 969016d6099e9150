"""What to ask: which window of which document, for which capabilities, of which type and from which part of it."""

import math
import random
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from golongrl.core import chat
from golongrl.core.documents import Span
from golongrl.core.errors import ConfigError
from golongrl.core.store import content_key
from golongrl.pipeline.dataset.assign import Assignment
from golongrl.pipeline.dataset.cells import Cell
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.pipeline.dataset.library import Library
from golongrl.pipeline.dataset.llm_settings import ModelConfig
from golongrl.pipeline.dataset.questions.items import stretch_of
from golongrl.pipeline.dataset.request import Bin, bins
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.dataset.synthesis.prompting import PROMPT_TOKENS
from golongrl.pipeline.dataset.synthesis.question_types import POSITIONS, QuestionType, fitting

WINDOW_SHARE = 0.75
"""Share of a bin's upper bound that a window may take: other documents must fit beside it, before and behind."""
MODEL_SHARE = 0.9
"""Share of a model's length that is used, since its tokens are counted with another tokenizer."""
SMALLEST_WINDOW = 64
"""Tokens below which there is nothing to ask about."""
DRAWS = 6
"""Stretches of a document that are looked at for one that shares nothing with those taken before."""
BARREN = 3
"""Turns in a row without a call after which a document is asked no more."""
REPEATS = 12
"""Turns per bin of a document of which nothing new is left: after so many it has nothing new to ask about either."""


@dataclass(frozen=True)
class Ask:
    """One call: `count` questions about a window of a document."""

    document: int
    window: Span
    cell: Cell
    language: str
    kind: QuestionType
    position: str
    model: str
    seed: int
    count: int

    @property
    def form(self) -> str:
        """Name of the task form, such as "llm:T3/members"."""
        return f"llm:{self.cell[1]}/{self.kind.name}"


@dataclass
class _Side:
    """The documents of one side of the validation split and what was taken of them, over all bins."""

    held_out: bool
    able: dict[int, frozenset[str]]
    turns: Counter[int] = field(default_factory=Counter)
    taken: dict[int, list[Span]] = field(default_factory=dict)
    styles: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """(capability, language, type, position) -> calls."""


def plan(library: Library, config: BuildConfig, assignment: Assignment, wanted: Mapping[Cell, int]) -> list[Ask]:
    """The calls for `wanted` records per cell, times `oversample`; those about one window follow each other.

    Documents take turns, the least used first; a window serves every capability that still wants a question and that
    its document can carry. Raises ConfigError when a model is too short to read anything.
    """
    asks: list[Ask] = []
    for held_out in (True, False):
        side = _Side(held_out, _able(library, assignment, held_out))
        for bin in bins(config.length_bins):
            calls = {
                capability: math.ceil(count * config.synthesis.oversample / config.synthesis.questions_per_call)
                for (held, capability, label), count in wanted.items()
                if held == held_out and label == bin.label and count > 0
            }
            if calls:
                asks += _plan_bin(library, config, side, bin, calls)
    return asks


def model_of(config: BuildConfig, label: str) -> str:
    """Name of the entry of `models` that asks in a bin."""
    return config.synthesis.per_bin.get(label, config.synthesis.model)


def window_budget(bin: Bin, template_tokens: int, name: str, model: ModelConfig) -> int:
    """Tokens that a window may have: what the bin takes beside other documents and what the model can read."""
    most = int(WINDOW_SHARE * (bin.upper - template_tokens))
    if model.max_model_len is None:
        return most
    readable = int(MODEL_SHARE * model.max_model_len) - model.max_tokens - PROMPT_TOKENS
    if readable < SMALLEST_WINDOW:
        raise ConfigError(
            f"models.{name}: of {model.max_model_len} tokens an answer may take {model.max_tokens} and the task "
            f"{PROMPT_TOKENS}, which leaves none for a document; raise max_model_len or lower max_tokens"
        )
    return min(most, readable)


def _able(library: Library, assignment: Assignment, held_out: bool) -> dict[int, frozenset[str]]:
    """Document -> capabilities it can carry, of one side."""
    found: dict[int, set[str]] = {}
    for capability, served in assignment.items():
        for number in served:
            if library.entries[number].held_out == held_out:
                found.setdefault(number, set()).add(capability)
    # Documents share few sets of capabilities, and the memory of these.
    known: dict[frozenset[str], frozenset[str]] = {}
    return {number: known.setdefault(frozenset(names), frozenset(names)) for number, names in found.items()}


def _plan_bin(
    library: Library, config: BuildConfig, side: _Side, bin: Bin, calls: Mapping[str, int]
) -> Iterator[Ask]:
    """The calls of one side and bin."""
    name = model_of(config, bin.label)
    budget = window_budget(bin, config.template_tokens, name, config.models[name])
    if budget < SMALLEST_WINDOW:
        return
    left = _by_language(library, side, calls)
    queues = _queues(library, config.seed, side, bin)
    crowded: deque[int] = deque()
    barren: Counter[int] = Counter()
    repeats: Counter[int] = Counter()
    while turn := _next_document(library, side, queues, crowded, left):
        document, fresh = turn
        rng = random.Random(
            content_key("window", config.seed, library.entries[document].sha256, side.turns[document])
        )
        side.turns[document] += 1
        drawn = _window(library, document, budget, side.taken.get(document, []), rng)
        if drawn is not None and drawn[1] and fresh:
            crowded.append(document)
            continue
        asks = [] if drawn is None else list(_about(config, side, bin, name, document, drawn[0], left))
        if asks:
            side.taken.setdefault(document, []).append(asks[0].window)
            barren[document] = 0
            yield from asks
        else:
            barren[document] += 1
        repeats[document] += not fresh
        if barren[document] < BARREN and repeats[document] < REPEATS:
            (queues[_group(library, side, document)] if fresh else crowded).append(document)


def _by_language(library: Library, side: _Side, calls: Mapping[str, int]) -> Counter[tuple[str, str]]:
    """(capability, language) -> calls, in proportion to the documents of each language that can carry it."""
    documents: Counter[tuple[str, str]] = Counter()
    for number, names in side.able.items():
        for capability in names:
            documents[capability, library.entries[number].language] += 1
    left: Counter[tuple[str, str]] = Counter()
    for capability, count in calls.items():
        lanes = sorted(lane for lane in documents if lane[0] == capability)
        total = sum(documents[lane] for lane in lanes)
        shares = {lane: count * documents[lane] / total for lane in lanes}
        for lane in lanes:
            left[lane] = math.floor(shares[lane])
        missing = count - sum(left[lane] for lane in lanes)
        for lane in sorted(lanes, key=lambda lane: (left[lane] - shares[lane], lane))[:missing]:
            left[lane] += 1
    return left


_Group = tuple[str, frozenset[str]]
"""Language and capabilities of documents that are alike to the plan."""


def _group(library: Library, side: _Side, number: int) -> _Group:
    return library.entries[number].language, side.able[number]


def _queues(library: Library, seed: int, side: _Side, bin: Bin) -> dict[_Group, deque[int]]:
    """Documents by group, the least used first, in an order that the seed and not the sources fix."""
    order = sorted(side.able, key=lambda number: library.entries[number].sha256)
    random.Random(content_key("documents", seed, side.held_out, bin.label)).shuffle(order)
    order.sort(key=lambda number: side.turns[number])
    queues: dict[_Group, deque[int]] = {}
    for number in order:
        queues.setdefault(_group(library, side, number), deque()).append(number)
    return queues


def _next_document(
    library: Library,
    side: _Side,
    queues: Mapping[_Group, deque[int]],
    crowded: deque[int],
    left: Mapping[tuple[str, str], int],
) -> tuple[int, bool] | None:
    """The next document, and whether only a window that shares nothing with earlier ones will do: the least used one
    that is of use, of equals that of most use. Documents without such a window come when no others are left."""

    def use(group: _Group) -> int:
        language, names = group
        return sum(left.get((name, language), 0) > 0 for name in names)

    useful = [group for group, waiting in queues.items() if waiting and use(group)]
    if useful:
        best = min(useful, key=lambda g: (side.turns[queues[g][0]], -use(g), g[0], sorted(g[1])))
        return queues[best].popleft(), True
    for _ in range(len(crowded)):
        number = crowded.popleft()
        if use(_group(library, side, number)):
            return number, False
    return None


def _window(
    library: Library, document: int, budget: int, taken: Sequence[Span], rng: random.Random
) -> tuple[Excerpt, int] | None:
    """A stretch of a document, and how many characters of it are in earlier ones: the least of some draws."""
    best: tuple[Excerpt, int] | None = None
    for _ in range(DRAWS):
        found = library.measured(document).window(budget, rng)
        if found is None:
            return best
        span = stretch_of(found[0]).span
        shared = sum(max(0, min(span.end, other.end) - max(span.start, other.start)) for other in taken)
        if best is None or shared < best[1]:
            best = found[0], shared
        if shared == 0:
            break
    return best


def _about(
    config: BuildConfig,
    side: _Side,
    bin: Bin,
    model: str,
    document: int,
    excerpt: Excerpt,
    left: Counter[tuple[str, str]],
) -> Iterator[Ask]:
    """One call about a window for every capability that wants one and finds a type for it."""
    language, window = excerpt.language, stretch_of(excerpt).span
    for capability in sorted(side.able[document]):
        kinds = fitting(capability, excerpt)
        if left[capability, language] <= 0 or not kinds:
            continue
        styles = [(kind, position) for kind in kinds for position in POSITIONS]
        # Types and positions in turn; which of equally rare ones comes first differs from call to call.
        random.Random(content_key(config.seed, capability, excerpt.document.sha256, window.start)).shuffle(styles)
        kind, position = min(styles, key=lambda s: side.styles[capability, language, s[0].name, s[1]])
        side.styles[capability, language, kind.name, position] += 1
        left[capability, language] -= 1
        place = content_key(excerpt.document.sha256, window.start, window.end, capability, kind.name, position)
        # The same place may be asked again when all others are used up; the number of the turn tells the calls apart.
        seed = chat.derive_seed(config.seed, f"synthesis {bin.label} {place}", side.turns[document])
        yield Ask(
            document=document,
            window=window,
            cell=(side.held_out, capability, bin.label),
            language=language,
            kind=kind,
            position=position,
            model=model,
            seed=seed,
            count=config.synthesis.questions_per_call,
        )
