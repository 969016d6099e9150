"""The benchmarks of `golongrl eval`. To add one: a module with a Benchmark, and its line in BENCHMARKS and GROUPS.

A plugin (`golongrl.core.plugins`) may add to BENCHMARKS as well.
"""

import difflib

from golongrl.core.errors import UsageError
from golongrl.pipeline.evaluation.benchmarks.aime import AIME24, AIME25
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark
from golongrl.pipeline.evaluation.benchmarks.bfcl_memory import BFCL_MEMORY
from golongrl.pipeline.evaluation.benchmarks.corpusqa import CORPUSQA_1M, CORPUSQA_128K
from golongrl.pipeline.evaluation.benchmarks.docmath import DOCMATH
from golongrl.pipeline.evaluation.benchmarks.frames import FRAMES
from golongrl.pipeline.evaluation.benchmarks.gpqa import GPQA_DIAMOND
from golongrl.pipeline.evaluation.benchmarks.longbench_qa import LONGBENCH_QA
from golongrl.pipeline.evaluation.benchmarks.longbench_v2 import LONGBENCH_V2
from golongrl.pipeline.evaluation.benchmarks.longmemeval import LONGMEMEVAL
from golongrl.pipeline.evaluation.benchmarks.mmlu_pro import MMLU_PRO
from golongrl.pipeline.evaluation.benchmarks.mrcr import MRCR, MRCR_1M, MRCR_128K, MRCR_512K
from golongrl.pipeline.evaluation.benchmarks.mrcr_mini import MRCR_MINI

BENCHMARKS: dict[str, Benchmark] = {
    "mrcr": MRCR,
    "mrcr-mini": MRCR_MINI,
    "mrcr-128k": MRCR_128K,
    "mrcr-512k": MRCR_512K,
    "mrcr-1m": MRCR_1M,
    "longbench-v2": LONGBENCH_V2,
    "frames": FRAMES,
    "longbench-qa": LONGBENCH_QA,
    "docmath": DOCMATH,
    "corpusqa-128k": CORPUSQA_128K,
    "corpusqa-1m": CORPUSQA_1M,
    "mmlu-pro": MMLU_PRO,
    "aime24": AIME24,
    "aime25": AIME25,
    "gpqa-diamond": GPQA_DIAMOND,
    "longmemeval": LONGMEMEVAL,
    "bfcl-memory": BFCL_MEMORY,
}

GROUPS: dict[str, tuple[str, ...]] = {
    "long-context": (
        "mrcr-128k",
        "mrcr-512k",
        "mrcr-1m",
        "longbench-v2",
        "frames",
        "longbench-qa",
        "docmath",
        "corpusqa-128k",
        "corpusqa-1m",
    ),
    "general": ("mmlu-pro", "aime24", "aime25", "gpqa-diamond"),
    "memory": ("longmemeval", "bfcl-memory"),
}
"""Names that stand for several benchmarks; `all` is every one of these."""
GROUPS["all"] = tuple(name for names in list(GROUPS.values()) for name in names)

CAPABILITIES: dict[str, str] = {
    **dict.fromkeys(("mrcr", "mrcr-mini", "mrcr-128k", "mrcr-512k", "mrcr-1m"), "T1"),
    **dict.fromkeys(("longbench-v2", "frames", "longbench-qa", "longmemeval"), "T2"),
    **dict.fromkeys(("corpusqa-128k", "corpusqa-1m"), "T3"),
    "docmath": "T4",
}
"""Which of the nine capabilities of `golongrl.core.tasks` a benchmark measures; knowledge and tools are none."""


def expand(names: list[str]) -> list[str]:
    """Names with each group replaced by its benchmarks, each once, in order; UsageError for an unknown one."""
    found = [one for name in names for one in GROUPS.get(name, (name,))]
    for name in found:
        get(name)
    return list(dict.fromkeys(found))


def get(name: str) -> Benchmark:
    """A benchmark by name; UsageError listing all names."""
    if name not in BENCHMARKS:
        near = difflib.get_close_matches(name, [*BENCHMARKS, *GROUPS], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise UsageError(
            f"unknown benchmark {name!r}{hint} Benchmarks: {', '.join(BENCHMARKS)}. Groups: {', '.join(GROUPS)}. "
            "Those of a plugin are there when GOLONGRL_PLUGINS names it"
        )
    return BENCHMARKS[name]
