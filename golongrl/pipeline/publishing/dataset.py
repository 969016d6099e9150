"""A dataset folder as a parcel: records that can be read, a card that fits them, rewards that were audited."""

import fnmatch
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from golongrl.core import json_text
from golongrl.core.config import PROJECT_FILE, read_toml
from golongrl.core.errors import DataError, require
from golongrl.core.records import parse_record, read_record_rows
from golongrl.pipeline.publishing import audits, cards
from golongrl.pipeline.publishing.checks import Check, shown
from golongrl.pipeline.publishing.parcel import ALWAYS, CARD, Facts, Packing, Parcel, existing_folder
from golongrl.pipeline.publishing.settings_file import portable, settings_toml

ABOUT = (*ALWAYS, "build.json", "report.html", "documents.jsonl", "changelog.jsonl", "*.png", "*.svg")
"""What is published besides the data: files that tell where the records are from."""
METADATA = ("license", "language", "task_categories", "size_categories", "configs")
SECTIONS = ("Records", "Funnel", "Licences", "Sources", "Fields", "Splits")
"""Sections of a card by `build-dataset`."""
AUDIT = "Reward audit"
MOST_BAD_ROWS = 3


def pack(path: Path, facts: Facts, progress: Any) -> Parcel:
    """The parcel of a dataset folder: what `golongrl build-dataset` writes, or parquet and JSONL with a card."""
    packing = Packing(existing_folder(path, "a dataset"), progress)
    packing.take(ABOUT, deep=["*.parquet"])
    card, problem = _card(path, facts)
    if card is None:
        checks = [Check("card complete", "", [problem])]
        return Parcel("dataset", {}, checks)
    named, card_problems = _named_data(packing, card)
    data = {name: path / name for name in named}
    packing.sources.update(data)
    build = _build_facts(path)
    counts, schema = _read(packing, data)
    audited, reports = audits.check_audits(path, {name: packing.content(file).sha256 for name, file in data.items()})
    for name, report in reports.items():
        about = json.dumps(audits.portable(report, name), indent=2, ensure_ascii=False) + "\n"
        packing.sources[f"{audits.PUBLISHED}/{name.replace('/', '-')}.json"] = about.encode()
    if (path / PROJECT_FILE).is_file():
        packing.sources[PROJECT_FILE] = _training_settings(path / PROJECT_FILE).encode()
    licence = _licence(card, build)
    complete = cards.check_complete(card, METADATA, SECTIONS if build else ())
    complete.problems.extend([*card_problems, *_other_counts(card, build, counts)])
    card.text = cards.with_section(card.text, AUDIT, "\n".join(audits.section(reports)))
    packing.sources[CARD] = card.content.encode()
    files = packing.contents()
    checks = [schema, complete, licence, audited, *packing.scan.checks()]
    return Parcel("dataset", files, checks, packing.left_out())


def _card(folder: Path, facts: Facts) -> tuple[Any, str]:
    """The folder's card with the licence that the caller gave; None and the reason where there is none."""
    path = folder / CARD
    if not path.is_file():
        return None, f"{folder} holds no {CARD}; golongrl build-dataset writes one"
    try:
        card = cards.parse(path.read_text(encoding="utf-8"), "dataset")
    except (ValueError, TypeError) as error:
        return None, f"{path}: {error}; mend its metadata"
    if facts.licence is not None:
        card.data.license = facts.licence
        if facts.licence == cards.OTHER:
            card.data.license_name = card.data.get("license_name") or "see-card"
    return card, ""


def _named_data(packing: Packing, card: Any) -> tuple[list[str], list[str]]:
    """Data files that the card's `configs` hand to loaders, and what is wrong with them."""
    there = packing.names()
    named: list[str] = []
    problems = []
    for pattern in _patterns(card.data.get("configs") or []):
        found = fnmatch.filter(there, pattern)
        named += found
        if not found:
            problems.append(f"{CARD} names the data {pattern}, and there is none; mend its configs")
    unknown = [name for name in packing.sources if name.endswith(".parquet") and name not in named]
    if unknown:
        problems.append(f"no config of {CARD} names {shown(unknown)}; add it, or take it away")
    return sorted(set(named)), problems


