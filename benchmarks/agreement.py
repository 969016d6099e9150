"""Agreement of the rewards with published scores and other scorers' own test cases, row by row.

Run: python benchmarks/agreement.py --data DIR [--math-verify-tests DIR] [--rouge-testdata DIR]

DIR holds real model outputs with known scores: scored_longbench_v1 (THUDM/LongBench predictions and result.json),
scored_infinitebench (OpenBMB/InfiniteBench), scored_mrcr, ndcg_trec_eval (topic 302 of usnistgov/trec_eval),
lighteval_cases, math_verify/model_outputs.csv. The two further folders are `tests` of the source package of
math-verify 0.9.0 (pip download --no-deps --no-binary :all: math-verify==0.9.0) and `rouge/testdata` of
google-research. A folder that is missing is named and left out. Exit code 1 when a row neither matches nor falls
under a named convention.
"""

import argparse
import ast
import csv
import json
import logging
import re
import string
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import scored_files
from rouge_score.rouge_scorer import RougeScorer
from scored_files import Result, infinitebench_scores, jsonl
from sklearn.metrics import ndcg_score

from golongrl.core.records import parse_record
from golongrl.rewards import score_response
from golongrl.rewards.mrcr_ratio import mrcr_ratio
from golongrl.rewards.ndcg import ndcg_at_k
from golongrl.rewards.token_f1 import token_f1

CONVENTIONS = {
    **scored_files.CONVENTIONS,
    "folded": "compatibility characters are folded before words are cut (the unfolded mean is the published figure)",
    "whole text": "one longest common subsequence of the whole text; that scorer joins word sets of sentences",
    "commas and spaces": "commas separate thousands or list items; decimal commas and spaces in numbers are not read",
    "other options": "a case for other options: coarser precision, free variable names, sets against relations",
    "escaped twice": "LaTeX with every backslash doubled is not unescaped",
    "across lines": "a formula between single dollars may run over lines",
    "apart": "boxes with words between them are no list; the last one counts",
    "dollar inside": "a dollar sign inside a formula ends it",
    "words": "a gold answer with words in it equals those words only",
    "no verdict": "a comparison that fails has no score, with the reason `error`",
    "unequal": "the case wants two unequal numbers to be equal",
}


def value(metric: str, gold: str | list[str], response: str, **extra_info) -> float | None:
    truth = {"doc_ids": gold} if isinstance(gold, list) else {"golden_label": gold}
    row = {
        "data_source": "agreement",
        "prompt": [{"role": "user", "content": "q"}],
        "reward_model": {"ground_truth": truth},
        "extra_info": {"metric": metric, **extra_info},
    }
    return score_response(parse_record(row), response, think="optional").value


def longbench(folder: Path) -> Iterator[Result]:
    prefix = "llama2-7b-chat-4k__"
    published = json.loads((folder / f"{prefix}result.json").read_text())
    for name in ("hotpotqa", "qasper", "triviaqa", "multifieldqa_zh"):
        chinese, scores, plain = name.endswith("_zh"), [], []
        result = Result("token F1", f"LongBench {name}, published {published[name]}")
        for row in jsonl(folder / f"{prefix}{name}.jsonl"):
            # LongBench scores the first line of these answers only.
            said = row["pred"].lstrip("\n").split("\n")[0] if name == "triviaqa" else row["pred"]
            ours = max(token_f1(said, gold, chinese=chinese) for gold in row["answers"])
            theirs = max(unfolded_f1(said, gold) for gold in row["answers"]) if chinese else ours
            scores.append(ours)
            plain.append(theirs)
            result.add(abs(ours - theirs) < 1e-9, "folded")
        exact = abs(100 * sum(plain) / len(plain) - published[name]) < 0.005001
        if not exact:
            result.unexplained.append(f"the mean of all rows is {100 * sum(plain) / len(plain):.2f}")
        yield result
    scorer = RougeScorer(["rougeL"])
    same = Result("rouge_l", "LongBench qmsum outputs, rouge-score 0.1.2")
    other = Result("rouge_l", f"LongBench qmsum, published {published['qmsum']}")
    union = sentence_union()
    theirs = []
    for row in jsonl(folder / f"{prefix}qmsum.jsonl"):
        ours = value("rouge_l", row["answers"], row["pred"])
        peer = max(scorer.score(gold, row["pred"])["rougeL"].fmeasure for gold in row["answers"])
        same.add(abs(ours - peer) < 1e-9, what=row["pred"][:60])
        if union:
            theirs.append(max(union(row["pred"], gold) for gold in row["answers"]))
            other.add(abs(ours - theirs[-1]) < 5e-5, "whole text")
    yield same
    if union:
        if abs(100 * sum(theirs) / len(theirs) - published["qmsum"]) > 0.0051:
            other.unexplained.append(f"the package rouge gives {100 * sum(theirs) / len(theirs):.3f}")
        yield other
    else:
        print("left out: LongBench's published ROUGE-L; it needs `pip install rouge==1.0.1`", file=sys.stderr)


