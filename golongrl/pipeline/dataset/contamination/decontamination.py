"""Overlap with evaluation benchmarks: questions that a benchmark asks too, documents that it shows too, and questions
that repeat each other.

A record is a hit when its question and answer share an n-gram with the questions and answers of a benchmark (13 words
in the recipe, arXiv 2605.19577; Brown et al. 2020, appendix C, use 8 to 13). Questions shorter than that are a hit
where one stands whole within the other, from `SHORTEST` words on. N-grams of at least `STOP_ROWS` different questions
of a benchmark are its wording, not its content, and do not count. A source document is judged apart, by the share of
its n-grams that stand in the contexts of benchmarks.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from golongrl.core import words
from golongrl.core.ngrams import NGrams
from golongrl.core.words import Words
from golongrl.pipeline.dataset import near_duplicates
from golongrl.pipeline.dataset.contamination.benchmark_index import SHORTEST, Benchmark, LoadBenchmark, open_benchmark

Rule = Literal["n-gram", "question within a benchmark question", "benchmark question within the question"]

STOP_ROWS = 5
"""Different questions of one benchmark that an n-gram must stand in to count as its template."""
BATCH = 1 << 16
"""Characters of questions and answers that are compared at once."""
MOST_SHOWN = 10
"""Template n-grams that the facts quote."""


@dataclass(frozen=True)
class Hit:
    """What a text shares with a benchmark: `text`, at characters `start` to `end` of the text that was asked about
    (question and answer on two lines, or the document), which stands in row `row` of the benchmark. `ngrams` counts
    the n-grams shared with this benchmark; 0 for short questions."""

    benchmark: str
    row: str
    rule: Rule
    text: str
    start: int
    end: int
    ngrams: int

    def as_row(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Verdict:
    """How much of a document stands in contexts of benchmarks: `found` of its `ngrams` n-grams. `example` is the
    first one that the benchmark with the most of them shares, in the row that holds most. A document of fewer than n
    words has no n-grams and nothing to compare."""

    ngrams: int
    found: int
    example: Hit | None

    @property
    def share(self) -> float:
        """Share of the n-grams found, 0 to 1."""
        return self.found / self.ngrams if self.ngrams else 0.0

    def as_row(self) -> dict[str, Any]:
        """JSON types."""
        return {**asdict(self), "share": self.share}


@dataclass(frozen=True)
class Index:
    """The benchmarks to compare with."""

    n: int
    benchmarks: tuple[Benchmark, ...]

    def question_hits(self, asked: Iterable[tuple[str, str]]) -> Iterator[Hit | None]:
        """For each (question, answer) in order the first benchmark that shares an n-gram of both together, or one of
        whose short questions is the same; None where no benchmark does."""
        for batch in _batches(asked, self.n):
            hits: list[Hit | None] = [None] * len(batch.texts)
            for benchmark in self.benchmarks:
                for number, hit in chain(_shared(benchmark, batch), _short(benchmark, batch)):
                    hits[number] = hits[number] or hit
            yield from hits

    def document_verdict(self, text: str) -> Verdict:
        """The share of a document's n-grams that stand in the contexts of any benchmark."""
        split = words.split(text)
        total = max(0, len(split) - self.n + 1)
        found = np.zeros(total, bool)
        example: Hit | None = None
        for benchmark in self.benchmarks:
            at, gram = benchmark.contexts.find(split)
            found[at] = True
            if len(at) > (example.ngrams if example else 0):
                index = benchmark.contexts
                rows = index.text_rows[index.text_of(index.first[gram])]
                row = int(np.bincount(rows).argmax())
                start, end = split.span(int(at[int(np.argmax(rows == row))]), self.n)
                label = benchmark.labels["contexts"][row]
                example = Hit(benchmark.name, label, "n-gram", text[start:end], start, end, len(at))
        return Verdict(total, int(found.sum()), example)

    def facts(self) -> list[dict[str, Any]]:
        """For each benchmark what was read, and the n-grams that count as its template."""
        return [{"benchmark": one.name, **one.facts, **_templates(one.questions)} for one in self.benchmarks]


def open_index(against: Sequence[str], n: int, cache: Path, load_benchmark: LoadBenchmark | None = None) -> Index:
    """The index of benchmarks, each a file or folder of rows or a name that `load_benchmark` knows.

    What is not in the cache folder yet is built; its key is the content of the rows, n and the version of the rules.
    DataError where a benchmark holds no row with a known field, UsageError where a name is unknown.
    """
    found = {entry: open_benchmark(entry, n, cache, load_benchmark) for entry in dict.fromkeys(against)}
    same = Counter(one.name for one in found.values())
    # Files of one name in different folders are told apart by the folder's name.
    named = {entry: "/".join(Path(entry).parts[-2:]) for entry in found}
    return Index(n, tuple(replace(one, name=named[e]) if same[one.name] > 1 else one for e, one in found.items()))


