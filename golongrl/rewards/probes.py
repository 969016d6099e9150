"""The attack catalogue: responses that try to earn reward without answering, and what each may earn at most.

Every probe is built from a record alone. A row bound holds for every single row; a mean bound for the mean over the
rows of a metric, where one lucky row proves nothing (a constant letter is right on one row in four). `CHANCE` as mean
bound stands for the rate of guessing among the record's options.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from golongrl.core.records import Record
from golongrl.core.text import answer_area, item_forms, normalise
from golongrl.rewards.choice import gold_letter, option_letters
from golongrl.rewards.gold import gold_response
from golongrl.rewards.items import gold_aliases, gold_texts
from golongrl.rewards.rouge_l import Reference, references
from golongrl.rewards.table_iou import parse_table

CHANCE = -1.0
PROMPT_CHARS = 20_000
"""A copied prompt keeps this many characters of its end, where question and options stand."""

_METRICS = ("em", "choice", "f1", "iou", "subem", "ndcg", "pairwise", "rouge_l")
_NOTHING = dict.fromkeys(_METRICS, 0.0)


@dataclass(frozen=True)
class Probe:
    """One attack: `build(record)` is the response, or None where the attack makes no sense for the record."""

    what: str
    build: Callable[[Record], str | None]
    row_bounds: Mapping[str, float] = field(default_factory=dict)
    mean_bounds: Mapping[str, float] = field(default_factory=dict)

    def applies(self, metric: str) -> bool:
        """Whether the probe has a bound for this metric."""
        return metric in self.row_bounds or metric in self.mean_bounds


def guess_rate(record: Record) -> float:
    """Chance of one guess: 1 / options where their number is known, else 1/4; 1/10 for a gold that is no letter."""
    if not _by_letter(record):
        return 0.1
    letters = len(option_letters(record))
    return 1 / letters if letters < 26 else 0.25


def _by_letter(record: Record) -> bool:
    return all(map(gold_letter, gold_aliases(record)))


def _list_items(record: Record) -> list[str]:
    """Gold items on one line each, distinct in the form in which they are compared."""
    return list({item_forms(gold)[0]: " ".join(gold.split()) for gold in gold_texts(record)}.values())


def _as_list(items: list[str]) -> str:
    return "[Answer]\n" + "\n".join(items)


def _as_table(rows: list) -> str:
    return f"<answer>{json.dumps({'data': rows}, ensure_ascii=False, default=float)}</answer>"


def _shortest_reference(record: Record) -> Reference:
    return min(references(record), key=lambda reference: len(reference.words))


def _dump(record: Record) -> str | None:
    """Nine decoys before every gold item."""
    if record.metric == "iou":
        rows = parse_table(record.gold.golden_label) or []
        return (
            _as_table([row for index, gold in enumerate(rows) for row in [*_decoys(index), gold]]) if rows else None
        )
    golds = gold_aliases(record) if record.metric in ("em", "choice") else _list_items(record)
    return _as_list([line for index, gold in enumerate(golds) for line in [*_decoys(index), gold]])


def _decoys(index: int) -> list[str]:
    return [f"candidate {index}-{number}" for number in range(9)]


def _partial(record: Record) -> str | None:
    """The first half of what is wanted, rounded down."""
    if record.metric == "iou":
        rows = parse_table(record.gold.golden_label) or []
        return _as_table(rows[: len(rows) // 2]) if len(rows) > 1 else None
    if record.metric == "rouge_l":
        reference = _shortest_reference(record)
        half = reference.words[: len(reference.words) // 2]
        return ("" if reference.chinese else " ").join(half) if half else None
    if record.metric == "em":
        if record.extra_info.get("strict_prefix"):
            return None
        golds = gold_aliases(record)
        start = golds[0][: len(golds[0]) // 2]
        return None if not start.strip() or normalise(start) in map(normalise, golds) else start
    items = _list_items(record)
    if _graded(record):
        return None
    return _as_list(items[: len(items) // 2]) if len(items) > 1 else None


def _repeated(record: Record) -> str | None:
    """One item over and over; for summaries the whole reference eight times."""
    if record.metric == "rouge_l":
        return "\n".join([_shortest_reference(record).text] * 8)
    if record.metric == "iou":
        rows = parse_table(record.gold.golden_label) or []
        distinct = len({json.dumps(row, default=str) for row in rows})
        return _as_table(rows[:1] * 2 * len(rows)) if distinct > 1 else None
    items = _list_items(record)
    if _graded(record):
        return None
    return _as_list(items[:1] * 2 * len(items)) if len(items) > 1 else None


def _reversed(record: Record) -> str | None:
    if record.metric == "rouge_l":
        pieces = _shortest_reference(record).text.split()
        return " ".join(reversed(pieces)) if len(pieces) > 20 else None
    items = _list_items(record)
    if _graded(record):
        return None
    return _as_list(items[::-1]) if len(items) > 1 else None


def _graded(record: Record) -> bool:
    """Relevance grades of the record's own: a part of the list may rightly earn everything."""
    return record.extra_info.get("relevance") is not None


