"""What a record must pass: its gold scores 1.0, its evidence stands in the prompt word for word, its answer is found
again by brute force, and no fragment of it stands anywhere else."""

import base64
import json
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from golongrl.core.documents import Document, Span
from golongrl.core.records import Record
from golongrl.core.text import lines, normalise
from golongrl.pipeline.dataset import near_duplicates, view
from golongrl.pipeline.dataset.construct.form import Candidate, Place
from golongrl.pipeline.dataset.context import Prompt
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.pipeline.dataset.frequent_items import FrequentItems
from golongrl.pipeline.dataset.request import Made
from golongrl.rewards import gold_response, score_response
from golongrl.rewards.variants import VARIANTS, Variant

GOLD_SCORE = 1 - 1e-9
LEAK = {"en": 13, "zh": 20}
"""Length, in words or characters, of a fragment of a withheld text that must not stand in the context."""
WHOLE_ANSWER = {"en": 5, "zh": 12}
"""Shortest text, in words or characters, that may stand in the context only where the evidence is."""
CHANCE = 0.25
"""Share of the right options that guessing finds: questions have four."""
DOCUMENT_SHARE, FEWEST_PER_DOCUMENT = 0.08, 4
"""Largest share of a capability's records that are about one document, which is never fewer than so many."""
CROWDED = "its document already carries many records of the capability"
"""Why a record waits until it is known that other documents do not give enough."""
GUESSABLE_LISTS = ("f1", "subem", "ndcg")
"""Metrics of answers that are lists of items from the documents."""
UNORDERED = ("em", "choice", "f1", "subem", "iou")
"""Metrics for which the order of the answers that brute force finds means nothing."""


def in_prompt(evidence: Sequence[Place], scene: Sequence[Excerpt], prompt: Prompt) -> list[Span]:
    """Where each piece of evidence stands in the prompt; what was withheld from it is left out."""
    position = {id(excerpt): number for number, excerpt in enumerate(prompt.excerpts)}
    found = []
    for place in evidence:
        number = position.get(id(scene[place.excerpt]))
        span = None if number is None else prompt.excerpts[number].locate(place.span)
        if number is not None and span is not None:
            start = prompt.starts[number]
            found.append(Span(start + span.start, start + span.end))
    return found


def fault(
    record: Record, candidate: Candidate, scene: Sequence[Excerpt], prompt: Prompt, spans: Sequence[Span]
) -> str | None:
    """Why a record may not stay, or None."""
    if record.metric not in ("em", "choice", "math", "iou", "rouge_l"):
        gold = record.gold.doc_ids
        if len(lines("\n".join(gold))) != len(gold):
            return "gold items read the same once normalised"
    score = score_response(record, gold_response(record))
    if score.value is None or score.value < GOLD_SCORE:
        return f"its own gold answer scores {score.value} ({score.reason})"
    if any(loses_in_another_dress(record, variant) for variant in VARIANTS.values()):
        return "its right answer loses in another dress"
    if not any(place.excerpt == 0 for place in candidate.evidence):
        return "the question is not about the document it was asked of"
    documents = {excerpt.document.sha256: excerpt.document for excerpt in scene}
    if not evidence_holds(record.extra_info["evidence"], candidate.proof or candidate.gold, documents):
        return "the evidence does not hold the gold answer"
    if candidate.withheld is None:
        if len(spans) != len(candidate.evidence):
            return "the evidence is not shown"
        if not all(verbatim(p, scene, prompt, s) for p, s in zip(candidate.evidence, spans, strict=True)):
            return "the evidence does not stand in the prompt word for word"
    return _twice(candidate, prompt, spans, record.language) or _other_answer(candidate, prompt, record.metric)


def loses_in_another_dress(record: Record, variant: Variant) -> bool:
    """Whether the gold answer in another dress (quoted, numbered, full-width ...) earns less than it should."""
    if record.metric in ("math", "rouge_l"):
        return False
    response = variant.build(record)
    return response is not None and (score_response(record, response).value or 0.0) < GOLD_SCORE


