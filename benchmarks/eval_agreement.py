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
from collections.abc import Callable, Iterator
from pathlib import Path

from agreement import Result, first_word, jsonl

from golongrl.pipeline.evaluation import benchmarks
from golongrl.pipeline.evaluation.benchmarks import judging, longmemeval
from golongrl.pipeline.evaluation.benchmarks.answers import stated
from golongrl.rewards.token_f1 import token_f1

CONVENTIONS = {
    "trailing space": "both sides lose surrounding white space; that scorer keeps the gold's",
    "stated answer": "what the response calls the answer is scored; that scorer takes the whole text, whose score "
    "stands in the details and is equal",
    "last letter": "words and texts behind a letter are read; that scorer takes the first letter or word only",
    "no response": "the request was refused as too long: no answer and no score here, a failed row there",
}


def score(name: str, gold: dict, response: str) -> float | None:
    return benchmarks.get(name).score(gold, response, "optional").value


def mrcr(folder: Path) -> Iterator[Result]:
    result = Result("mrcr-128k", "MRCR 2-needle generations with scores")
    for row in jsonl(folder / "gemini_3_pro_2needle.jsonl"):
        gold = row["ground_truth"]
        ours = score("mrcr-128k", {"answer": gold, "prefix": gold[:10]}, row["model_response"])
        gap = abs(ours - float(row["score"]))
        result.add(gap < 1e-6, "trailing space" if gold != gold.strip() and gap < 1e-3 else None, gold[:40])
    yield result


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
    published = json.loads((folder / "TRUTH.json").read_text())["yi-6b-200k"]
    name = "longbook_qa_eng"
    pairs = [(row["prediction"], row["ground_truth"]) for row in jsonl(folder / f"yi-6b-200k__{name}.jsonl")]
    yield f1_rows(
        Result("longbench-qa", f"InfiniteBench {name}, published {published[name]}"), pairs, published[name]
    )
    name = "longbook_choice_eng"
    result, hits = Result("longbench-v2", f"InfiniteBench {name}, published {published[name]}"), 0.0
    for row in jsonl(folder / f"yi-6b-200k__{name}.jsonl"):
        said, (text, letter) = row["prediction"].strip(), row["ground_truth"]
        theirs = float(said[:1] == letter or said == text or first_word(said) == letter)
        hits += theirs
        result.add(score("longbench-v2", {"answer": letter, "options": 4}, said) == theirs, "last letter")
    if abs(100 * hits / result.rows - published[name]) > 0.0051:
        result.unexplained.append(f"the official rule gives {100 * hits / result.rows:.2f}")
    yield result


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
    """No judge runs here: each response is put to ours, whose reply is the published one, and the verdict is read."""
    result = Result("longmemeval", "LongMemEval judgements of GPT-4o-mini, read back as verdicts")
    for row in jsonl(folder / "oracle_bc_only_con500_1k.jsonl"):
        kind = "multi-session"
        gold = {"question": "?", "answer": "?", "type": kind, "date": "?", "abstain": "_abs" in row["question_id"]}
        asked = longmemeval.judge_messages(gold, row["hypothesis"], "optional")
        label = row["autoeval_label"]["label"]
        verdict = judging.read_verdict("Yes." if label else "No.") if isinstance(asked, list) else asked
        result.add(verdict is not None and verdict.value == float(label), what=row["question_id"])
    yield result


SOURCES: list[tuple[Callable[[Path], Iterator[Result]], str]] = [
    (mrcr, "scored_mrcr"),
    (longbench, "scored_longbench_v1"),
    (infinitebench, "scored_infinitebench"),
    (longbench_v2, "scored_longbench_v2"),
    (long_mem_eval, "scored_longmemeval"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    print("| scorer | source | rows | equal | by convention | unexplained |")
    print("| --- | --- | ---: | ---: | --- | ---: |")
    used: set[str] = set()
    unexplained: list[str] = []
    for read, name in SOURCES:
        if not (data / name).exists():
            print(f"left out: {name}, there is no {data / name}", file=sys.stderr)
            continue
        for result in read(data / name):
            named = ", ".join(f"{count} {why}" for why, count in result.conventions.items()) or "-"
            line = (result.metric, result.source, result.rows, result.matches, named, len(result.unexplained))
            print("| " + " | ".join(map(str, line)) + " |", flush=True)
            used |= set(result.conventions)
            unexplained += [f"{result.source}: {what}" for what in result.unexplained]
    print()
    for name, meaning in CONVENTIONS.items():
        if name in used:
            print(f"- {name}: {meaning}")
    for what in unexplained:
        print(f"unexplained: {what}", file=sys.stderr)
    sys.exit(1 if unexplained else 0)


if __name__ == "__main__":
    main()
