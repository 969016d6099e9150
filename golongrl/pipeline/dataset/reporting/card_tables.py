"""The tables that card and report page share, as (columns, rows) made of a build's facts."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from golongrl.core import tasks
from golongrl.pipeline.dataset.reporting.closed_book import FREQUENT_OF_FORM, LEAST_GROUP, MARGIN, VERDICTS
from golongrl.pipeline.dataset.reporting.facts import BuildFacts, ClosedBookFacts, Tally
from golongrl.pipeline.dataset.reporting.survey import DEPTHS, QUESTIONS

TableOf = tuple[list[str], list[list[Any]]]

CLOSED_BOOK = (
    "A reader who is given the question alone, without any document, guesses by one strategy after the other: the "
    "most frequent answer, or the candidates that the question states by their order, length, alphabet, numbers and "
    "shared words. Chance is the mean score of random candidates or orders, or else of the answer to another "
    f"question of the capability and language. At most {QUESTIONS:,} records of a capability are answered, "
    "drawn by a hash of their question; where a strategy has no answer it counts as chance. The difference is "
    f'followed by its standard error. "{FREQUENT_OF_FORM}" needs {LEAST_GROUP} records. Verdicts: '
    + "; ".join(f"{verdict}: {meaning}" for verdict, meaning in VERDICTS.items())
    + "."
)
"""What the closed-book table shows."""
_SPECIAL = re.compile(r"[\\|`*\[\]]")
PLUS = f"over chance (at most {MARGIN:+.2f})"


def name(capability: str) -> str:
    """ "T1 precise retrieval"."""
    return f"{capability} {tasks.CAPABILITIES[capability].name}"


def total(facts: BuildFacts) -> int:
    """Records of all splits."""
    return sum(facts["records"]["splits"].values())


def counts(facts: BuildFacts) -> TableOf:
    """Records per capability and language (rows) and length bin (columns), all splits together."""
    labels = facts["source"]["length_bins"]
    cells: Counter[tuple[str, str, str]] = Counter()
    for cell in facts["records"]["cells"]:
        cells[cell["capability"], cell["language"], cell["length_bin"]] += cell["records"]
    languages = sorted({language for _, language, _ in cells})
    rows = []
    for capability in facts["source"]["capabilities"]:
        for language in languages:
            found = [cells[capability, language, label] for label in labels]
            rows.append([name(capability), language, *found, sum(found)])
    sums = [sum(cells[cell] for cell in cells if cell[2] == label) for label in labels]
    sums.append(sum(sums))
    return ["capability", "language", *labels, "all"], [*rows, ["all", "", *sums]]


def wanted(facts: BuildFacts) -> TableOf:
    """What was asked for and what came of it, per capability and split."""
    cells: Counter[tuple[str, str]] = Counter()
    for cell in facts["records"]["cells"]:
        cells[cell["capability"], cell["split"]] += cell["records"]
    rows = []
    for capability, asked in facts["source"]["wanted"].items():
        train, validation = cells[capability, "train"], cells[capability, "validation"]
        rows.append([name(capability), asked, train, validation, max(0, asked - train - validation)])
    return ["capability", "wanted", "train", "validation", "missing"], rows


def funnel(facts: BuildFacts) -> TableOf:
    """From files to records, step by step."""
    collect, construct = facts["collect"], facts["construct"].values()
    filtered = [[f"filtered out: {step}", sum(tally.values())] for step, tally in collect["filtered"].items()]
    rows = [
        ["files found", collect["files"]],
        ["files and rows refused", sum(collect["refused"].values())],
        ["documents read", collect["read"]],
        *filtered,
        ["exact copies dropped", collect["exact_duplicates"]],
        ["near copies dropped", collect["near_duplicates"]],
        ["documents kept", collect["documents"]],
        ["of these held out for validation", collect["validation_documents"]],
        ["questions attempted", sum(one["attempts"] for one in construct)],
        ["passed over: no unambiguous question", sum(sum(one["passed_over"].values()) for one in construct)],
        ["rejected by a check", sum(sum(one["rejected"].values()) for one in construct)],
        ["questions kept", sum(one["kept"] for one in construct)],
        ["records", total(facts)],
    ]
    return ["step", "count"], rows


def refusals(facts: BuildFacts) -> TableOf:
    """Why files, rows and documents did not stay."""
    collect = facts["collect"]
    rows = [["refused", reason, count] for reason, count in by_count(collect["refused"])]
    for step, tally in collect["filtered"].items():
        rows += [[step, reason, count] for reason, count in by_count(tally)]
    return ["step", "reason", "count"], rows


def eligible(facts: BuildFacts) -> TableOf:
    """How many documents can serve each capability, and what the others lack."""
    rows = []
    for capability, one in facts["assign"].items():
        lacking = "; ".join(f"{reason} ({count})" for reason, count in by_count(one["missing"]))
        rows.append([name(capability), one["documents"], sum(one["missing"].values()), lacking or "-"])
    return ["capability", "documents", "cannot serve", "because they lack"], rows


def attempts(facts: BuildFacts) -> TableOf:
    """What became of the attempts of each capability."""
    rows = []
    for capability, one in facts["construct"].items():
        passed, rejected = sum(one["passed_over"].values()), sum(one["rejected"].values())
        rows.append([name(capability), one["attempts"], passed, rejected, one["kept"]])
    return ["capability", "attempts", "passed over", "rejected", "kept"], rows


def reasons(facts: BuildFacts, most: int) -> TableOf:
    """Why attempts came to nothing: the `most` frequent reasons per capability and outcome, the rest added up."""
    rows: list[list[Any]] = []
    for capability, one in facts["construct"].items():
        for outcome, tally in (("passed over", one["passed_over"]), ("rejected", one["rejected"])):
            ranked = by_count(tally)
            rows += [[capability, outcome, reason, count] for reason, count in ranked[:most]]
            if rest := ranked[most:]:
                left = sum(count for _, count in rest)
                rows.append([capability, outcome, f"{len(rest)} other reasons", left])
    return ["capability", "outcome", "form: reason", "count"], rows


def forms(facts: BuildFacts) -> TableOf:
    """The task forms that records come from, in the order of the capabilities."""
    found = facts["records"]["forms"]
    rows = []
    for form, asked in sorted(facts["asked"].items(), key=lambda entry: entry[1]["capability"]):
        if form in found:
            wordings = ", ".join(f"{count} {language}" for language, count in found[form]["wordings"].items())
            metric, records = found[form]["metric"], found[form]["records"]
            rows.append([form, asked["capability"], metric, asked["asks"], wordings, records])
    for form, one in sorted(found.items(), key=lambda entry: (entry[1]["capability"], entry[0])):
        if form not in facts["asked"]:
            origin = "A question of an existing set" if form.startswith("qa:") else "A question that a model wrote"
            rows.append([form, one["capability"], one["metric"], origin, "-", one["records"]])
    return ["form", "capability", "metric", "what is asked", "wordings", "records"], rows


def depths(facts: BuildFacts) -> TableOf:
    """Records per length bin (rows) and tenth of the prompt in which the evidence stands (columns)."""
    edges = [f"{10 * tenth}-{10 * (tenth + 1)} %" for tenth in range(DEPTHS)]
    return ["length bin", *edges], [[label, *found] for label, found in facts["records"]["depth"].items()]


def lengths(facts: BuildFacts) -> TableOf:
    """Prompt lengths per bin."""
    rows = [[label, *one.values()] for label, one in facts["records"]["lengths"].items()]
    return ["length bin", "shortest", "median", "longest"], rows


def closed_book(facts: BuildFacts, of_forms: bool = False) -> TableOf:
    """The best guess per capability (or per form) against chance, and the guess farthest from it either way."""
    rows = []
    for entry in facts["closed_book"]:
        if bool(entry["form"]) == of_forms:
            high, wide = entry["highest"], entry["widest"]
            named = [entry["capability"], entry["form"]] if of_forms else [name(entry["capability"])]
            above, away = _signed(high["difference"], high["error"]), _signed(wide["difference"], wide["error"])
            farthest = f"{wide['strategy']}, {away}"
            found = [entry["scored"], entry["chance"], high["strategy"], high["mean"], above, farthest]
            rows.append([*named, *found, entry["verdict"]])
    first = ["capability", "form"] if of_forms else ["capability"]
    return [*first, "records", "chance", "best strategy", "score", PLUS, "farthest from chance", "verdict"], rows


def strategies(entry: ClosedBookFacts) -> TableOf:
    """Every strategy of one closed-book entry."""
    rows = [
        [guess["strategy"], guess["n"], guess["mean"], _signed(guess["difference"], guess["error"])]
        for guess in entry["guesses"]
    ]
    return ["strategy", "records with an answer", "score", "over chance"], rows


def licences(facts: BuildFacts) -> TableOf:
    """Documents and records per licence."""
    rows = [[licence, one["documents"], one["records"]] for licence, one in facts["records"]["licences"].items()]
    return ["licence", "documents", "records"], rows


def by_count(tally: Tally) -> list[tuple[str, int]]:
    """The entries of a tally, the largest first."""
    return sorted(tally.items(), key=lambda entry: (-entry[1], entry[0]))


def shares(tally: Tally) -> str:
    """ "after the documents 212, before them 88" for {"after": 212, "before": 88} and the like."""
    return ", ".join(f"{key} {count:,}" for key, count in tally.items())


def markdown(table: tuple[Sequence[str], Sequence[Sequence[Any]]]) -> str:
    """A table in Markdown; no cell can break out of its row or be read as HTML."""
    columns, rows = table
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(_cell, row)) + " |" for row in lines)


def _cell(value: Any) -> str:
    text = "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    return " ".join(_SPECIAL.sub(r"\\\g<0>", text).split())


def _signed(difference: float, error: float) -> str:
    return f"{difference:+.3f} ± {error:.3f}"
