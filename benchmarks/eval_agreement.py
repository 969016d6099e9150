"""Agreement of the benchmarks' scorers with outputs that others scored, row by row.

Run: python benchmarks/eval_agreement.py --data DIR

DIR holds real model outputs with known scores: scored_mrcr, scored_longbench_v1 (THUDM/LongBench predictions and
result.json), scored_longbench_v2 (with longbench_v2 for the gold letters of some rows), scored_infinitebench
(OpenBMB/InfiniteBench), scored_longmemeval. A folder that is missing is named and left out. Exit code 1 when a row
neither matches nor falls under a named convention. `agreement.py` beside it does the same for the training rewards.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import scored_files
from scored_files import Result, infinitebench_scores, jsonl

from golongrl.pipeline.evaluation import benchmarks
from golongrl.pipeline.evaluation.benchmarks import longmemeval
from golongrl.pipeline.evaluation.benchmarks.answers import stated
from golongrl.rewards.token_f1 import token_f1

CONVENTIONS = {
    **scored_files.CONVENTIONS,
    "stated answer": "what the response calls the answer is scored; that scorer takes the whole text, whose score "
    "stands in the details and is equal",
    "no response": "the request was refused as too long: no answer and no score here, a failed row there",
}


def score(name: str, gold: dict, response: str) -> float | None:
    return benchmarks.get(name).score(gold, response, "optional").value


def mrcr(folder: Path) -> Iterator[Result]:
    yield scored_files.mrcr(
        folder,
        "mrcr-128k",
        lambda response, gold: score("mrcr-128k", {"answer": gold, "prefix": gold[:10]}, response),
    )


def f1_rows(result: Result, pairs: list[tuple[str, list[str]]], published: float) -> Result:
    """Rows of (response, gold answers) against the token F1 of whole responses; its mean is published in percent."""
    total = 0.0
    for said, golds in pairs:
        theirs = max(token_f1(said, gold) for gold in golds)
        total += theirs
        found = benchmarks.get("longbench-qa").score({"question": "", "answers": golds}, said, "optional")
        ours, whole = found.value, found.details.get("token_f1_whole", 0.0)
        same = abs(whole - theirs) < 1e-9
        explained = "stated answer" if same and stated(said).how != "whole" else None
        result.add(same and abs(ours - theirs) < 1e-9, explained, said[:60])
    mean = 100 * total / len(pairs)
    if abs(mean - published) > 0.0051:
        result.unexplained.append(f"the mean of all rows is {mean:.3f}")
    return result


def longbench(folder: Path) -> Iterator[Result]:
    prefix = "llama2-7b-chat-4k__"
    published = json.loads((folder / f"{prefix}result.json").read_text())
    for name in ("hotpotqa", "qasper"):
        pairs = [(row["pred"], row["answers"]) for row in jsonl(folder / f"{prefix}{name}.jsonl")]
        result = Result("longbench-qa", f"LongBench {name}, published {published[name]}")
        yield f1_rows(result, pairs, published[name])


def infinitebench(folder: Path) -> Iterator[Result]:
    name = "longbook_qa_eng"
    published = infinitebench_scores(folder)[name]
    pairs = [(row["prediction"], row["ground_truth"]) for row in jsonl(folder / f"yi-6b-200k__{name}.jsonl")]
    yield f1_rows(Result("longbench-qa", f"InfiniteBench {name}, published {published}"), pairs, published)
    yield scored_files.longbook_choice(
        folder, "longbench-v2", lambda said, letter: score("longbench-v2", {"answer": letter, "options": 4}, said)
    )


def longbench_v2(folder: Path) -> Iterator[Result]:
    """Where a row's gold letter is not at hand, a right prediction is the gold letter and a wrong one is not it."""
    known = {}
    if (path := folder.parent / "longbench_v2" / "longbench_v2_dev.jsonl").exists():
        known = {row["_id"]: row["answer"] for row in jsonl(path)}
    joined = Result("longbench-v2", "LongBench v2 judgements, gold letters from the data set")
    inferred = Result("longbench-v2", "LongBench v2 judgements, gold letters from the judgements")
    for row in jsonl(folder / "oneshot.jsonl"):
        result = joined if row["_id"] in known else inferred
        if "pred" not in row:
            result.add(False, "no response" if "Error code: 400" in row["error"] else None, row["error"][:60])
            continue
        others = [letter for letter in "ABCD" if letter != row["pred"]]
        gold = known.get(row["_id"]) or (row["pred"] if row["judge"] else others[0])
        ours = score("longbench-v2", {"answer": gold, "options": 4}, row["pred"])
        result.add(ours == float(row["judge"]), what=f"{row['_id']}: {row['pred']}")
    yield joined
    yield inferred


def long_mem_eval(folder: Path) -> Iterator[Result]:
    """Whether every published response is put to the judge; no judge runs here, so that no verdict is compared."""
    result = Result("longmemeval", "LongMemEval responses: each is one for the judge")
    for row in jsonl(folder / "oracle_bc_only_con500_1k.jsonl"):
        kind = "multi-session"
        gold = {"question": "?", "answer": "?", "type": kind, "date": "?", "abstain": "_abs" in row["question_id"]}
        asked = longmemeval.judge_messages(gold, row["hypothesis"], "optional")
        result.add(isinstance(asked, list), what=row["question_id"])
    yield result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    sources: list[scored_files.Source] = [
        (mrcr, data / "scored_mrcr"),
        (longbench, data / "scored_longbench_v1"),
        (infinitebench, data / "scored_infinitebench"),
        (longbench_v2, data / "scored_longbench_v2"),
        (long_mem_eval, data / "scored_longmemeval"),
    ]
    sys.exit(scored_files.print_table(sources, CONVENTIONS))


if __name__ == "__main__":
    main()
