"""Real model outputs with known scores: how their files are read, and the table of agreement with them.

For `agreement.py` (the training rewards) and `eval_agreement.py` (the benchmarks of `golongrl eval`).
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

CONVENTIONS = {
    "trailing space": "both sides lose surrounding white space; that scorer keeps the gold's",
    "last letter": "words and texts behind a letter are read; that scorer takes the first letter or word only",
}
"""Conventions of `mrcr` and `longbook_choice`."""


@dataclass
class Result:
    """Rows of one source: how many match, and how many fall under which convention."""

    metric: str
    source: str
    rows: int = 0
    matches: int = 0
    conventions: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)

    def add(self, matches: bool, convention: str | None = None, what: str = "") -> None:
        self.rows += 1
        if matches:
            self.matches += 1
        elif convention:
            self.conventions[convention] += 1
        else:
            self.unexplained.append(what)


def jsonl(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def mrcr(folder: Path, metric: str, ours: Callable[[str, str], float]) -> Result:
    """`ours` scores (response, gold answer); the random prefix is the first ten characters of the gold answer."""
    result = Result(metric, "MRCR 2-needle generations with scores")
    for row in jsonl(folder / "gemini_3_pro_2needle.jsonl"):
        gold = row["ground_truth"]
        gap = abs(ours(row["model_response"], gold) - float(row["score"]))
        result.add(gap < 1e-6, "trailing space" if gold != gold.strip() and gap < 1e-3 else None, gold[:40])
    return result


def infinitebench_scores(folder: Path) -> dict[str, float]:
    """Published scores of the outputs beside them, in percent."""
    return json.loads((folder / "TRUTH.json").read_text())["yi-6b-200k"]


def longbook_choice(folder: Path, metric: str, ours: Callable[[str, str], float | None]) -> Result:
    """`ours` scores (response, right letter of four); InfiniteBench takes the first letter, text or word."""
    name = "longbook_choice_eng"
    published, hits = infinitebench_scores(folder)[name], 0.0
    result = Result(metric, f"InfiniteBench longbook_choice, published {published}")
    for row in jsonl(folder / f"yi-6b-200k__{name}.jsonl"):
        said, (text, letter) = row["prediction"].strip(), row["ground_truth"]
        theirs = float(said[:1] == letter or said == text or _first_letter(said) == letter)
        hits += theirs
        result.add(ours(said, letter) == theirs, "last letter")
    if abs(100 * hits / result.rows - published) > 0.0051:
        result.unexplained.append(f"the official rule gives {100 * hits / result.rows:.2f}")
    return result


def _first_letter(text: str) -> str:
    return next((word for word in re.split(r"[^A-Za-z]+", text) if word in ("A", "B", "C", "D")), "")


Source = tuple[Callable[[Path], Iterable[Result]], Path | None]


def print_table(sources: list[Source], conventions: dict[str, str]) -> int:
    """Print the table of what is there; the exit code: 1 when a row neither matches nor falls under a convention."""
    print("| metric | source | rows | matches | by convention | unexplained |")
    print("| --- | --- | ---: | ---: | --- | ---: |")
    used: set[str] = set()
    unexplained: list[str] = []
    for read, path in sources:
        if path is None or not path.exists():
            print(f"left out: {read.__name__}, {path or 'no folder given'}", file=sys.stderr)
            continue
        for result in read(path):
            named = ", ".join(f"{count} {name}" for name, count in result.conventions.items()) or "-"
            line = (result.metric, result.source, result.rows, result.matches, named, len(result.unexplained))
            print("| " + " | ".join(map(str, line)) + " |", flush=True)
            used |= set(result.conventions)
            unexplained += [f"{result.source}: {what}" for what in result.unexplained]
    print()
    for name, meaning in conventions.items():
        if name in used:
            print(f"- {name}: {meaning}")
    for what in unexplained:
        print(f"unexplained: {what}", file=sys.stderr)
    return 1 if unexplained else 0