def sentence_union() -> Callable[[str, str], float] | None:
    """ROUGE-L F of the PyPI package rouge, which LongBench scores with, or None where it is not installed."""
    try:
        from rouge import Rouge
    except ImportError:
        return None
    scorer = Rouge()

    def score(answer: str, gold: str) -> float:
        try:
            return scorer.get_scores([answer], [gold], avg=True)["rouge-l"]["f"]
        except (ValueError, RecursionError):
            return 0.0

    return score


def unfolded_f1(answer: str, gold: str) -> float:
    """Token F1 with jieba's words of the text as it stands."""
    import jieba

    jieba.setLogLevel(logging.ERROR)

    def tokens(text: str) -> list[str]:
        stripped = ("".join(raw.lower().translate(_NO_MARKS).split()) for raw in jieba.cut(text))
        return [word for word in stripped if word]

    predicted, wanted = tokens(answer), tokens(gold)
    common = (Counter(predicted) & Counter(wanted)).total()
    return 2 * common / (len(predicted) + len(wanted)) if common else 0.0


# ASCII and Chinese punctuation as LongBench drops it; symbols such as ℃ stay.
_MARKS = (
    string.punctuation + "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃》"
    "「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟"
    "〰〾〿–—‘’‛“”„‟…‧﹏"
)
_NO_MARKS = str.maketrans("", "", _MARKS)


def infinitebench(folder: Path) -> Iterator[Result]:
    published = infinitebench_scores(folder)
    found = Result("em", f"InfiniteBench passkey, published {published['passkey']}")
    for row in jsonl(folder / "yi-6b-200k__passkey.jsonl"):
        number = re.search(r"\d+", row["prediction"])
        found.add(value("em", row["ground_truth"], number[0] if number else "") == 1.0, what=row["prediction"][:60])
    yield found
    yield scored_files.longbook_choice(
        folder, "choice", lambda said, letter: value("choice", letter, said, options=list("wxyz"))
    )


def mrcr(folder: Path) -> Iterator[Result]:
    yield scored_files.mrcr(folder, "em, strict_prefix", lambda response, gold: mrcr_ratio(response, gold, gold[:10]))


def trec(folder: Path) -> Iterator[Result]:
    """Figures of trec_eval's own test output for topic 302 (ndcg and ndcg_cut)."""
    figures = {5: 0.8304, 10: 0.7530, 15: 0.8085, 20: 0.8082, 30: 0.7604, 100: 0.6046, 200: 0.6209, 500: 0.6617}
    judged = {line.split()[2]: float(line.split()[3]) for line in (folder / "qrels-302.test").open()}
    run = [(float(parts[4]), parts[2]) for line in (folder / "results-302.test").open() if (parts := line.split())]
    ranked = [judged.get(name, 0.0) for _, name in sorted(run, reverse=True)]
    result = Result("ndcg", "trec_eval topic 302: ndcg and ndcg_cut.5 to .500")
    peer = Result("ndcg", "trec_eval topic 302: scikit-learn ndcg_score at the same cuts")
    for cut, figure in [*figures.items(), (10_000, 0.6617)]:
        ours = ndcg_at_k(ranked, list(judged.values()), cut)
        result.add(abs(ours - figure) < 5.1e-5, what=f"cut {cut}: {ours:.4f}, published {figure}")
        missing = sum(judged.values()) - sum(ranked)
        truth = np.array([[*ranked, *[1.0] * int(missing)]])
        scores = np.arange(truth.size, 0, -1.0)[None]
        if cut <= len(ranked):
            theirs = ndcg_score(truth, scores, k=cut)
            peer.add(abs(ours - theirs) < 1e-9, what=f"cut {cut}: {ours}, scikit-learn {theirs}")
    names = [name for name, grade in judged.items() if grade]
    listing = "\n".join(name for _, name in sorted(run, reverse=True))
    ours = value("ndcg", names, listing, relevance=[1.0] * len(names))
    reached = ndcg_at_k(ranked, list(judged.values()), len(names))
    peer.add(abs(ours - reached) < 1e-12, what="the reward over the list as text")
    yield result
    yield peer


def rouge155(folder: Path) -> Iterator[Result]:
    """F of ROUGE-1.5.5 as rouge-score's tests state it, to five places."""
    result = Result("rouge_l", "ROUGE-1.5.5, google-research rouge/testdata")
    sides = [(folder / name).read_text(encoding="utf-8").splitlines() for name in ("target.txt", "prediction.txt")]
    for target, prediction, figure in zip(*sides, (0.51163, 0.50000), strict=True):
        ours = value("rouge_l", [target], prediction)
        result.add(abs(ours - figure) < 5.1e-6, what=f"{ours} against {figure}")
    yield result


