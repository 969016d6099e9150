"""The benchmarks of `golongrl eval`. To add one: a module with a Benchmark, and its line in BENCHMARKS."""

import difflib

from golongrl.core.errors import UsageError
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark
from golongrl.pipeline.evaluation.benchmarks.mrcr import MRCR
from golongrl.pipeline.evaluation.benchmarks.mrcr_mini import MRCR_MINI

BENCHMARKS: dict[str, Benchmark] = {
    "mrcr": MRCR,
    "mrcr-mini": MRCR_MINI,
}


def get(name: str) -> Benchmark:
    """A benchmark by name; UsageError listing all names."""
    if name not in BENCHMARKS:
        near = difflib.get_close_matches(name, BENCHMARKS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"unknown benchmark {name!r}{hint} Benchmarks: {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]