def near_duplicate_questions(
    questions: Iterable[tuple[str, str, str]], threshold: float = near_duplicates.THRESHOLD
) -> dict[str, tuple[str, float]]:
    """Of (key, question, language) in order: key -> (key of the earlier question it repeats, similarity).

    Similarity is the estimated Jaccard similarity of word shingles; the first of several copies is kept. A question
    of which no word is left repeats nothing.
    """
    keys: list[str] = []
    found: list[near_duplicates.Signatures] = []
    for key, question, language in questions:
        keys.append(key)
        found.append(near_duplicates.question_signature(question, language))
    if not keys:
        return {}
    table = np.stack(found)
    repeats = near_duplicates.groups(table, threshold)
    return {
        keys[number]: (keys[earlier], near_duplicates.similarity(table[number], table[earlier]))
        for number, earlier in enumerate(repeats.tolist())
        if earlier >= 0
    }


@dataclass(frozen=True)
class _Batch:
    """Texts of question and answer, their words one after the other, and the questions of fewer than n words that are
    long enough to be looked for whole, by the number of their text."""

    texts: list[str]
    words: Words
    bounds: NDArray[np.int64]
    starts: NDArray[np.int64]
    short: dict[int, Words]

    def hit(self, benchmark: Benchmark, row: int, rule: Rule, at: int, size: int, ngrams: int) -> tuple[int, Hit]:
        """(number of the text, the hit of `size` words from word `at` of the batch on)."""
        number = int(np.searchsorted(self.bounds, at, "right")) - 1
        start, end = (place - int(self.starts[number]) for place in self.words.span(at, size))
        label = benchmark.labels["questions"][row]
        return number, Hit(benchmark.name, label, rule, self.texts[number][start:end], start, end, ngrams)


def _batches(asked: Iterable[tuple[str, str]], n: int) -> Iterator[_Batch]:
    held: list[tuple[str, str]] = []
    size = 0
    for pair in asked:
        held.append(pair)
        size += len(pair[0]) + len(pair[1])
        if size >= BATCH:
            yield _batch(held, n)
            held, size = [], 0
    if held:
        yield _batch(held, n)


def _batch(asked: Sequence[tuple[str, str]], n: int) -> _Batch:
    texts = [f"{question}\n{answer}" if answer else question for question, answer in asked]
    together, bounds = words.split_all(texts)
    _, alone = words.split_all([question for question, _ in asked])
    short = {}
    for number in np.flatnonzero(np.diff(alone) < n).tolist():
        question = words.split(asked[number][0])
        if _long_enough(question, 0, len(question)):
            short[number] = question
    return _Batch(texts, together, bounds, np.cumsum([0, *(len(text) + 1 for text in texts)]), short)


def _shared(benchmark: Benchmark, batch: _Batch) -> Iterator[tuple[int, Hit]]:
    """The first n-gram that each text shares with a benchmark and that is not its template."""
    index = benchmark.questions
    at, gram = index.find(batch.words, batch.bounds)
    counts = index.rows[gram] < STOP_ROWS
    at, gram = at[counts], gram[counts]
    texts = np.searchsorted(batch.bounds, at, "right")
    _, first, found = np.unique(texts, return_index=True, return_counts=True)
    for number, shared in zip(first.tolist(), found.tolist(), strict=True):
        row = int(index.text_rows[index.text_of(index.first[gram[number]])])
        yield batch.hit(benchmark, row, "n-gram", int(at[number]), index.n, shared)


def _short(benchmark: Benchmark, batch: _Batch) -> Iterator[tuple[int, Hit]]:
    """Questions of fewer than n words that stand whole in a text of the benchmark, or the other way round."""
    index = benchmark.questions
    if not index.anchor:
        return
    for number, question in batch.short.items():
        rows = _rows_with(index, question)
        if 0 < len(rows) < STOP_ROWS:
            at = int(batch.bounds[number])
            yield batch.hit(benchmark, rows[0], "question within a benchmark question", at, len(question), 0)
    for at, text in zip(*(found.tolist() for found in index.whole(batch.words, batch.bounds)), strict=True):
        size = int(index.text_starts[text + 1] - index.text_starts[text])
        number, hit = batch.hit(
            benchmark, int(index.text_rows[text]), "benchmark question within the question", at, size, 0
        )
        if _long_enough(batch.words, at, size) and len(_rows_with(index, words.split(hit.text))) < STOP_ROWS:
            yield number, hit


def _rows_with(index: NGrams, split: Words) -> list[int]:
    """The rows of a benchmark in which a short text stands whole."""
    return np.unique(index.text_rows[index.text_of(index.inside(split))]).tolist()


def _long_enough(split: Words, start: int, count: int) -> bool:
    return count >= SHORTEST and count - split.cjk(start, count) * 3 / 8 >= SHORTEST


def _templates(index: NGrams) -> dict[str, Any]:
    """How many n-grams stand in too many questions to count, and those that stand in the most."""
    stop = np.flatnonzero(index.rows >= STOP_ROWS)
    most = stop[np.lexsort((index.first[stop], -index.rows[stop]))][:MOST_SHOWN]
    shown = [{"text": index.gram(int(index.first[gram])), "questions": int(index.rows[gram])} for gram in most]
    return {"template_ngrams": len(stop), "templates": shown}
