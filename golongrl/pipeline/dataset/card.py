"""The dataset card (README.md with YAML front matter) and the report page, both from the numbers of build.json."""

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

from golongrl.core import report, tasks
from golongrl.core.records import Record
from golongrl.core.store import write_text
from golongrl.core.tokens import format_length
from golongrl.pipeline.dataset.construct import TASK_FORMS
from golongrl.pipeline.dataset.settings import BuildConfig

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def command(config: BuildConfig, out: Path) -> str:
    """The command line that builds this dataset again; paths of this machine are cut to their last part."""
    words = ["golongrl", "build-dataset", *(_portable(source) for source in config.sources)]
    words += ["--out", _portable(str(out)), "--capabilities", ",".join(config.capabilities)]
    words += ["--target", str(config.target), "--length-bins", ",".join(map(format_length, config.length_bins))]
    words += ["--tokenizer", _portable(config.tokenizer), "--val-share", f"{config.val_share:g}"]
    words += ["--seed", str(config.seed)]
    for key in ("template_tokens", "max_document_mb", "text_column"):
        if getattr(config, key) != type(config).model_fields[key].default:
            words += ["--set", f"{key}={getattr(config, key)}"]
    return shlex.join(words)


def _portable(path: str) -> str:
    given = Path(path)
    if not given.is_absolute():
        return path
    here = Path.cwd()
    return str(given.relative_to(here)) if given.is_relative_to(here) else given.name


def cell_counts(train: list[Record], val: list[Record], bounds: tuple[int, ...]) -> list[list[Any]]:
    """Rows (capability, one count per length bin, total) over both splits."""
    labels = [format_length(bound) for bound in bounds]
    counts = Counter((r.extra_info["capability"], length_label(r, bounds)) for r in (*train, *val))
    ids = sorted({capability for capability, _ in counts})
    return [
        [_name(i), *(counts[i, label] for label in labels), sum(counts[i, label] for label in labels)] for i in ids
    ]


def length_label(record: Record, bounds: tuple[int, ...]) -> str:
    """The length bin of a record."""
    return format_length(min(bound for bound in bounds if record.extra_info["n_tokens"] <= bound))


def _name(capability: str) -> str:
    return f"{capability} {tasks.CAPABILITIES[capability].name}"


def licences(train: list[Record], val: list[Record]) -> Counter[str]:
    """How many documents shown in the prompts carry each licence."""
    known: dict[str, str] = {}
    for record in (*train, *val):
        known |= dict(zip(record.extra_info["doc_sha256"], record.extra_info["licence"], strict=True))
    return Counter(known.values())


def write_card(
    path: Path, config: BuildConfig, out: Path, facts: dict[str, Any], train: list[Record], val: list[Record]
) -> None:
    """Write README.md."""
    languages = sorted({record.language for record in (*train, *val)})
    found = licences(train, val)
    total = len(train) + len(val)
    size = next((label for bound, label in SIZES if total < bound), "n>1M")
    files = [("train", "train.parquet")] + ([("validation", "val.parquet")] if val else [])
    only = next(iter(found)) if len(found) == 1 else ""
    front = ["---", f"license: {json.dumps(only.lower() if only and only != 'unknown' else 'other')}", "language:"]
    front += [f"- {language}" for language in languages]
    front += ["task_categories:", "- question-answering", "- text-generation", "tags:", "- long-context", "- rlvr"]
    front += ["- golongrl", "size_categories:", f"- {json.dumps(size)}", "configs:", "- config_name: default"]
    front += ["  data_files:"]
    for split, name in files:
        front += [f"  - split: {split}", f"    path: {name}"]
    labels = [format_length(bound) for bound in config.length_bins]
    forms = Counter(r.extra_info["task_form"] for r in (*train, *val))
    body = [
        "# Long-context RLVR dataset built by rules",
        f"{len(train)} training and {len(val)} validation records from {facts['documents']} documents, made by "
        "golongrl's rules track: every question is built from a document's own structure, every gold answer scores "
        "1.0 under its own reward, and every record names the characters of the document that prove it.",
        "```\n" + command(config, out) + "\n```",
        "## Records per capability and prompt length",
        f"Lengths are tokens of the prompt counted with `{_portable(config.tokenizer)}`; a column holds prompts "
        "up to its name.",
        _markdown(["capability", *labels, "all"], cell_counts(train, val, config.length_bins)),
        "## Task forms",
        _markdown(
            ["form", "capability", "metric", "what is asked", "records"],
            [
                [n, f.capability, tasks.CAPABILITIES[f.capability].metric, _what(f.construct), forms[n]]
                for n, f in TASK_FORMS.items()
                if forms[n]
            ],
        ),
        "## Funnel",
        _markdown(["step", "count"], funnel(facts)),
        "## Licences of the documents",
        _markdown(["licence", "documents"], sorted(found.items())),
        "## Fields",
        "`data_source`, `prompt`, `ability`, `reward_model.ground_truth` (`golden_label` for single answers, "
        "`doc_ids` for lists and reference summaries, `summary` = language label) as verl reads them. "
        "`extra_info` adds capability, metric, form, token count, and per document of the prompt its "
        "sha256, relative source and licence. `evidence` spans index into `text` of the row with this `sha256` in "
        "documents.jsonl.",
        "Validation records are about documents that no training record is about or shows.",
    ]
    if facts["shortfall"]:
        body += [
            "## Shortfall",
            _markdown(["capability", "missing"], [[_name(c), n] for c, n in facts["shortfall"].items()]),
        ]
    write_text(path, "\n".join([*front, "---", ""]) + "\n" + "\n\n".join(body) + "\n")