def _patterns(configs: Any) -> Iterator[str]:
    """File names and globs under `data_files`, in any of the forms that the hub allows."""
    for config in configs if isinstance(configs, list) else []:
        files = config.get("data_files") if isinstance(config, dict) else None
        for entry in files if isinstance(files, list) else [files]:
            paths = entry.get("path") if isinstance(entry, dict) else entry
            yield from (str(path) for path in (paths if isinstance(paths, list) else [paths]) if path)


def _build_facts(folder: Path) -> dict[str, Any]:
    """build.json; empty for a dataset that was made elsewhere."""
    path = folder / "build.json"
    if not path.is_file():
        return {}
    found = json_text.read_object(path, "build the dataset again")
    return found if "records" in found else {}


def _read(packing: Packing, data: Mapping[str, Path]) -> tuple[dict[str, int], Check]:
    """Rows per file, and whether each is a record; their texts are searched on the way."""
    counts: dict[str, int] = {}
    problems = []
    for name, path in data.items():
        packing.searched.add(name)
        bad: list[str] = []
        count = 0
        try:
            if path.suffix == ".parquet":
                packing.scan.value(name, "file metadata", _file_metadata(path))
            with packing.progress(f"{name}: records read") as bar:
                for number, row in read_record_rows(path):
                    count += 1
                    try:
                        parse_record(row, f"{name} row {number}")
                    except DataError as error:
                        bad.append(str(error))
                    packing.scan.value(name, f"row {number}", row)
                    bar.advance(1)
        except DataError as error:
            bad.append(str(error))
        if not count and not bad:
            bad.append(f"{name} holds no record; build it again")
        counts[name] = count
        problems += bad[:MOST_BAD_ROWS]
        if len(bad) > MOST_BAD_ROWS:
            problems.append(f"{name}: {len(bad) - MOST_BAD_ROWS} more rows like these")
    if not data:
        problems.append(f"there is no data that {CARD} names; build-dataset writes train.parquet and names it")
    return counts, Check("records readable", f"{sum(counts.values()):,} in {len(counts)} files", problems)


def _training_settings(path: Path) -> str:
    """The settings that build-dataset wrote for training, with the data by their names in the repository."""
    settings = portable(read_toml(path).get("train", {}))
    names = {key: Path(settings[key]).name for key in ("data", "val_data") if settings.get(key)}
    return settings_toml("train", settings | names)


def _file_metadata(path: Path) -> dict[str, str]:
    """Key-value metadata of a parquet file, into which its writer may have put anything."""
    arrow, parquet = require("pyarrow"), require("pyarrow.parquet")
    try:
        found = parquet.read_metadata(path).metadata or {}
    except (arrow.ArrowException, OSError):
        # Reading its rows says what is wrong.
        return {}
    return {key.decode(errors="replace"): text.decode(errors="replace") for key, text in found.items()}


def _other_counts(card: Any, build: Mapping[str, Any], counts: Mapping[str, int]) -> Iterator[str]:
    """Whether build.json, from which the card was written, counts other records than there are."""
    if not build:
        return
    files = {"train": "train.parquet", "validation": "val.parquet"}
    for split, number in build["records"]["splits"].items():
        there = counts.get(files.get(split, ""), 0)
        if there != number:
            yield (
                f"{CARD} was written for {number:,} records of the split {split}, and {files.get(split)} holds "
                f"{there:,}; build it again"
            )


def _licence(card: Any, build: Mapping[str, Any]) -> Check:
    """Documents of known licences settle it; several make the licence "other" with its name."""
    licences = build.get("records", {}).get("licences", {})
    unknown = licences.get("unknown", {}).get("documents", 0)
    named = card.data.get("license_name")
    if card.data.get("license") == cards.OTHER and not named and licences and not unknown:
        card.data.license_name = "several"
    hint = f", and {unknown:,} documents have no known one" if unknown else ""
    return cards.check_licence(card, hint)
