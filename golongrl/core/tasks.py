"""The nine capabilities, their metrics and every name by which published data call them: one table.

Sources: the capability strings and metric order of the recipe (arXiv 2605.19577) and its dataset
`Kwai-Klear/GoLongRL`; the 25 task names of LongBench Pro (arXiv 2601.02872).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Capability:
    """One capability: its id, its `ability` string on disk, its metric, and how records of it are labelled."""

    id: str
    name: str
    ability: str
    metric: str
    data_source: str
    reward_mode: str


CAPABILITIES: dict[str, Capability] = {
    c.id: c
    for c in (
        Capability("T1", "precise retrieval", "precise long-range information retrieval", "em", "EM", "EM"),
        Capability(
            "T2",
            "comprehension",
            "evidence-grounded comprehension and reasoning",
            "choice",
            "selection",
            "selection",
        ),
        Capability(
            "T3",
            "exhaustive retrieval",
            "high-recall exhaustive retrieval and verification",
            "f1",
            "longbench_pro",
            "T6.2 Targeted Subset Cluster Identification",
        ),
        Capability(
            "T4",
            "numerical reasoning",
            "numerical extraction and quantitative reasoning",
            "math",
            "math_longcot_math_verify",
            "math_longcot_math_verify",
        ),
        Capability(
            "T5",
            "structured extraction",
            "multi-table structured extraction",
            "iou",
            "multitableqa_pretraining",
            "multitableqa_pretraining",
        ),
        Capability(
            "T6",
            "structured matching",
            "fragment-level structured matching and induction",
            "subem",
            "longbench_pro",
            "T8.2 Single-Source Targeted Aggregation",
        ),
        Capability(
            "T7",
            "graded ranking",
            "dimension-quantified retrieval and graded ranking",
            "ndcg",
            "longbench_pro",
            "T1.1 Global Cohesive Retrieval",
        ),
        Capability(
            "T8",
            "sequence ordering",
            "sequence reconstruction and ordering",
            "pairwise",
            "longbench_pro",
            "T2.1 Global Timeline Reconstruction",
        ),
        Capability(
            "T9",
            "summarization",
            "long document summarization",
            "rouge_l",
            "longbench_pro",
            "T4.1 Global-Coverage Constrained Summary",
        ),
    )
}

METRICS: dict[str, str] = {c.metric: c.metric for c in CAPABILITIES.values()}
"""Metric -> the one of the nine whose form of gold answers it reads; `golongrl.rewards.register` adds to it."""

LONGBENCH_PRO: dict[str, str] = {
    "T1.1 Global Cohesive Retrieval": "ndcg",
    "T1.2 Key-Snippet Retrieval": "ndcg",
    "T2.1 Global Timeline Reconstruction": "pairwise",
    "T2.2 Local Causal Chain Sorting": "pairwise",
    "T3.1 Multi-Doc Integration QA": "choice",
    "T3.2 Single-Hop Fact QA": "choice",
    "T4.1 Global-Coverage Constrained Summary": "rouge_l",
    "T4.2 Query-Focused Summary": "rouge_l",
    "T5.1 Full-Sentence Citation Alignment": "f1",
    "T5.2 Key-Statement Citation Alignment": "f1",
    "T6.1 Large-Scale Document Clustering": "subem",
    "T6.2 Targeted Subset Cluster Identification": "f1",
    "T6.3 Global Frequency Analysis": "pairwise",
    "T7.1 Global Conflict & Inconsistency Localization": "f1",
    "T7.2 Targeted Rule or Condition Violation Detection": "f1",
    "T7.3 Comprehensive Error & Anomaly Sweep": "f1",
    "T8.1 Structured Multi-Source Consistency Verification": "subem",
    "T8.2 Single-Source Targeted Aggregation": "subem",
    "T8.3 Long-Context Procedural State Tracking": "subem",
    "T9.1 Dependency-Aware Multi-Version Impact Analysis": "f1",
    "T9.2 Localized Interface Change Detection": "f1",
    "T10.1 Large-Scale In-Context Rule Induction": "subem",
    "T10.2 Targeted Example-Based Rule Induction": "subem",
    "T11.1 Long-Range Entity & Commitment Tracking": "choice",
    "T11.2 Short-Range Reference Resolution & State Query": "choice",
}

RETRIEVAL_CALCULATE = "retrieval_calculate"
"""Published rows that ask for the documents used as well as for a number."""

LEGACY_SOURCES: dict[str, str] = {
    "EM": "em",
    "selection": "choice",
    "math_longcot_math_verify": "math",
    RETRIEVAL_CALCULATE: "math",
    "multitableqa_pretraining": "iou",
}


def capability_of(metric: str) -> str:
    """T1 to T9: the capability whose metric this is, or has the form of."""
    return next(c.id for c in CAPABILITIES.values() if c.metric == METRICS[metric])


def metric_name(data_source: str, extra_info: Mapping[str, Any]) -> str | None:
    """The metric of a record: `extra_info.metric`, else what its reward_mode or data_source stands for, else None."""
    named = extra_info.get("metric")
    if named:
        return named if isinstance(named, str) and named in METRICS else None
    for name in (str(extra_info.get("reward_mode") or ""), data_source):
        found = LONGBENCH_PRO.get(name) or LEGACY_SOURCES.get(name)
        if found:
            return found
        if "math_longcot_math_verify" in name:
            return "math"
    return None