def funnel(facts: dict[str, Any]) -> list[list[Any]]:
    """What went in and what came out, step by step."""
    steps = [
        ["files found", facts["files"]],
        ["files and rows refused (refused.jsonl says why)", facts["refused"]],
        ["documents", facts["documents"]],
        ["excerpts passed over (no unambiguous question in them)", _total(facts["unfit"])],
        ["records dropped (gold, evidence or repetition)", _total(facts["dropped"])],
        ["records kept", facts["train"] + facts["val"]],
    ]
    return steps


def _total(tallies: dict[str, dict[str, int]]) -> int:
    return sum(sum(reasons.values()) for reasons in tallies.values())


def _what(construct: Any) -> str:
    return construct.__doc__.split("\n")[0].rstrip(".")


def _markdown(columns: list[str], rows: list[list[Any]] | list[tuple[Any, ...]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in lines)


def write_report(
    path: Path, config: BuildConfig, out: Path, facts: dict[str, Any], train: list[Record], val: list[Record]
) -> None:
    """Write report.html: counts, funnel, reasons, refusals, and one sample per task form."""
    labels = [format_length(bound) for bound in config.length_bins]
    reasons = [
        [capability, kind, reason, count]
        for kind in ("unfit", "dropped")
        for capability, tally in facts[kind].items()
        for reason, count in sorted(tally.items(), key=lambda item: -item[1])
    ]
    samples = {record.extra_info["task_form"]: record for record in reversed((*val, *train))}
    shown = [
        [name, record.extra_info["question"], record.gold.golden_label or "\n".join(record.gold.doc_ids)]
        for name, record in sorted(samples.items())
    ]
    sections: list[Any] = [
        (
            "Result",
            [
                report.KeyValues(
                    {"training records": len(train), "validation records": len(val), "command": command(config, out)}
                )
            ],
        ),
        (
            "Records per capability and prompt length",
            [report.Table(["capability", *labels, "all"], cell_counts(train, val, config.length_bins))],
        ),
        ("Funnel", [report.Table(["step", "count"], funnel(facts))]),
        (
            "Licences",
            [report.Table(["licence", "documents"], [list(row) for row in sorted(licences(train, val).items())])],
        ),
        ("One question per task form", [report.Table(["form", "question", "gold"], shown)]),
        (
            "Why excerpts and records did not stay",
            [report.Table(["capability", "kind", "form and reason", "count"], reasons)],
        ),
    ]
    if facts["shortfall"]:
        rows = [[_name(c), n] for c, n in facts["shortfall"].items()]
        sections.insert(1, ("Shortfall", [report.Table(["capability", "missing records"], rows)]))
    if facts["refusals"]:
        rows = [[item["source"], item["reason"]] for item in facts["refusals"][:200]]
        sections.append(("Refused", [report.Table(["file", "reason"], rows, "refused.jsonl holds all of them")]))
    report.write_page(path, "Dataset build", sections)