def evidence_holds(evidence: list[dict[str, Any]], proof: tuple[str, ...], documents: Mapping[str, Document]) -> bool:
    """Whether every text of the proof stands inside one of the evidence spans."""
    spans = [normalise(documents[span["doc"]].text[span["start"] : span["end"]]) for span in evidence]
    return bool(spans) and all(any(normalise(text) in span for span in spans) for text in proof)


def verbatim(place: Place, scene: Sequence[Excerpt], prompt: Prompt, span: Span) -> bool:
    """Whether the prompt shows the evidence; of a stretch cut inside (table rows left out), its two ends."""
    wanted = scene[place.excerpt].document.slice(place.span)
    shown = prompt.text[span.start : span.end]
    if wanted == shown:
        return True
    end = min(len(wanted), len(shown), 40)
    return len(shown) < len(wanted) and shown[:end] == wanted[:end] and shown[-end:] == wanted[-end:]


def _twice(candidate: Candidate, prompt: Prompt, spans: Sequence[Span], language: str) -> str | None:
    """Whether what must stand once, or nowhere, stands elsewhere in the context."""
    shown = normalise(prompt.shown)
    if any(shown.count(normalise(text)) != 1 for text in candidate.once):
        return "what the question quotes stands in the context more than once"
    if any(normalise(text) in shown for text in candidate.absent):
        return "the withheld text stands in the context"
    if any(_fragments(text, language, shown) for text in candidate.absent):
        return "a fragment of the withheld text stands in the context"
    if candidate.withheld is not None:
        return None
    evidence = normalise("\n".join(prompt.text[span.start : span.end] for span in _merged(spans)))
    for text in candidate.proof or candidate.gold:
        text = normalise(text)
        size = len(text) if language == "zh" else len(text.split())
        if size >= WHOLE_ANSWER[language] and shown.count(text) > evidence.count(text):
            return "the answer stands outside the evidence too"
    return None


