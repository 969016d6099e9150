"""Grade and judge a benchmark's answers, and write its scorecard: from the journals alone, in the items' order."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from golongrl.core import chat, engine_flags, tokens
from golongrl.core.errors import ServerError
from golongrl.core.records import Score
from golongrl.core.store import write_json, write_text
from golongrl.pipeline.evaluation import grading, judge, plan, samples, scorecard, scorecard_page, usage
from golongrl.pipeline.evaluation.answering import Opened, answers
from golongrl.pipeline.evaluation.benchmarks.base import Messages
from golongrl.pipeline.evaluation.config import JUDGE_SETTINGS, EvalConfig
from golongrl.pipeline.evaluation.job import BenchJob, Slot
from golongrl.pipeline.evaluation.pace import Progress, silent
from golongrl.pipeline.evaluation.samples import Sample

BATCH_CHARACTERS = 8_000_000
"""Answers in memory at once."""

Answered = tuple[Slot, chat.Generation | None]


def score(
    config: EvalConfig, one: Opened, model: plan.Model, progress: Progress, *, ask_judge: bool = True
) -> tuple[scorecard.BenchCard, ServerError | None]:
    """Grade, judge and write one benchmark; the error says that the judge is gone, so that verdicts are owed."""
    questions, gone = _judged(config, one, progress, ask_judge)
    pairs = list(_samples(config, one, questions, progress))
    found = [sample for sample, _ in pairs]
    results = scorecard.build_results(
        one.job.bench,
        model.name,
        found,
        _settings(config, one.job),
        usage.seconds_of(answer for _, answer in pairs),
        _go_on(config),
        judge=_judge_facts(config) if one.verdicts is not None else None,
        origin=_origin(config, one),
        prices=usage.Prices(config.price_input, config.price_output),
        judge_replies=one.verdicts.rows.values() if one.verdicts is not None else (),
    )
    _write(one.run.folder, found, results)
    card = scorecard.BenchCard(one.job.bench.name, one.run.folder, results)
    if card.complete:
        one.run.finish(score=results["score"], n_samples=results["n"])
    scorecard_page.page_of(card.folder).write(card.folder / "report.html")
    return card, gone


def _job(one: Opened, slot: Slot, answer: chat.Generation) -> grading.Submission:
    return grading.Submission(one.job.bench.name, slot.item.gold, answer.text, one.job.model.think)


def _judged(
    config: EvalConfig, one: Opened, progress: Progress, ask: bool
) -> tuple[list[Messages | Score], ServerError | None]:
    """What the judge is asked about each answer that is there, once its verdicts are in the journal."""
    grader = one.job.bench.judge
    if one.verdicts is None or grader is None:
        return [], None
    given = ((slot, answer) for slot, answer in answers(one) if answer is not None and answer.error is None)
    asked = judge.questions(grader, (_job(one, slot, answer) for slot, answer in given))
    if not ask:
        return asked, None
    missing = judge.owed(config, asked, one.verdicts)
    try:
        # Also where none is missing: an earlier run may have ended before it asked again for want of a verdict.
        with (progress if missing else silent)(f"{one.job.bench.name}: judging", missing) as counter:
            judge.ask(config, grader, asked, one.verdicts, counter.advance)
    except ServerError as error:
        return asked, error
    return asked, None


def _samples(
    config: EvalConfig, one: Opened, questions: list[Messages | Score], progress: Progress
) -> Iterator[tuple[Sample, chat.Generation | None]]:
    """A sample for every slot, in order, and the answer without its text."""
    name, grader = one.job.bench.name, one.job.bench.judge
    asked = iter(questions)
    with progress(f"{name}: grading", len(one.job.slots)) as counter, grading.grader() as grade:
        for batch in _batches(answers(one)):
            given = [(slot, answer) for slot, answer in batch if answer is not None and answer.error is None]
            new = [_job(one, slot, answer) for slot, answer in given if answer.key not in one.graded]
            graded = iter(grade(new))
            for slot, answer in batch:
                counter.advance()
                if answer is None or answer.error is not None:
                    yield samples.without_score(samples.facts_of(slot), answer, one.job.limits.max_input), answer
                    continue
                known = one.graded.get(answer.key)
                verdict = judge.Verdict(known if known is not None else next(graded))
                if one.verdicts is not None and grader is not None:
                    verdict = judge.verdict(config, grader, verdict.score, next(asked), one.verdicts)
                facts = samples.facts_of(slot)
                sample = samples.with_answer(facts, answer, verdict.score, judge_failed=verdict.failed)
                yield sample, answer.model_copy(update={"text": ""})


def _batches(found: Iterator[Answered]) -> Iterator[list[Answered]]:
    batch: list[Answered] = []
    size = 0
    for slot, answer in found:
        batch.append((slot, answer))
        size += len(answer.text) if answer is not None else 0
        if size > BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    yield batch


def _origin(config: EvalConfig, one: Opened) -> scorecard.Origin:
    engine = plan.started_engine(config, one.job.model.folder)
    version = engine_flags.installed_version(engine, config.server_python or sys.executable) if engine else None
    return scorecard.Origin(
        model_identity=one.job.model.identity,
        engine={"name": engine, "version": version} if engine else None,
        versions=one.run.manifest["versions"],
        inputs=one.run.manifest["inputs"],
    )


def _judge_facts(config: EvalConfig) -> dict[str, Any]:
    return {
        "model": config.judge_model,
        "temperature": config.judge_temperature,
        "max_output": config.judge_max_output,
        "retries": config.judge_retries,
    }


def _go_on(config: EvalConfig) -> str:
    if config.responses is not None:
        return "add their rows to the responses file and score it into another --out"
    if config.rescore:
        return "run the same command without --rescore to ask for them"
    return "run the same command again to ask for them once more; samples.jsonl says what went wrong"


def _settings(config: EvalConfig, job: BenchJob) -> dict[str, Any]:
    """What was in force, limits and thinking included."""
    asked = config.identity(job.bench.name)
    built = () if job.bench.as_row is not None else ("needles", "answer_tokens")
    for name in ("bench", "model", "engine", *built, *(JUDGE_SETTINGS if job.bench.judge is None else ())):
        asked.pop(name)
    tokenizer = tokens.label(job.model.tokenizer.name)
    effective = {**job.limits.as_json(), "think": job.model.think, "tokenizer": tokenizer}
    if job.responses is not None:
        for name in (
            "temperature",
            "top_p",
            "max_input",
            "max_output",
            "max_model_len",
            "yarn",
            "repeats",
            "overlong",
        ):
            asked.pop(name)
        effective = {"think": job.model.think, "tokenizer": tokenizer}
    return {**asked, **effective}


def _write(folder: Path, found: list[Sample], results: dict[str, Any]) -> None:
    rows = [{k: v for k, v in sample.items() if k != "bucket_keys"} for sample in found]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    # Half of a surrogate pair, which an answer may hold, is no UTF-8; as an escape it is valid JSON.
    write_text(folder / "samples.jsonl", text.encode("utf-8", "backslashreplace").decode("utf-8"))
    write_json(folder / "results.json", results)
