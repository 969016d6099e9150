"""The report page of a build, report.html: figures, tables and the records themselves, in one file."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from golongrl.core import report
from golongrl.core.records import read_records
from golongrl.pipeline.dataset.reporting import card_tables as tables
from golongrl.pipeline.dataset.reporting import phases, unfinished
from golongrl.pipeline.dataset.reporting.facts import BuildFacts
from golongrl.pipeline.dataset.reporting.phase import Phase, shown
from golongrl.pipeline.dataset.reporting.samples_viewer import viewer
from golongrl.pipeline.dataset.reporting.survey import DEPTHS, Survey

REASONS = 200
"""Reasons that the page lists per capability and outcome."""
FILES = {"train": "train.parquet", "validation": "val.parquet"}


def write_report(path: Path, facts: BuildFacts, survey: Survey) -> None:
    """Write report.html from a build's facts and the samples that its survey drew.

    It holds no time, so that the same build gives the same bytes.
    """
    header = report.Header("Dataset", "finished", {"golongrl": facts["source"]["version"]})
    report.Page(_title(facts), _sections(facts, survey), header).write(path)


def page_of(folder: str | Path) -> report.Page:
    """The page of a build from its folder alone: records are read again; an unfinished build is shown as it is."""
    folder = Path(folder)
    header = report.header_of(folder, "Dataset")
    if not (folder / "build.json").exists():
        return report.Page(f"Dataset in {folder.name}", unfinished.sections_of(folder), header)
    facts: BuildFacts = json.loads((folder / "build.json").read_text(encoding="utf-8"))
    survey = Survey(facts["source"]["length_bins"], facts["source"]["capabilities"])
    for split, name in FILES.items():
        if (folder / name).exists():
            for record in read_records(folder / name):
                survey.add(record, split)
    return report.Page(_title(facts), _sections(facts, survey), header)


def _title(facts: BuildFacts) -> str:
    return f"Dataset of {tables.total(facts):,} records"


def _sections(facts: BuildFacts, survey: Survey) -> list[report.Section]:
    first, *rest = _overview(facts)
    sections = [first, *_history(facts), *rest, _records(facts, survey)]
    return [*sections, *_closed_book(facts), *_checks(facts), *_phases(facts)]


def _table(table: tables.TableOf, caption: str = "") -> report.Table:
    return report.Table(*table, caption)


def _bars(counts: Mapping[str, int], caption: str) -> report.Bars:
    return report.Bars([(label, count, None, None) for label, count in counts.items()], caption)


def _overview(facts: BuildFacts) -> list[report.Section]:
    source, records, collect = facts["source"], facts["records"], facts["collect"]
    by_capability: Counter[str] = Counter()
    by_bin: Counter[str] = Counter(dict.fromkeys(source["length_bins"], 0))
    by_language: Counter[str] = Counter()
    for cell in records["cells"]:
        by_capability[tables.name(cell["capability"])] += cell["records"]
        by_bin[cell["length_bin"]] += cell["records"]
        by_language[cell["language"]] += cell["records"]
    all_depths = [sum(counts) for counts in zip(*records["depth"].values(), strict=True)]
    edges = [f"{10 * tenth}-{10 * (tenth + 1)} % of the prompt" for tenth in range(DEPTHS)]
    steps = {str(step): int(count) for step, count in tables.funnel(facts)[1]}
    of_files = ("files found", "documents read", "documents kept")
    of_questions = ("questions attempted", "questions kept", "records")
    result = {
        "training records": records["splits"].get("train", 0),
        "validation records": records["splits"].get("validation", 0),
        "documents shown": records["documents"],
        "documents kept, by language": tables.shares(collect["languages"]),
        "question": tables.shares(records["question"]),
        "tokenizer": source["tokenizer"],
        "seed": source["seed"],
        "golongrl": source["version"],
        **({"version of the data": facts["version_of_data"]} if "version_of_data" in facts else {}),
        "command": source["command"],
    }
    said = [*phases.warnings(facts), *facts.get("notes", [])]
    notes = [report.Note(sentence, "warning") for sentence in said]
    return [
        ("Result", [report.KeyValues(result), *notes]),
        (
            "Records",
            [
                _bars(dict(sorted(by_capability.items())), "Records per capability"),
                _bars(dict(by_bin), "Records per length bin (prompts up to that many tokens)"),
                _bars(dict(sorted(by_language.items())), "Records per language"),
                _table(tables.counts(facts), "Records per capability, language and length bin"),
                _table(tables.wanted(facts), "Wanted and built"),
                _table(tables.lengths(facts), "Prompt lengths in tokens"),
            ],
        ),
        (
            "Depth of the evidence",
            [
                _bars(dict(zip(edges, all_depths, strict=True)), "Pieces of evidence by their place in the prompt"),
                _table(tables.depths(facts), "Pieces of evidence per length bin and place"),
            ],
        ),
        (
            "Funnel",
            [
                _bars({step: steps[step] for step in of_files}, "Files to documents"),
                _bars({step: steps[step] for step in of_questions}, "Attempts to records"),
                _table(tables.funnel(facts)),
            ],
        ),
        ("Task forms", [_table(tables.forms(facts))]),
        (
            "Licences and sources",
            [
                _table(tables.licences(facts), "Documents shown, and records that show one of them"),
                _table(
                    (["source", "records"], [list(row) for row in records["sources"]["top"]]),
                    f"The sources that most records show, of {records['sources']['count']:,}",
                ),
            ],
        ),
    ]


def _records(facts: BuildFacts, survey: Survey) -> report.Section:
    samples = {capability: draw.drawn() for capability, draw in survey.samples.items()}
    return "Samples", [viewer(samples, tables.total(facts))]


def _closed_book(facts: BuildFacts) -> list[report.Section]:
    capabilities = [entry for entry in facts["closed_book"] if not entry["form"]]
    blocks: list[report.Block] = [report.Paragraph(tables.CLOSED_BOOK), _table(tables.closed_book(facts))]
    blocks.append(_table(tables.closed_book(facts, of_forms=True), "Per task form"))
    blocks += [_table(tables.strategies(entry), tables.name(entry["capability"])) for entry in capabilities]
    return [("Closed book", blocks)]


HISTORY = ("Versions", "Diagnosis")
"""Sections that stand before the records: why the dataset is what it is."""


def _history(facts: BuildFacts) -> list[report.Section]:
    return [_section(phase) for phase in phases.phases(facts) if phase.title in HISTORY]


def _checks(facts: BuildFacts) -> list[report.Section]:
    return [_section(phase) for phase in phases.phases(facts) if phase.title not in HISTORY]


def _section(phase: Phase) -> report.Section:
    blocks: list[report.Block] = [report.Paragraph(phase.text)]
    blocks += [_bars(counts, caption) for caption, counts in phase.bars]
    blocks += [_table(table, caption) for caption, table in shown([*phase.tables, *phase.details])]
    return phase.title, blocks


def _phases(facts: BuildFacts) -> list[report.Section]:
    refused = facts["collect"]["refusals"]
    blocks: list[report.Block] = [_table(tables.refusals(facts), "Why files, rows and documents did not stay")]
    if refused:
        rows = [[item["source"], item["reason"]] for item in refused]
        blocks.append(_table((["file or row", "reason"], rows), f"The first {len(rows)} refusals"))
    return [
        ("Collect", blocks),
        ("Assign", [_table(tables.eligible(facts), "Documents that can serve a capability")]),
        (
            "Construct",
            [
                _table(tables.attempts(facts), "What became of the attempts"),
                _table(tables.reasons(facts, REASONS), "Why attempts came to nothing"),
            ],
        ),
    ]
