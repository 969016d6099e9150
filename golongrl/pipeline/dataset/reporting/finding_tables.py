"""Sections about what was found in scores and in finished records: versions, diagnosis, shortcuts, reward audit."""

from collections.abc import Mapping, Sequence
from typing import Any

from golongrl.pipeline.dataset.reporting.card_tables import by_count, name, shares
from golongrl.pipeline.dataset.reporting.phase import Phase, counted, interval, main_reasons, percent
from golongrl.pipeline.dataset.reporting.phase_facts import CellFacts, SegmentFacts


def versions(one: Mapping[str, Any]) -> Phase:
    """What became of the base."""
    capabilities = sorted({*one["kept"], *one["added"], *one["removed"]})
    rows = [
        [name(c), one["kept"].get(c, 0), sum(one["removed"].get(c, {}).values()), one["added"].get(c, 0)]
        for c in capabilities
    ]
    gone = [[c, why, count] for c, tally in one["removed"].items() for why, count in by_count(tally)]
    base = one["base"]
    text = (
        f"Version {one['version']}, made from version {base['version']} ({base['records']:,} records, digest "
        f"{base['digest']}). changelog.jsonl names every record that was removed or added, with the reason."
    )
    return Phase(
        "Versions",
        text,
        [
            ("Records of the base", (["capability", "kept", "removed", "added"], rows)),
            ("Why records of the base were removed", (["capability", "reason", "records"], gone)),
            counted("Why new records did not join", one["refused"]),
        ],
    )


def diagnosis(one: Mapping[str, Any]) -> Phase:
    """Scores, segments and the quotas that follow from them."""
    wanted = [[name(q["capability"]), q["headroom"], q["records"], shares(q["bins"]) or "-"] for q in one["quotas"]]
    segments = [_segment(segment) for segment in one["segments"]]
    whole = [_cell(cell)[:1] + _cell(cell)[3:] for cell in one["cells"] if cell["axis"] == "capability"]
    parts = [_cell(cell) for cell in one["cells"] if cell["axis"] != "capability"]
    left = by_count(one["left_out"]) + [(f"no score: {why}", n) for why, n in by_count(one["unscored"])]
    text = " ".join(
        [
            f"Quotas follow {one['answers']:,} scored answers of {', '.join(one['used'])}: more records where there "
            "is more headroom (1 minus the mean score, means of few records pulled towards the whole).",
            *(f"{note[:1].upper()}{note[1:]}." for note in one["notes"]),
        ]
    )
    measures = ["answers", "mean", "95 % interval", "shrunk mean", "failed", "main reasons"]
    segment_columns = ["where", "answers", "mean", "95 % interval", "failed", "of all failures", "main reasons"]
    tables = [
        ("Quotas", (["capability", "headroom", "records", "length bins"], wanted)),
        ("Scores per capability", (["capability", *measures], whole)),
        ("Segments that score alike, the weakest first", (segment_columns, segments)),
    ]
    details = [
        ("Scores by length, depth, form and language", (["capability", "by", "value", *measures], parts)),
        ("Answers that were left out", (["why", "answers"], [list(entry) for entry in left])),
    ]
    return Phase("Diagnosis", text, tables, details)


def _cell(cell: CellFacts) -> list[Any]:
    measured = [cell["n"], cell["mean"], interval(cell), cell["shrunk"], percent(cell["failed"])]
    return [name(cell["capability"]), cell["axis"], cell["value"], *measured, main_reasons(cell["reasons"])]


def _segment(one: SegmentFacts) -> list[Any]:
    parts = [percent(one["failed"]), percent(one["failures"])]
    return [one["where"], one["n"], one["mean"], interval(one), *parts, main_reasons(one["reasons"])]


def shortcuts(found: Sequence[Any]) -> Phase:
    """Distributions of answers and places."""
    rows = [
        [
            name(one["capability"]),
            one["records"],
            " / ".join(f"{size:,}" for size in one["answer_length"]),
            percent(one["common_answer"]),
            _beside(one["first"], one["end_chance"]),
            _beside(one["last"], one["end_chance"]),
            one["depth_p"],
        ]
        for one in found
    ]
    choices = [
        [
            name(one["capability"]),
            shares(one["letters"]),
            one["letters_p"],
            _beside(one["longest"], one["option_chance"]),
            _beside(one["shortest"], one["option_chance"]),
        ]
        for one in found
        if one["letters"]
    ]
    digits = [[name(one["capability"]), shares(one["digits"])] for one in found if one["digits"]]
    columns = [
        "capability",
        "records",
        "characters of the answer (least / median / most)",
        "most frequent answer",
        "evidence in the first document (chance)",
        "in the last (chance)",
        "p of even depth",
    ]
    choice_columns = [
        "capability",
        "right letter",
        "p of even letters",
        "longest is right (chance)",
        "shortest (chance)",
    ]
    text = (
        "Distributions that could give answers away. A small p says that a distribution is uneven, not that it can "
        "be exploited; the closed-book table says what guessing earns."
    )
    return Phase(
        "Distributions of answers and places",
        text,
        [("", (columns, rows)), ("Choices", (choice_columns, choices))],
        [("Leading digit of numbers", (["capability", "digit and records"], digits))],
    )


def _beside(share: float | None, chance: float | None) -> str:
    return "-" if share is None else f"{percent(share)} ({percent(chance)})"


def learned(found: Sequence[Any]) -> Phase:
    """What a classifier finds without the documents."""
    rows = [
        [
            name(one["capability"]),
            one["records"],
            one["chance"],
            one["accuracy"],
            interval(one),
            one["verdict"],
        ]
        for one in found
    ]
    columns = ["capability", "questions", "chance", "right", "95 % interval", "verdict"]
    text = (
        "How often a logistic regression finds the right option from its characters, its letter and its length "
        "alone, in questions that it was not trained on (five folds). Verdicts: within: at most 5 points over "
        "chance; above: the whole interval is more than 5 points over chance; unclear: only the mean is."
    )
    return Phase("Learned shortcuts", text, [("", (columns, rows))])


def probes(found: Sequence[Any]) -> Phase:
    """The reward audit."""
    rows = [
        [
            name(one["capability"]),
            one["metric"],
            one["records"],
            one["gold_ok"],
            one["attacks"],
            f"{one['highest']} ({one['mean']:.3f})" if one["attacks"] else "-",
            ", ".join(one["exploited"]) or "none",
            shares(one["lost"]) or "none",
        ]
        for one in found
    ]
    columns = [
        "capability",
        "metric",
        "records",
        "gold earns 1",
        "attacks",
        "best attack (mean)",
        "paying",
        "right answers lost",
    ]
    text = (
        "The audit of golongrl verify-rewards on a sample of the finished records. An attack pays where it earns "
        "more than an honest partial answer would; a right answer is lost where it scores less when written another "
        "way."
    )
    return Phase("Reward audit", text, [("", (columns, rows))])
