"""What a record made from an item must pass, and what other documents may not say beside it."""

import re
from collections.abc import Sequence

from golongrl.core import tasks
from golongrl.core.records import Record
from golongrl.core.text import lines, normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct.form import Place, distinct
from golongrl.pipeline.dataset.context import Prompt
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.pipeline.dataset.questions.items import LISTS, Item
from golongrl.pipeline.dataset.refine import GOLD_SCORE, WHOLE_ANSWER, in_prompt, loses_in_another_dress, verbatim
from golongrl.rewards import gold_response, score_response
from golongrl.rewards.variants import VARIANTS

PLAIN = frozenset(("yes", "no", "true", "false", "both", "neither", "none", "是", "否", "不是", "没有", "有", "无"))
"""Answers that stand everywhere and give nothing away."""
_CHOICE = re.compile(r"\bor\b|\bbetween\b|还是|或|哪", re.IGNORECASE)
"""Questions that name what to choose from, and so their answer."""


def item_fault(record: Record, item: Item, prompt: Prompt, excerpts: Sequence[Excerpt]) -> str | None:
    """Why a record may not stay, or None. `excerpts` are those of the item, among the prompt's."""
    if record.metric in LISTS and len(lines("\n".join(item.gold))) != len(item.gold):
        return "gold items read the same once normalised"
    score = score_response(record, gold_response(record))
    if score.value is None or score.value < GOLD_SCORE:
        return f"its own gold answer scores {score.value} ({score.reason})"
    if any(loses_in_another_dress(record, variant) for variant in VARIANTS.values()):
        return "its right answer loses in another dress"
    if item.options and not (distinct(item.options) and len(set(map(_bare, item.options))) == len(item.options)):
        return "two options read the same"
    if _gives_away(item, record.metric):
        return "the question holds its own answer"
    places = places_of(item, prompt)
    spans = in_prompt(places, prompt.excerpts, prompt)
    if len(spans) != len(item.evidence):
        return "the evidence is not shown"
    if not all(verbatim(p, prompt.excerpts, prompt, s) for p, s in zip(places, spans, strict=True)):
        return "the evidence does not stand in the prompt word for word"
    if not _held(item, record.metric, [prompt.text[span.start : span.end] for span in spans], excerpts):
        return "the evidence does not hold the gold answer"
    own = {id(excerpt) for excerpt in excerpts}
    if any(id(other) not in own and leaks(item, other) for other in prompt.excerpts):
        return "another document holds the answer"
    return None


def places_of(item: Item, prompt: Prompt) -> list[Place]:
    """Where the prompt's excerpts show the evidence; what no excerpt shows is left out."""
    found = []
    for one in item.evidence:
        for number, excerpt in enumerate(prompt.excerpts):
            if excerpt.document.sha256 == one.doc and excerpt.locate(one.span) is not None:
                found.append(Place(number, one.span))
                break
    return found


def leaks(item: Item, other: Excerpt) -> bool:
    """Whether another document may hold the answer, so that a different one should stand in its place.

    A long answer may stand nowhere else. A short one of `em` may not stand in a block that shares a content word with
    the question. Letters, numbers, tables and plain words such as "yes" give nothing away.
    """
    metric = tasks.CAPABILITIES[item.capability].metric
    if metric in ("choice", "math", "iou"):
        return False
    golds = [gold for gold in map(normalise, item.gold) if gold and gold not in PLAIN]
    long = [gold for gold in golds if _length(gold, item.language) >= WHOLE_ANSWER[item.language]]
    if any(gold in other.flat for gold in long):
        return True
    if metric != "em":
        return False
    asked = set(prose.content_words(item.question, item.language))
    for block in other.blocks:
        text = normalise(other.document.slice(block.span))
        standing = [gold for gold in golds if stands(gold, text)]
        words = prose.content_words(text, other.language) if standing else ()
        if any(word in words for word in asked if not any(word in gold for gold in standing)):
            return True
    return False


def stands(text: str, where: str) -> bool:
    """Whether a normalised text stands in another, not as a part of a longer word or number. Han characters beside a
    number or a Latin word do not make it longer."""
    before = r"(?<![^\W\u3400-\u9fff])(?<!\d[.,])" if text[:1].isascii() and text[:1].isalnum() else ""
    after = r"(?![^\W\u3400-\u9fff])(?![.,]\d)" if text[-1:].isascii() and text[-1:].isalnum() else ""
    return text in where and re.search(before + re.escape(text) + after, where) is not None


def _length(text: str, language: str) -> int:
    return len(text) if language == "zh" else len(text.split())


def _bare(option: str) -> str:
    """An option without punctuation, but for what makes another number of it."""
    return re.sub(r"[^\w+\-.%<>=*/^]", "", normalise(option)).strip(".")


def _gives_away(item: Item, metric: str) -> bool:
    """Whether the question says the answer: the text of `em`, or a number of `math` with three digits or more."""
    asked = normalise(item.question)
    golds = [gold for gold in map(normalise, item.gold) if gold and gold not in PLAIN]
    if metric == "em":
        return not _CHOICE.search(asked) and any(stands(gold, asked) for gold in golds if len(gold) > 1)
    if metric == "math":
        return any(stands(gold, asked) for gold in golds if sum(map(str.isdigit, gold)) >= 3)
    return False


def _held(item: Item, metric: str, evidence: Sequence[str], excerpts: Sequence[Excerpt]) -> bool:
    """Whether answers that are taken from the documents stand in the evidence. One that stands nowhere in them is
    worked out, and rests on evidence that need not hold it."""
    if not evidence or metric not in ("em", "f1", "subem"):
        return True
    proof = [normalise(text) for text in evidence]
    golds = [gold for gold in map(normalise, item.gold) if gold not in PLAIN]
    right = [any(stands(gold, text) for text in proof) for gold in golds]
    if metric == "em" and any(right):
        return True
    return all(ok or not any(stands(gold, e.flat) for e in excerpts) for gold, ok in zip(golds, right, strict=True))
