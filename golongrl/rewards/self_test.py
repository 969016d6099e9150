"""The audit of the metrics themselves, on a built-in set: every metric, every published form, two languages."""

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from golongrl.core.store import atomic_path
from golongrl.rewards.audit import audit
from golongrl.rewards.audit_report import AuditReport

NAME = "built-in set"

_LISTS = {
    "en": [
        ["Harbour master", "Deputy pilot", "Signal clerk", "Lamp keeper", "Tide watcher", "Rope maker"],
        ["Section 4.2", "Section 7", "Annex B", "Schedule 3"],
        ["copper", "tin", "zinc", "lead", "silver"],
        ["https://example.org/a", "src/main.rs", "x = y + 1", "v2.0-rc1"],
    ],
    "zh": [
        ["北京市", "上海市", "广州市", "深圳市", "成都市"],
        ["第一章 总则", "第二章 董事会", "第三章 监事会", "附则"],
        ["张三", "李四", "王五", "赵六"],
    ],
}
_SUMMARIES = {
    "en": [
        "The committee reviewed the harbour accounts for the past year. It found that repairs to the northern pier "
        "had cost twice the estimate, approved a loan to finish the work before winter, and asked the engineer to "
        "report each month on progress and spending.",
        "A storm delayed the convoy for nine days. When the ships finally sailed, two of them had already sold their "
        "cargo to merchants on the coast, which led to a dispute that the court settled in favour of the owners.",
    ],
    "zh": [
        "本年度公司营业收入同比增长百分之十二，主要来自海外市场。管理层预计明年成本下降，计划扩大生产规模，并向股东派发现金红利。",
        "会议讨论了新车站的选址方案。多数代表认为东部地区人口密集，交通需求更大，因此建议优先建设东线，同时保留西线的规划用地。",
    ],
}
_SHORT = {
    "en": ["Marseille", "17 March 1848", "Dr. Anna Lindqvist", "USS Meridian"],
    "zh": ["杭州", "一九四八年", "林徽因"],
}
_TABLES = [
    [["North", 120, 4.5], ["South", 80, 3.25], ["West", 64, 1.5], ["East", 1200, 2]],
    [["甲公司", "2023", 15.2], ["乙公司", "2022", 9.8], ["丙公司", "2021", 7]],
    [["007", "Bond", True], ["008", "Smith", False], ["009", "Jones", None]],
]
_NUMBERS = [
    "42",
    "1,234.5",
    "3/4",
    "50%",
    "-17",
    "3 million",
    r"\frac{\pi}{2}",
    "x^2+2x+1",
    "1.5倍",
    "2,300元",
    "0.07",
]


def rows() -> list[dict[str, Any]]:
    """The built-in records, in the schema of the disk."""
    return [
        {
            "data_source": source,
            "prompt": [{"role": "user", "content": _PROMPT.format(index)}],
            "reward_model": {"style": "rule", "ground_truth": truth},
            "extra_info": {"index": index, **info},
        }
        for index, (source, truth, info) in enumerate(_forms())
    ]


_PROMPT = (
    "Document {0}. The northern warehouse holds 18 barrels of oil, 7 crates of lamps and 230 coils of rope.\n"
    "The clerk notes every delivery. 仓库管理员每天登记三次。\n\n"
    "Read the documents and answer. Write the final answer behind the marker."
)


def _forms() -> Iterator[tuple[str, Any, dict[str, Any]]]:
    for language, named in (("en", "English"), ("zh", "Chinese")):
        info = {"language": language}
        for items in _LISTS[language]:
            for metric in ("f1", "subem", "ndcg", "pairwise"):
                yield "golongrl", {"doc_ids": items}, {"metric": metric, **info}
        for answer in _SHORT[language]:
            yield "golongrl", {"golden_label": answer, "doc_ids": [f"{answer} (alias)"]}, {"metric": "em", **info}
            yield "EM", [{"golden_label": answer, "doc_ids": [], "summary": ""}], {"reward_mode": "EM"}
            task = "T3.2 Single-Hop Fact QA"
            yield (
                "longbench_pro",
                [{"golden_label": "", "doc_ids": [answer], "summary": named}],
                {"reward_mode": task},
            )
        for summary in _SUMMARIES[language]:
            yield "golongrl", {"doc_ids": [summary, "..."]}, {"metric": "rouge_l", **info}
            truth = {"golden_label": "", "doc_ids": [summary], "summary": named}
            yield "longbench_pro", [truth], {"reward_mode": "T4.2 Query-Focused Summary"}
    for letter in "ABCD":
        yield "golongrl", {"golden_label": letter}, {"metric": "choice", "options": ["w", "x", "y", "z"]}
        label = f"The correct answer is ({letter})"
        yield "selection", [{"golden_label": label, "doc_ids": [], "summary": ""}], {"reward_mode": "selection"}
    for table in _TABLES:
        text = json.dumps({"data": table}, ensure_ascii=False)
        yield "multitableqa_pretraining", {"golden_label": text}, {"reward_mode": "multitableqa_pretraining"}
    for number in _NUMBERS:
        source = "math_longcot_math_verify"
        yield source, [{"golden_label": number, "doc_ids": [], "summary": ""}], {"reward_mode": source}
    yield "golongrl", {"golden_label": "12.35"}, {"metric": "math", "tolerance": 0.01}
    documents = {"golden_label": "42", "doc_ids": ["<|doc_3|>", "<|doc_11|>"], "summary": ""}
    yield "retrieval_calculate", [documents], {"reward_mode": "retrieval_calculate"}
    items = _LISTS["en"][0]
    for task in ("T1.1 Global Cohesive Retrieval", "T2.1 Global Timeline Reconstruction"):
        yield "longbench_pro", [{"golden_label": "", "doc_ids": items, "summary": "English"}], {"reward_mode": task}
    for task in ("T5.1 Full-Sentence Citation Alignment", "T8.2 Single-Source Targeted Aggregation"):
        yield "longbench_pro", [{"golden_label": "", "doc_ids": items, "summary": "English"}], {"reward_mode": task}
    yield "golongrl", {"doc_ids": items[:3]}, {"metric": "ndcg", "relevance": [3.0, 1.0, 1.0]}
    verbatim = "Kx81Zq A poem about lanterns\nand a second line."
    yield "golongrl", {"golden_label": verbatim}, {"metric": "em", "strict_prefix": "Kx81Zq"}


def self_test(*, out: str | Path | None = None, progress: Callable[[int], None] | None = None) -> AuditReport:
    """Audit the built-in set with everything there is; same report and files as `audit`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "self-test.jsonl"
        with atomic_path(path) as temporary:
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows())
            Path(temporary).write_text("".join(lines), encoding="utf-8")
        return audit(path, out=out, progress=progress, name=NAME)
