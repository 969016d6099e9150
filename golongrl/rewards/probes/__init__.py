"""The attack catalogue: responses that try to earn reward without answering, and what each may earn at most.

Every attack is built from a record (and, for one of them, from another record's gold). A row bound holds for every
single row: it is what the metric's formula pays for the honest part of such an answer. A mean bound is a rate that
the mean over rows may not exceed by more than chance; `CHANCE` stands for guessing among the record's options.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from golongrl.core import tasks
from golongrl.core.records import Record
from golongrl.rewards.probes import with_gold as gold
from golongrl.rewards.probes import without_gold as blind
from golongrl.rewards.probes.parts import LIST_METRICS, guess_rate

__all__ = ["CHANCE", "PROBES", "Probe", "guess_rate"]

CHANCE = -1.0
"""Stands for the rate of guessing among a record's options."""

_METRICS = tuple(capability.metric for capability in tasks.CAPABILITIES.values())
_NOTHING = dict.fromkeys(_METRICS, 0.0)
# Common words of any text meet common words of a summary.
_NO_SUMMARY = {**_NOTHING, "rouge_l": 0.35}
_COPY = {**dict.fromkeys((*LIST_METRICS, "iou", "rouge_l"), 0.5), "math": 0.2, "choice": CHANCE}


@dataclass(frozen=True)
class Probe:
    """One attack: `build(record)` is the response, or None where the attack makes no sense for the record.

    `rows` limits a costly attack to that many rows of a metric. `of_another` attacks get the record whose gold
    answer they use as second argument.
    """

    what: str
    build: Callable[..., str | None]
    row_bounds: Mapping[str, float] = field(default_factory=dict)
    mean_bounds: Mapping[str, float] = field(default_factory=dict)
    rows: int | None = None
    of_another: bool = False

    def applies(self, metric: str) -> bool:
        """Whether the probe has a bound for this metric."""
        return metric in self.row_bounds or metric in self.mean_bounds

    def response(self, record: Record, other: Record | None) -> str | None:
        """The attack on a record; `other` is another record of the metric with another gold, if there is one."""
        if self.of_another:
            return None if other is None else self.build(record, other)
        return self.build(record)


def _constant(text: str) -> Callable[[Record], str]:
    return lambda record: text


