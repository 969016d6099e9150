"""What stands above a report: the kind of run, its state, when it was made and with what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from golongrl import __version__
from golongrl.core.report.cells import show_time
from golongrl.core.runs import now, read_manifest

Verdict = Literal["passed", "failed", "finished", "unfinished"]


@dataclass(frozen=True)
class Header:
    """`kind` in words ("Reward audit"), the verdict as a chip, and a line of short facts."""

    kind: str
    verdict: Verdict | None = None
    facts: Mapping[str, Any] = field(default_factory=lambda: {"golongrl": __version__})


def header_of(
    folder: str | Path, kind: str, verdict: Verdict = "finished", *, complete: bool = False, **facts: Any
) -> Header:
    """The header of a run folder, from its manifest.json: `verdict` if the run is complete, else "unfinished".

    A run that is not complete is shown as of now. `complete` is for pages that a run writes right before it closes
    its manifest.
    """
    manifest = read_manifest(folder)
    finished = manifest.get("finished") or (now() if complete else None)
    times = {"started": show_time(str(manifest.get("started")))}
    times |= {"finished": show_time(finished)} if finished else {"as of": show_time(now())}
    version = manifest.get("versions", {}).get("golongrl", __version__)
    return Header(kind, verdict if finished else "unfinished", {**times, "golongrl": version, **facts})
