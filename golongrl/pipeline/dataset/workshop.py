"""What every phase of a build works with."""

from dataclasses import dataclass, field
from pathlib import Path

from golongrl.pipeline.dataset.calls import Calls
from golongrl.pipeline.dataset.collect import Progress
from golongrl.pipeline.dataset.drafts import Funnel
from golongrl.pipeline.dataset.screen import Contamination
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.dataset.workers import RunAll

WORK = "work"
"""Folder of intermediate results inside the run folder; it goes when the build is finished."""


@dataclass(frozen=True)
class Workshop:
    """The folder of a run, its settings, and what phases share; `contamination` is None without benchmarks."""

    folder: Path
    config: BuildConfig
    calls: Calls
    contamination: Contamination | None
    run_all: RunAll
    progress: Progress
    funnel: Funnel = field(default_factory=Funnel)

    @property
    def work(self) -> Path:
        """The folder of intermediate results."""
        return self.folder / WORK