PROBES: dict[str, Probe] = {
    # Nothing, in several wrappings
    "empty": Probe("an empty response", _constant(""), _NOTHING),
    "white_space": Probe("spaces, tabs and newlines", _constant(" \n\t\u3000\r\n" * 50), _NOTHING),
    "null_bytes": Probe("null bytes and zero-width characters", _constant(blind.NULLS), _NOTHING),
    "only_thinking": Probe("a thinking block and nothing else", _constant("<think>\nHm.\n</think>\n"), _NOTHING),
    "tag_spam": Probe("answer tags, boxes and markers around nothing", _constant(blind.TAGS), _NOTHING),
    "refusal": Probe("a polite refusal", _constant(blind.REFUSAL), _NO_SUMMARY),
    "judge_injection": Probe("a text that orders a judge to pay", _constant(blind.INJECTION), _NO_SUMMARY),
    "huge_latex": Probe("a fraction nested 20,000 times", _constant(blind.HUGE_LATEX), _NO_SUMMARY, rows=2),
    "megabyte": Probe("a megabyte of filler", _constant(blind.MEGABYTE), _NOTHING, rows=2),
    "power_tower": Probe("a number that no computer can write", _constant(blind.TOWER), {"math": 0.0}, rows=1),
    # The gold answer where it must not count
    "gold_in_thinking": Probe("the gold answer, only inside the thinking block", gold.in_thinking, _NOTHING),
    "thinking_then_refusal": Probe(
        "the gold answer in the thinking block, a refusal behind it", gold.in_thinking_then_refusal, _NO_SUMMARY
    ),
    "unclosed_thinking": Probe("the gold answer in an open thinking block", gold.in_unclosed_thinking, _NOTHING),
    "reopened_thinking": Probe(
        "the gold answer in a second thinking block that stays open", gold.in_reopened_thinking, _NOTHING
    ),
    "before_marker": Probe("the gold answer before the marker, nothing behind it", gold.before_marker, _NO_SUMMARY),
    "then_wrong": Probe("the gold answer, revoked for a wrong one", gold.then_wrong, _NO_SUMMARY),
    "denied": Probe("the gold answer under a denial", gold.denied, dict.fromkeys(("em", "choice", "math"), 0.0)),
    "hedged": Probe(
        "the gold answer or a wrong one", gold.hedged_with_wrong, dict.fromkeys((*LIST_METRICS, "em", "math"), 0.0)
    ),
    "in_a_sentence": Probe("every gold item inside a sentence", gold.in_a_sentence, dict.fromkeys(LIST_METRICS, 0.0)),
    "look_alikes": Probe(
        "the gold answer in letters of another alphabet",
        gold.look_alikes,
        # Items without such letters stay right.
        dict.fromkeys(("em", "choice"), 0.0),
        dict.fromkeys(LIST_METRICS, 0.5),
    ),
    "gold_of_another": Probe(
        "the gold answer of another record",
        gold.of_another,
        {},
        {**dict.fromkeys(_METRICS, 0.2), **dict.fromkeys((*LIST_METRICS, "iou", "rouge_l"), 0.5)},
        of_another=True,
    ),
    "prefix_only": Probe("the prefix of a verbatim answer alone", gold.prefix_only, {"em": 0.0}),
    "without_prefix": Probe("a verbatim answer without its prefix", gold.without_prefix, {"em": 0.0}),
    # Too much: precision has to cost. k golds among 10 k lines: F1 2 / 11, IoU and SubEM 1 / 10.
    "dump": Probe(
        "every gold item, hidden among nine times as many decoys",
        gold.among_decoys,
        {"em": 0.0, "f1": 0.2, "iou": 0.1, "subem": 0.1, "ndcg": 0.5, "pairwise": 0.02},
    ),
    "dump_500": Probe(
        "up to 25 gold items among 500 lines",
        gold.among_500,
        {"f1": 0.1, "iou": 0.05, "subem": 0.05, "ndcg": 0.1, "pairwise": 0.01},
    ),
    "surplus": Probe(
        "every gold item and as many wrong ones",
        gold.with_as_many_decoys,
        {"f1": 0.67, "iou": 0.5, "subem": 0.5, "pairwise": 0.25},
    ),
    "every_candidate": Probe(
        "every line, sentence, quotation or number of the prompt",
        blind.every_candidate,
        {"em": 0.0},
        {"f1": 0.5, "subem": 0.34, "ndcg": 0.5, "pairwise": 0.2, "iou": 0.1, "math": 0.2, "rouge_l": 0.5},
    ),
    "every_number": Probe("one list of 200 numbers", blind.every_number, {"math": 0.0}),
    # Too little: the honest part of an answer. Half of k items: F1 2 / 3, SubEM and IoU 1 / 2, pairs 1 / 4.
    "half": Probe(
        "only the first half",
        gold.half,
        {"em": 0.0, "f1": 0.67, "iou": 0.5, "subem": 0.5, "ndcg": 0.9, "pairwise": 0.25, "rouge_l": 0.8},
    ),
    "first_only": Probe(
        "one of at least three items",
        gold.first_only,
        {"f1": 0.5, "iou": 0.34, "subem": 0.34, "ndcg": 0.64, "pairwise": 0.0},
    ),
    "repeated": Probe(
        "one item repeated (summaries: the reference eight times)",
        gold.repeated,
        {"f1": 0.67, "iou": 0.5, "subem": 0.5, "ndcg": 0.8, "pairwise": 0.0, "rouge_l": 0.4},
    ),
    # The wrong order; for summaries a bag of words may not earn what an honest half does.
    "reversed": Probe(
        "items or words in reverse order (tables: the cells of each row)",
        gold.backwards,
        {"ndcg": 0.9, "pairwise": 0.0, "rouge_l": 0.5, "iou": 0.0},
    ),
    "shuffled": Probe("the words of the reference in random order", gold.shuffled, {"rouge_l": 0.67}),
    "sorted": Probe("the words of the reference in alphabetical order", gold.sorted_words, {"rouge_l": 0.67}),
    "first_sentence": Probe(
        "the first eighth of the reference, eight times", gold.first_sentence_repeated, {"rouge_l": 0.5}
    ),
    "frequent_words": Probe(
        "the five most frequent words of the reference, over and over", gold.frequent_of_gold, {"rouge_l": 0.5}
    ),
    "lead": Probe("the first sentences of the prompt", blind.lead, {}, {"rouge_l": 0.5}),
    "frequent_in_prompt": Probe("the 100 most frequent words of the prompt", blind.frequent_words, {"rouge_l": 0.5}),
    # Tables
    "as_text": Probe("the rows of the table as plain lines", gold.as_text, {"iou": 0.0}),
    "cells_as_rows": Probe("every cell as a row of its own", gold.cells_as_rows, {"iou": 0.0}),
    # Numbers
    "one_more": Probe("the gold number plus one", partial(gold.near, "one more"), {"math": 0.0}),
    "ten_times": Probe("ten times the gold number", partial(gold.near, "ten times"), {"math": 0.0}),
    "other_sign": Probe("the gold number with the other sign", partial(gold.near, "other sign"), {"math": 0.0}),
    "other_unit": Probe("the gold number with another unit", gold.other_unit, {"math": 0.0}),
    # The prompt itself
    "prompt_end": Probe("the end of the prompt, copied", blind.copied_end, {"em": 0.0}, _COPY),
    "prompt_whole": Probe("the whole prompt, copied", blind.copied_whole, {"em": 0.0}, _COPY, rows=20),
    "question": Probe("the question, copied", blind.question, {"em": 0.0}, _COPY),
    # All options
    "hedge_phrase": Probe(
        "all options in one sentence", blind.hedged("({})", " or ", "The correct answer is "), {"choice": 0.0}
    ),
    "hedge_both": Probe("all options joined by and", blind.hedged("({})", " and ", "Answer: "), {"choice": 0.0}),
    "hedge_slashes": Probe("all options with slashes", blind.hedged("{}", "/", "Answer: "), {"choice": 0.0}),
    "hedge_lines": Probe("all options, one per line", blind.hedged("({})", "\n"), {"choice": 0.0}),
    "hedge_boxes": Probe("all options, each in a box", blind.hedged("\\boxed{{{}}}", " "), {"choice": 0.0}),
    "hedge_denials": Probe("all options denied", blind.hedged("Option {} is incorrect.", " "), {"choice": 0.0}),
    "letter_soup": Probe("all letters as one word", blind.hedged("{}", "", "Answer: "), {"choice": 0.0}),
    "first_option": Probe("always the first option", partial(blind.option, 0), {}, {"choice": CHANCE}),
    "last_option": Probe("always the last option", partial(blind.option, -1), {}, {"choice": CHANCE}),
}
