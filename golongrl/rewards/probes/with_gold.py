"""Attacks that use the gold answer where it must not count, or only a part of it, or too much around it."""

import json
import random
from collections import Counter
from dataclasses import replace

from golongrl.core.records import Record
from golongrl.core.text import answer_area, normalise
from golongrl.rewards.gold import gold_response
from golongrl.rewards.items import gold_aliases
from golongrl.rewards.math import gold_expression
from golongrl.rewards.probes.parts import (
    LIST_METRICS,
    as_list,
    as_summary,
    as_table,
    by_letter,
    decoys,
    graded,
    items_of,
    rows_of,
    shortest_reference,
    verbatim,
    wrong_answer,
    wrong_number,
)
from golongrl.rewards.retrieval_math import names_documents

_LOOK_ALIKES = str.maketrans("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ")


def _thinkable(record: Record) -> str | None:
    """The gold answer, unless it has thinking tags of its own."""
    gold = gold_response(record)
    return None if "</think>" in gold else gold


def in_thinking(record: Record) -> str | None:
    """The right answer, only inside the thinking block."""
    return f"<think>\n{gold}\n</think>\n" if (gold := _thinkable(record)) else None


def in_thinking_then_refusal(record: Record) -> str | None:
    """The right answer inside the thinking block, a refusal behind it."""
    return f"<think>\n{gold}\n</think>\nI do not know." if (gold := _thinkable(record)) else None


def in_unclosed_thinking(record: Record) -> str | None:
    """The right answer inside a thinking block that stays open."""
    return f"<think>\n{gold}\n" if (gold := _thinkable(record)) else None


def in_reopened_thinking(record: Record) -> str | None:
    """The right answer inside a second thinking block, which stays open."""
    return f"<think>\n</think>\n<think>\n{gold}\n" if (gold := _thinkable(record)) else None


def then_wrong(record: Record) -> str | None:
    """The right answer first, a wrong one as the last word."""
    wrong = wrong_answer(record)
    if wrong is None or verbatim(record) or names_documents(record):
        return None
    return f"{gold_response(record)}\n\nOn reflection, that is wrong. My final answer:\n\n{wrong}"


def before_marker(record: Record) -> str | None:
    """The right answer before the marker, nothing of worth behind it."""
    if record.form == "iou" or verbatim(record) or names_documents(record):
        return None
    gold = gold_response(record).replace("[Answer]\n", "")
    return None if answer_area(gold)[1] else f"{gold}\n[Answer]\nsee above"


def denied(record: Record) -> str | None:
    """The right answer under a denial."""
    golds = gold_aliases(record)
    if not golds or verbatim(record):
        return None
    if record.form == "choice" and by_letter(record):
        return f"The correct answer is not {gold_response(record).removeprefix('The correct answer is ')}"
    return f"The answer is not {golds[0]}."


def hedged_with_wrong(record: Record) -> str | None:
    """The right answer and a wrong one side by side."""
    if record.form in LIST_METRICS:
        lines = [f"{gold} or {decoys(index, 1)[0]}" for index, gold in enumerate(items_of(record))]
        return as_list(lines)
    if record.form == "math":
        return f"The answer is {gold_aliases(record)[0]} or {wrong_number(record)}"
    if record.form == "em" and not verbatim(record):
        return as_list([f"{gold_aliases(record)[0]} or {decoys(0, 1)[0]}"])
    return None


def in_a_sentence(record: Record) -> str | None:
    """Every gold item, wrapped into a sentence of its own."""
    if record.form not in LIST_METRICS:
        return None
    return as_list([f"One candidate would be {gold}, among many others" for gold in items_of(record)])


def look_alikes(record: Record) -> str | None:
    """The right answer in letters of another alphabet that look the same."""
    if record.form in ("iou", "rouge_l", "math") or verbatim(record):
        return None
    golds = items_of(record) if record.form in LIST_METRICS else gold_aliases(record)[:1]
    if record.form == "choice" and by_letter(record):
        return None
    disguised = [gold.translate(_LOOK_ALIKES) for gold in golds]
    if any(normalise(new) == normalise(old) for new, old in zip(disguised, golds, strict=True)):
        return None
    return as_list(disguised)


def of_another(record: Record, other: Record | None) -> str | None:
    """The gold answer of another record."""
    if other is None or verbatim(record) or verbatim(other):
        return None
    return gold_response(other)


def among_decoys(record: Record) -> str | None:
    """Nine decoys before every gold item."""
    if record.form == "iou":
        rows = rows_of(record)
        return as_table([row for index, gold in enumerate(rows) for row in [*decoys(index), gold]]) if rows else None
    golds = gold_aliases(record) if record.form == "em" else items_of(record)
    return as_list([line for index, gold in enumerate(golds) for line in [*decoys(index), gold]])