def _prompt_copy(record: Record) -> str:
    return answer_area(record.prompt[-1].content[-PROMPT_CHARS:])[0]


def _hedge(form: str, joined: str) -> Callable[[Record], str | None]:
    def build(record: Record) -> str | None:
        if not _by_letter(record):
            return None
        letters = sorted(option_letters(record))
        letters = letters if len(letters) < 26 else letters[:4]
        return joined.join(form.format(letter) for letter in letters) if len(letters) > 1 else None

    return build


def _inside_think(record: Record) -> str | None:
    return f"<think>\n{gold_response(record)}\n</think>\n" if _closes_once(record) else None


def _unclosed(record: Record) -> str | None:
    return f"<think>\n{gold_response(record)}\n" if _closes_once(record) else None


def _reopened(record: Record) -> str | None:
    return f"<think>\n</think>\n<think>\n{gold_response(record)}\n" if _closes_once(record) else None


def _closes_once(record: Record) -> bool:
    return "</think>" not in gold_response(record)


PROBES: dict[str, Probe] = {
    "empty": Probe("an empty response", lambda record: "", _NOTHING),
    "only_thinking": Probe("a thinking block and nothing else", lambda record: "<think>\nHm.\n</think>\n", _NOTHING),
    "gold_in_thinking": Probe("the gold answer, but only inside the thinking block", _inside_think, _NOTHING),
    "unclosed_thinking": Probe("the gold answer in a thinking block that never closes", _unclosed, _NOTHING),
    "reopened_thinking": Probe("the gold answer in a second thinking block that never closes", _reopened, _NOTHING),
    "tag_spam": Probe(
        "answer tags, boxes and markers around nothing",
        lambda record: "</think>" * 5 + "<answer></answer>\n\\boxed{}\n" * 5 + "[Answer]\n[答案]\n" * 5,
        _NOTHING,
    ),
    "dump": Probe(
        "every gold item, hidden among nine times as many decoys",
        _dump,
        {"em": 0.0, "f1": 0.2, "iou": 0.1, "subem": 0.1, "ndcg": 0.5, "pairwise": 0.1},
    ),
    "partial": Probe(
        "only the first half",
        _partial,
        {"em": 0.0, "f1": 0.67, "iou": 0.5, "subem": 0.5, "ndcg": 0.9, "pairwise": 0.34, "rouge_l": 0.8},
    ),
    "repeated": Probe(
        "one item repeated (summaries: the reference eight times)",
        _repeated,
        {"f1": 0.67, "iou": 0.5, "subem": 0.5, "ndcg": 0.8, "pairwise": 0.0, "rouge_l": 0.4},
    ),
    "reversed": Probe(
        "everything in reverse order",
        _reversed,
        {"ndcg": 0.9, "pairwise": 0.0, "rouge_l": 0.5},
    ),
    "prompt_copy": Probe(
        "the end of the prompt, copied",
        _prompt_copy,
        {"em": 0.0},
        {"f1": 0.5, "iou": 0.5, "subem": 0.5, "ndcg": 0.5, "pairwise": 0.5, "rouge_l": 0.5, "choice": CHANCE},
    ),
    "hedge_phrase": Probe(
        "all options in one sentence",
        lambda record: f"The correct answer is {said}" if (said := _hedge("({})", " or ")(record)) else None,
        {"choice": 0.0},
    ),
    "hedge_lines": Probe("all options, one per line", _hedge("({})", "\n"), {"choice": 0.0}),
    "hedge_boxes": Probe("all options, each in a box", _hedge("\\boxed{{{}}}", " "), {"choice": 0.0}),
    "first_option": Probe(
        "always the first option",
        lambda record: "The correct answer is (A)" if _by_letter(record) else None,
        {},
        {"choice": CHANCE},
    ),
}