def model_outputs(path: Path) -> Iterator[Result]:
    result = Result("math", "Math-Verify examples/model_outputs.csv")
    with path.open(newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            result.add(value("math", row["gold"], row["answer"]) == 1.0, what=str(row))
    yield result


def math_suite(folder: Path) -> Iterator[Result]:
    """Cases (gold, prediction, expected) of math-verify's test suite, read without running it."""
    for path in sorted(folder.glob("test_*.py")):
        result = Result("math", f"math-verify 0.9.0 {path.name}")
        for test, names, case in parametrized(path):
            if names[:2] != ["gold", "pred"] or case is None:
                continue
            gold, said, expected, *options = case
            ours = value("math", gold, said)
            why = math_convention(test, gold, said, ours, options)
            result.add(ours == float(expected), why, f"{test}: {gold!r}, {said!r}: {ours}, expected {expected}")
        if result.rows:
            yield result


def parametrized(path: Path) -> Iterator[tuple[str, list[str], tuple | None]]:
    for function in ast.parse(path.read_text(encoding="utf-8")).body:
        for mark in getattr(function, "decorator_list", []):
            if isinstance(mark, ast.Call) and getattr(mark.func, "attr", "") == "parametrize":
                names = ast.literal_eval(mark.args[0])
                names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
                for case in mark.args[1].elts if isinstance(mark.args[1], ast.List) else []:
                    try:
                        yield function.name, names, ast.literal_eval(case)
                    except ValueError:
                        yield function.name, names, None


def math_convention(test: str, gold: str, said: str, ours: float | None, options: list) -> str | None:
    """The convention under which a case of math-verify's suite may differ."""
    both = f"{gold}\n{said}"
    if ours is None:
        return "no verdict"
    if test in ("test_set_rel_assymetry", "test_strict_variable_comparison") or (options and options[0] == 2):
        return "other options"
    if re.search(r"\\\\(?:boxed|le\b)", both):
        return "escaped twice"
    if re.search(r"(?:\$|\\\() \n", said):
        return "across lines"
    if re.search(r"\d \d{3}\b|\d,\d{2}\b|0,\d", both) and test == "test_number_extraction":
        return "commas and spaces"
    if both.count("\\boxed") > 1:
        return "apart"
    if re.search(r"\\\$", said):
        return "dollar inside"
    if re.search(r"[A-Z]{3}", gold):
        return "words"
    if sorted(gold.replace("+", "-")) == sorted(said.replace("+", "-")):
        return "unequal"
    return None


def lighteval(folder: Path) -> Iterator[Result]:
    """Majority and recall over several samples aggregate scores and have no reward here; they are left out."""

    def cases(name: str) -> list[tuple[list[str], str, dict, float]]:
        found = json.loads((folder / f"{name}.json").read_text())["test_cases"]
        return [
            (case["doc"]["choices"], case["model_response"]["text"][0], case["expected_output"], case["tolerance"])
            for case in found
        ]

    exact = Result("em", "lighteval exact_match")
    for choices, said, expected, tolerance in cases("exact_match"):
        exact.add(abs(value("em", choices[0], said) - expected["em"]) <= tolerance, what=said)
    yield exact
    rouge = Result("rouge_l", "lighteval rougeL, its own tolerances")
    for choices, said, expected, tolerance in cases("rougeL"):
        rouge.add(abs(value("rouge_l", choices[:1], said) - expected["rougeL"]) <= tolerance, what=said)
    yield rouge
    drop = Result("em and token F1", "lighteval drop")
    for choices, said, expected, tolerance in cases("drop"):
        f1 = max(token_f1(said, gold) for gold in choices)
        right = abs(value("em", choices[0], said) - expected["em"]) <= tolerance
        drop.add(right and abs(f1 - expected["f1"]) <= tolerance, what=said)
    yield drop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--math-verify-tests", type=Path)
    parser.add_argument("--rouge-testdata", type=Path)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    sources: list[scored_files.Source] = [
        (longbench, given.data / "scored_longbench_v1"),
        (infinitebench, given.data / "scored_infinitebench"),
        (mrcr, given.data / "scored_mrcr"),
        (trec, given.data / "ndcg_trec_eval"),
        (lighteval, given.data / "lighteval_cases"),
        (rouge155, given.rouge_testdata),
        (model_outputs, given.data / "math_verify" / "model_outputs.csv"),
        (math_suite, given.math_verify_tests),
    ]
    sys.exit(scored_files.print_table(sources, CONVENTIONS))


if __name__ == "__main__":
    main()