def _merged(spans: Sequence[Span]) -> list[Span]:
    """The spans without overlaps, so that no text is counted twice."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, s.end)):
        if merged and span.start < merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def _fragments(text: str, language: str, shown: str) -> bool:
    size = LEAK[language]
    text = normalise(text)
    if language == "zh":
        return any(text[i : i + size] in shown for i in range(0, len(text) - size + 1))
    words = text.split()
    return any(" ".join(words[i : i + size]) in shown for i in range(0, len(words) - size + 1))


def _other_answer(candidate: Candidate, prompt: Prompt, metric: str) -> str | None:
    """Whether brute force over the shown documents finds another answer than the gold."""
    try:
        found = tuple(candidate.solve(view.read(prompt.shown)))
    except LookupError as problem:
        return f"brute force does not resolve the question ({type(problem).__name__})"
    wanted = candidate.answer or candidate.gold
    if metric == "iou":
        same = sorted(map(_canonical, found)) == sorted(map(_canonical, wanted))
    elif metric in UNORDERED:
        same = sorted(map(normalise, found)) == sorted(map(normalise, wanted))
    else:
        same = list(map(normalise, found)) == list(map(normalise, wanted))
    return None if same else "brute force over the context finds another answer"


def _canonical(table: str) -> str:
    """A JSON table with its rows in one order, since rows are compared as a multiset."""
    value = json.loads(table)
    rows = value["data"] if isinstance(value, dict) else value
    return json.dumps(sorted(json.dumps(row, ensure_ascii=False) for row in rows), ensure_ascii=False)


class Kept:
    """Questions that were kept and how often each short answer or list of items was the right one, so that nothing is
    asked twice and no answer is worth guessing."""

    SHORT = 24
    """Characters up to which an answer is one that could be guessed."""

    COPY = 0.9
    """Estimated Jaccard similarity of word triples from which two questions about one document are the same."""

    SUMMARIES = 2
    """Records with the same reference summary."""

    def __init__(self, limits: Mapping[str, int], most: Mapping[str, int]):
        """`limits` and `most`: per capability, records with one short answer, and records about one document."""
        self._limits, self._most = limits, most
        # Answers may take a fiftieth of the records (`limits`), a way of guessing three hundredths above chance.
        self._gain_limits = {capability: max(2.0, 1.5 * limit) for capability, limit in limits.items()}
        self._questions: set[str] = set()
        self._signatures: defaultdict[Hashable, list[near_duplicates.Signatures]] = defaultdict(list)
        self._evidence: defaultdict[Hashable, set[str]] = defaultdict(set)
        self._answers: Counter[tuple[str, str]] = Counter()
        self._documents: Counter[tuple[str, int]] = Counter()
        self._gains: defaultdict[str, float] = defaultdict(float)
        self._items: defaultdict[str, dict[str, FrequentItems]] = defaultdict(lambda: defaultdict(FrequentItems))

    def refuse(self, capability: str, made: Made, *, capped: bool = True) -> str | None:
        """Why a record may not join those kept, or None and it counts as kept. `capped`: CROWDED is a reason."""
        request, answer = made.request, made.answer
        about = (request.form, request.document)
        if made.question in self._questions:
            return "asked before"
        signature = np.frombuffer(base64.b85decode(made.signature), dtype=np.uint32)
        alike = self._signatures[about]
        if any(near_duplicates.similarity(signature, other) >= self.COPY for other in alike):
            return "almost the same was asked before"
        if made.evidence in self._evidence[about]:
            return "the same evidence was asked for before"
        guessable = made.metric in GUESSABLE_LISTS or (made.metric in ("em", "math") and len(answer) <= self.SHORT)
        often = self.SUMMARIES if made.metric == "rouge_l" else self._limits[capability]
        if (guessable or made.metric == "rouge_l") and self._answers[capability, answer] >= often:
            return "its answer is already that of many records"
        paying = [name for name, right in made.guesses.items() if right]
        if any(self._gains[name] + 1 - CHANCE > self._gain_limits[capability] for name in paying):
            return "one way of guessing would find too many right options"
        if self._items_pay(capability, made):
            return "the most frequent items would answer too many questions"
        if capped and self._documents[capability, request.document] >= self._most[capability]:
            return CROWDED
        self._questions.add(made.question)
        alike.append(signature)
        self._evidence[about].add(made.evidence)
        for name, right in made.guesses.items():
            self._gains[name] += right - CHANCE
        self._answers[capability, answer] += 1
        self._documents[capability, request.document] += 1
        if made.items:
            self._items[capability][made.language].add(made.items)
        return None

    def _items_pay(self, capability: str, made: Made) -> bool:
        """Whether, with this record, a guess at the items of every list would find more than it may."""
        if not made.items:
            return False
        languages = self._items[capability]
        now, then = languages[made.language].gain(), languages[made.language].gain_with(made.items)
        others = sum(found.gain() for name, found in languages.items() if name != made.language)
        return now < then and others + then > self._gain_limits[capability]


def nothing_kept(wanted: Mapping[str, int], documents: Mapping[str, int], max_answer_share: float) -> Kept:
    """A `Kept` with the limits of so many wanted records per capability, about so many documents."""
    answers = {c: max(2, round(max_answer_share * n)) for c, n in wanted.items()}
    # Few documents must carry more each.
    most = {
        c: max(FEWEST_PER_DOCUMENT, math.ceil(n * max(DOCUMENT_SHARE, 2 / max(1, documents[c]))))
        for c, n in wanted.items()
    }
    return Kept(answers, most)


def question_key(capability: str, question: str, options: bool) -> str:
    """What makes two questions the same: which options stand below one, and in which order, does not."""
    asked = question.split("\nA. ")[0] if options else question
    return f"{capability} {normalise(asked)}"


def depth(spans: Sequence[Span], prompt: Prompt) -> float:
    """Mean position of the evidence in the context, 0 (start) to 1 (end)."""
    size = max(1, prompt.context.end - prompt.context.start)
    middles = [(span.start + span.end) / 2 - prompt.context.start for span in spans]
    return min(1.0, max(0.0, sum(middles) / len(middles) / size))