def among_500(record: Record) -> str | None:
    """At most 25 gold items, spread evenly over 500 lines."""
    golds = rows_of(record) if record.form == "iou" else items_of(record)
    if not 0 < len(golds) <= 25:
        return None
    lines = [f"candidate {number}" for number in range(500)]
    for index, gold in enumerate(golds):
        lines[(index + 1) * 500 // (len(golds) + 1)] = gold
    return as_table(lines) if record.form == "iou" else as_list(lines)


def with_as_many_decoys(record: Record) -> str | None:
    """Every gold item or row, and as many wrong ones behind."""
    if record.form == "iou":
        rows = rows_of(record)
        return as_table(rows + [[f"surplus {number}"] for number in range(len(rows))]) if rows else None
    if record.form == "ndcg":
        return None
    items = items_of(record)
    return as_list(items + decoys(0, len(items)))


def half(record: Record) -> str | None:
    """The first half of what is wanted, rounded down."""
    if record.form == "iou":
        rows = rows_of(record)
        return as_table(rows[: len(rows) // 2]) if len(rows) > 1 else None
    if record.form == "rouge_l":
        reference = shortest_reference(record)
        words = list(reference.words[: len(reference.words) // 2])
        return as_summary(words, reference.chinese) if words else None
    if record.form == "em":
        start = gold_aliases(record)[0][: len(gold_aliases(record)[0]) // 2]
        taken = not normalise(start) or normalise(start) in map(normalise, gold_aliases(record))
        return None if taken or verbatim(record) else start
    items = items_of(record)
    return as_list(items[: len(items) // 2]) if len(items) > 1 and not graded(record) else None


def first_only(record: Record) -> str | None:
    """One item of at least three."""
    if record.form == "iou":
        rows = rows_of(record)
        return as_table(rows[:1]) if len({json.dumps(row, default=str) for row in rows}) > 2 else None
    items = items_of(record)
    return as_list(items[:1]) if len(items) > 2 and not graded(record) else None


def repeated(record: Record) -> str | None:
    """One item over and over; for summaries the whole reference eight times."""
    if record.form == "rouge_l":
        return "[Answer]\n" + "\n".join([shortest_reference(record).text] * 8)
    if record.form == "iou":
        rows = rows_of(record)
        distinct = len({json.dumps(row, default=str) for row in rows})
        return as_table(rows[:1] * 2 * len(rows)) if distinct > 1 else None
    items = items_of(record)
    return as_list(items[:1] * 2 * len(items)) if len(items) > 1 and not graded(record) else None


def backwards(record: Record) -> str | None:
    """Everything in reverse order: items, words, or the cells of each row."""
    if record.form == "rouge_l":
        reference = shortest_reference(record)
        return as_summary(list(reference.words[::-1]), reference.chinese) if len(reference.words) > 20 else None
    if record.form == "iou":
        rows = [row for row in rows_of(record) if isinstance(row, list)]
        unlike = all(list(map(str, row)) != list(map(str, row[::-1])) for row in rows)
        return as_table([row[::-1] for row in rows]) if rows and unlike else None
    items = items_of(record)
    return as_list(items[::-1]) if len(items) > 1 and not graded(record) else None


def shuffled(record: Record) -> str | None:
    """Everything in a random order."""
    rng = random.Random(str(record.extra_info.get("index")))
    if record.form == "rouge_l":
        reference = shortest_reference(record)
        words = rng.sample(list(reference.words), len(reference.words))
        return as_summary(words, reference.chinese) if len(words) > 20 else None
    items = items_of(record)
    return as_list(rng.sample(items, len(items))) if len(items) > 3 and not graded(record) else None


def sorted_words(record: Record) -> str | None:
    """The words of the reference in alphabetical order."""
    reference = shortest_reference(record)
    return as_summary(sorted(reference.words), reference.chinese) if len(reference.words) > 20 else None


def first_sentence_repeated(record: Record) -> str | None:
    """The first eighth of the reference, eight times."""
    reference = shortest_reference(record)
    part = list(reference.words[: len(reference.words) // 8])
    return as_summary(part * 8, reference.chinese) if len(part) > 3 else None


def frequent_of_gold(record: Record) -> str | None:
    """The most frequent words of the reference, over and over."""
    reference = shortest_reference(record)
    common = [word for word, _ in Counter(reference.words).most_common(5)]
    if len(reference.words) < 40 or len(common) < 5:
        return None
    return as_summary((common * len(reference.words))[: len(reference.words)], reference.chinese)


def as_text(record: Record) -> str:
    """The rows of a table as plain lines, without JSON."""
    return "\n".join(" | ".join(map(str, row)) if isinstance(row, list) else str(row) for row in rows_of(record))


def cells_as_rows(record: Record) -> str | None:
    """Every cell of a table as a row of its own."""
    rows = [row for row in rows_of(record) if isinstance(row, list)]
    if not rows or any(len(row) < 2 for row in rows):
        return None
    return as_table([[cell] for row in rows for cell in row])


def near(change: str, record: Record) -> str | None:
    """A number next to the right one: one more, ten times, or the other sign."""
    quantity = gold_expression(gold_aliases(record)[0]).quantity
    if quantity is None or len(gold_aliases(record)) > 1 or record.extra_info.get("tolerance") or not quantity.value:
        return None
    value = {"one more": quantity.value + 1, "ten times": quantity.value * 10, "other sign": -quantity.value}[change]
    return f"\\boxed{{{replace(quantity, value=value).expression}}}"


def other_unit(record: Record) -> str | None:
    """The gold number with another unit."""
    quantity = gold_expression(gold_aliases(record)[0]).quantity
    if quantity is None or len(gold_aliases(record)) > 1 or not quantity.unit or "\\" in quantity.expression:
        return None
    return f"The answer is {quantity.expression} {'kg' if quantity.unit != 'kg' else 'km'}."


def prefix_only(record: Record) -> str | None:
    """The prefix of a verbatim answer, and nothing behind it."""
    return str(record.extra_info["strict_prefix"]) if verbatim(record) else None


def without_prefix(record: Record) -> str | None:
    """A verbatim answer without its prefix."""
    return gold_response(record).strip().removeprefix(prefix_only(record) or "") if verbatim(record) else None
