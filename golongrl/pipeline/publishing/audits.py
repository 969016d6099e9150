"""Reports of `golongrl verify-rewards` as the proof that the rewards of a data file hold."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from golongrl.core import json_text
from golongrl.pipeline.publishing.checks import Check

FILE = "audit.json"
PUBLISHED = "audit"
"""Folder of the reports in a repository, and in a dataset that was downloaded from one."""


def find_audits(folder: Path) -> dict[str, dict[str, Any]]:
    """sha256 of a data file -> its newest audit among the reports below a folder."""
    found: dict[str, dict[str, Any]] = {}
    reports = [*folder.rglob(FILE), *folder.glob(f"{PUBLISHED}/*.json")]
    for path in sorted(reports, key=lambda path: path.stat().st_mtime):
        try:
            report = json_text.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError):
            continue
        if isinstance(report, dict) and isinstance(report.get("sha256"), str):
            found[report["sha256"]] = report
    return found


def check_audits(folder: Path, data: Mapping[str, str]) -> tuple[Check, dict[str, dict[str, Any]]]:
    """Whether every data file (path in the folder -> sha256) passed a whole audit; and those audits.

    An audit belongs to the file with its sha256, so that one of other data proves nothing.
    """
    audits, passed, problems = find_audits(folder), {}, []
    for name, sha256 in data.items():
        report = audits.get(sha256)
        problem = _problem(report)
        if problem is None and report is not None:
            passed[name] = report
        else:
            problems.append(f"{name}: {problem}; run: golongrl verify-rewards {folder / name}")
    rows = sum(report["checked"] for report in passed.values())
    return Check("rewards audited", f"{rows:,} records in {len(passed)} files", problems), passed


def _problem(report: Mapping[str, Any] | None) -> str | None:
    if report is None:
        return "its rewards were not audited, or it has changed since"
    if not report.get("passed"):
        return f"its audit failed ({'; '.join(map(str, report.get('problems', [])))})"
    if report.get("checked") != report.get("rows"):
        return f"only {report.get('checked')} of {report.get('rows')} rows were audited"
    if not report.get("probes"):
        return "its audit left the attacks out (--no-audit)"
    return None


def portable(report: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A report without paths of this machine; `name` is the data file's path in the repository."""
    return {**{key: value for key, value in report.items() if key != "out"}, "data": name}


def section(audits: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Lines of Markdown about the audits."""
    yield (
        "Every record was audited with `golongrl verify-rewards`: its gold answer earns 1.0 in any dress, attacks "
        "stay below their bounds, and a corrupted answer earns less. The folder `audit` holds the reports."
    )
    yield ""
    yield "| file | records | gold answers at 1.0 | attacks tried | attacks that pay | dresses tried | sha256 |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for name, report in sorted(audits.items()):
        gold = sum(metric["gold_ok"] for metric in report.get("metrics", {}).values())
        paid = sum(probe["verdict"] != "ok" for probe in report["probes"])
        yield (
            f"| {name} | {report['checked']:,} | {gold:,} | {len(report['probes']):,} | {paid:,} | "
            f"{len(report.get('variants', [])):,} | `{report['sha256'][:16]}` |"
        )
