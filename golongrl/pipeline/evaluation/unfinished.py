"""Results of a run that has not come to its end, from what its journals hold so far."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from golongrl.core import chat, runs
from golongrl.core.errors import DataError
from golongrl.core.store import read_journal
from golongrl.pipeline.evaluation import asked, benchmarks, grading, judge, scorecard, usage
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark
from golongrl.pipeline.evaluation.config import EvalConfig
from golongrl.pipeline.evaluation.samples import Sample, with_answer, without_score

GENERATIONS, VERDICTS = "generations.jsonl", "judge.jsonl"

Place = tuple[dict[str, Any], chat.Generation | None]
"""Facts of a sample and its answer; None for a prompt that does not fit."""


def goes_on(folder: Path) -> bool:
    """Whether there are no results yet, or a run that is not finished has newer answers or verdicts than they."""
    results, journals = folder / "results.json", (folder / GENERATIONS, folder / VERDICTS)
    if not results.is_file():
        return True
    written = [path.stat().st_mtime for path in journals if path.is_file() and path.stat().st_size]
    return not runs.is_finished(folder) and any(time > results.stat().st_mtime for time in written)


def results_of(folder: Path) -> tuple[dict[str, Any], list[Sample]]:
    """Results and samples of what is answered, and judged, so far; `n_open` of the results counts what is not.

    Raises DataError where the folder holds no evaluation that has begun.
    """
    settings, manifest, rows = runs.read_config(folder), runs.read_manifest(folder), asked.read(folder)
    if settings.get("command") != "eval" or not rows:
        raise DataError(f"{folder} holds no evaluation that has begun; name the folder of a golongrl eval")
    bench = benchmarks.get(settings["bench"])
    limits = json.loads((folder / "limits.json").read_text(encoding="utf-8"))
    answers, replies = _last_rows(folder / GENERATIONS), _last_rows(folder / VERDICTS)
    config = EvalConfig.model_construct(**{k: v for k, v in settings.items() if k in EvalConfig.model_fields})
    judged = config.judge_model is not None and bench.judge is not None
    places = list(_places(rows, answers))
    found = _samples(bench, places, config, replies if judged else None, limits["max_input"])
    results = scorecard.build_results(
        bench,
        settings["model"],
        found,
        {k: v for k, v in settings.items() if k not in ("command", "inputs", "bench", "model")} | limits,
        usage.seconds_of(answer for _, answer in places),
        "run the same command again to ask for them once more",
        {"model": config.judge_model} if judged else None,
        origin=scorecard.Origin(versions=manifest.get("versions", {}), inputs=settings.get("inputs", {})),
        judge_replies=replies.values(),
    )
    n_wanted = sum(len(row["repeats"]) for row in rows)
    return {**results, "n_open": n_wanted - len(found)}, found


def _places(rows: Sequence[asked.Row], answers: Mapping[str, dict[str, Any]]) -> list[Place]:
    """What is answered or will never be asked, in the order of the run."""
    found: list[Place] = []
    for row in rows:
        known = {name: row[name] for name in ("id", "gold", "buckets", "depth", "cluster", "think")}
        for repeat in row["repeats"]:
            answer = answers.get(repeat["key"] or "")
            if answer is not None:
                found.append(({**known, **repeat}, chat.Generation.model_validate(answer)))
            elif repeat["overlong"]:
                found.append(({**known, **repeat}, None))
    return found


def _samples(
    bench: Benchmark,
    places: Sequence[Place],
    config: EvalConfig,
    replies: Mapping[str, dict[str, Any]] | None,
    max_input: int,
) -> list[Sample]:
    """A sample for every place; where a judge grades, those that it was not asked about yet are left out."""
    jobs = [
        grading.Submission(bench.name, facts["gold"], answer.text, facts["think"])
        for facts, answer in places
        if answer is not None and answer.error is None
    ]
    verdicts = [judge.Verdict(score) for score in grading.grade_all(jobs)]
    if replies is not None and bench.judge is not None:
        grader = bench.judge
        verdicts = [
            judge.verdict(config, grader, rule.score, question, replies)
            for rule, question in zip(verdicts, judge.questions(grader, jobs), strict=True)
        ]
    graded = iter(verdicts)
    found = []
    for facts, answer in places:
        if answer is None or answer.error is not None:
            found.append(without_score(facts, answer, max_input))
        else:
            verdict = next(graded)
            if not (verdict.failed and verdict.score.details.get("kind") == judge.NOT_ASKED):
                found.append(with_answer(facts, answer, verdict.score, judge_failed=verdict.failed))
    return found


def _last_rows(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a journal by key, the last of each, up to one that is just being written."""
    return {row["key"]: row for row in read_journal(path)}
