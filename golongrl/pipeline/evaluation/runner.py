"""`golongrl eval`: load, plan, generate what is missing, grade and judge, write the scorecard.

Every step is safe to repeat. Generations are journalled as they come; grading starts from the journal alone, in item
order, so an interrupted run ends with the same bytes as an undisturbed one.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core import chat, servers, tokens
from golongrl.core.errors import UsageError
from golongrl.core.runs import Run, only_writer
from golongrl.core.store import Journal, write_json, write_text
from golongrl.pipeline.evaluation import benchmarks, external, grading, job, judge, plan, samples, scorecard
from golongrl.pipeline.evaluation.config import JUDGE_SETTINGS, EvalConfig
from golongrl.pipeline.evaluation.pace import Progress, pace, silent
from golongrl.pipeline.evaluation.samples import Sample

_STREAMS = 32
_BUDGET_IN_LENGTHS = 8


Say = Callable[[str], None]


@dataclass
class _Opened:
    """A benchmark of this run with its open folder and journals."""

    job: job.BenchJob
    run: Run
    journal: Journal
    verdicts: Journal | None
    """The judge's replies; None where no judge is asked."""


def evaluate(config: EvalConfig, progress: Progress = silent, say: Say = lambda text: None) -> scorecard.Scorecard:
    """Run or resume an evaluation and write each benchmark's folder.

    A folder holds config.json, manifest.json, limits.json, generations.jsonl and judge.jsonl (the journals),
    samples.jsonl, results.json and report.html; mrcr-mini also items.jsonl. Samples that could not be generated or
    judged stay owed: the result says how many, and the same command asks for them again. Raises ServerError when an
    endpoint is gone.
    """
    jobs, model = _prepare(config, progress, say)
    with contextlib.ExitStack() as stack:
        opened = []
        for bench_job in jobs:
            run = job.open_folder(config, bench_job)
            stack.enter_context(only_writer(run.folder, "eval"))
            journal = stack.enter_context(Journal(run.path("generations.jsonl")))
            judged = config.judge_model is not None and bench_job.bench.judge is not None
            verdicts = stack.enter_context(Journal(run.path("judge.jsonl"))) if judged else None
            opened.append(_Opened(bench_job, run, journal, verdicts))
        owed = [] if config.rescore else [(one, missing) for one in opened if (missing := _missing(one))]
        if owed:
            with _endpoint(config, model, jobs, opened[0].run.path("server.log"), say) as endpoint:
                for one, missing in owed:
                    _generate(config, endpoint, one, missing, progress)
        cards = [_score(config, one, model, progress) for one in opened]
    return scorecard.Scorecard(cards)


def _score(config: EvalConfig, one: _Opened, model: plan.Model, progress: Progress) -> scorecard.BenchCard:
    """Grade, judge and write one benchmark."""
    answers = _answers(one)
    found = _grade(config, one, answers, progress)
    results = scorecard.build_results(
        one.job.bench,
        model.name,
        found,
        _settings(config, one.job),
        _seconds(answers),
        _go_on(config),
        judge=_judge_facts(config) if one.verdicts is not None else None,
    )
    _write(one.run.folder, found, results)
    card = scorecard.BenchCard(one.job.bench.name, one.run.folder, results)
    if card.complete:
        one.run.finish(score=results["score"], n_samples=results["n"])
    return card


def describe(config: EvalConfig, progress: Progress = silent, say: Say = lambda text: None) -> list[dict[str, Any]]:
    """What `evaluate` would do, per benchmark: items, tokens, limits, engine. Starts and writes nothing."""
    jobs, model = _prepare(config, progress, say)
    return [
        {
            "bench": j.bench.name,
            "out": str(j.folder),
            "model": model.name,
            "server": config.base_url or plan.started_engine(config, model.folder) or "none",
            "items": len({slot.item.id for slot in j.slots}),
            "requests": len(j.requests),
            "repeats": config.repeats_of(j.bench.name),
            "overlong": sum(slot.overlong for slot in j.slots),
            "cut": sum(slot.n_cut_tokens > 0 for slot in j.slots),
            "judge": config.judge_model if j.bench.judge is not None else None,
            "input_tokens": sum(request.n_tokens for request in j.requests),
            "output_tokens_at_most": len(j.requests) * j.limits.max_output,
            **j.limits.as_json(),
            "tokenizer": tokens.label(model.tokenizer.name),
            "think": model.think,
        }
        for j in jobs
    ]


def _prepare(config: EvalConfig, progress: Progress, say: Say) -> tuple[list[job.BenchJob], plan.Model]:
    _check_needs(config)
    model = plan.describe_model(config)
    generating = config.responses is None
    if generating and config.base_url is None and plan.started_engine(config, model.folder) is None:
        raise UsageError(
            f"{config.model} is no local folder: pass --base-url of the server that has it, or --engine to start one"
        )
    if generating and model.tokenizer.name == "approx":
        say("token counts are approximate (bytes / 4); pass --tokenizer FOLDER for exact ones")
    known = plan.model_length(model.folder) if model.folder is not None else None
    asking = generating and not (config.rescore or config.dry_run) and config.max_model_len is None
    if asking and config.base_url is not None:
        known = chat.served_length(_remote(config)) or known
    if config.judge_model is not None and not (config.rescore or config.dry_run) and _judged(config):
        judge.check(config)
    jobs = []
    with progress("loading items", None) as counter:
        for name in config.bench:
            jobs.append(job.prepare(config, name, model, known))
            counter.advance(len(jobs[-1].slots))
    for bench_job in jobs:
        if generating:
            limits, slots = bench_job.limits, bench_job.slots
            fit = sum(not slot.overlong for slot in slots)
            cut = sum(slot.n_cut_tokens > 0 for slot in slots)
            say(
                f"{bench_job.bench.name}: {fit} of {len(slots)} samples fit"
                f"{f' ({cut} with their document cut)' if cut else ''}; at most {limits.max_input} tokens in, "
                f"{limits.max_output} out, model length {limits.max_model_len}; thinking {model.think}; "
                f"temperature {config.temperature:g}, top-p {config.top_p:g}, "
                f"repeats {config.repeats_of(bench_job.bench.name)}"
            )
    return jobs, model


def _judged(config: EvalConfig) -> list[str]:
    """The benchmarks of this run that a model can judge."""
    return [name for name in config.bench if benchmarks.get(name).judge is not None]


def _check_needs(config: EvalConfig) -> None:
    """UsageError for what a benchmark cannot do without, before anything is loaded or asked."""
    for name in config.bench:
        grader = benchmarks.get(name).judge
        if grader is not None and grader.rule is None and config.judge_model is None:
            raise UsageError(
                f"{name} is graded by a model and has no rule to fall back on: pass --judge-model NAME and "
                "--judge-base-url URL (see docs/evaluation.md)"
            )
        if external.is_external(name) and config.responses is None and not config.rescore:
            external.interpreter(config)


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


def _missing(one: _Opened) -> list[job.Slot]:
    """The slots that still want an answer, in the order in which they are asked."""
    if one.job.responses is not None:
        return []
    if external.is_external(one.job.bench.name):
        return external.owed(one.job, one.run.folder)
    answers = ((slot, _stored(one, slot)) for slot in one.job.sent)
    return [slot for slot, answer in answers if answer is None or answer.error is not None]


def _stored(one: _Opened, slot: job.Slot) -> chat.Generation | None:
    if slot.request is None:
        return None
    return chat.stored(one.journal, slot.request.key(one.job.model.identity))


def _remote(config: EvalConfig) -> chat.Endpoint:
    return chat.Endpoint(
        base_url=config.base_url or "", model=config.model or "", timeout=config.timeout, retries=config.retries
    )


@contextlib.contextmanager
def _endpoint(
    config: EvalConfig, model: plan.Model, jobs: list[job.BenchJob], log: Path, say: Say
) -> Iterator[chat.Endpoint]:
    """The configured endpoint, or a server that lives as long as the block."""
    length = max(j.limits.max_model_len for j in jobs)
    engine = plan.started_engine(config, model.folder)
    with contextlib.ExitStack() as stack:
        base_url, served, alive = config.base_url, config.model or "", None
        if base_url is None and engine is not None:
            say(f"starting {engine} for {model.name}; its log is {log}")
            server = stack.enter_context(
                servers.serve(
                    engine,
                    config.model or "",
                    port=config.port,
                    python=config.server_python,
                    log=log,
                    extra_args=config.server_args,
                    max_model_len=length,
                )
            )
            base_url, served, alive = server.base_url, server.model, server.check
            say(f"{engine} is up at {base_url}")
        # transformers serve neither batches nor keeps the random state of requests apart: one at a time.
        streams = 1 if engine == "transformers" else _STREAMS
        yield chat.Endpoint(
            base_url=base_url or "",
            model=served,
            identity=model.identity,
            max_requests=streams if config.concurrency == "auto" else config.concurrency,
            token_budget=config.token_budget or _BUDGET_IN_LENGTHS * length,
            timeout=config.timeout,
            retries=config.retries,
            alive=alive,
        )


def _generate(
    config: EvalConfig, endpoint: chat.Endpoint, one: _Opened, missing: list[job.Slot], progress: Progress
) -> None:
    name, slots = one.job.bench.name, one.job.slots
    with progress(f"{name}: generating", sum(not slot.overlong for slot in slots)) as counter:
        counter.advance(sum(not slot.overlong for slot in slots) - len(missing))
        if external.is_external(name):
            external.generate(config, one.job, endpoint, one.run.folder)
            counter.advance(len(missing))
            return
        requests = [slot.request for slot in missing if slot.request is not None]
        chat.run(endpoint, requests, one.journal, pace(counter, len(requests)))


def _answers(one: _Opened) -> list[chat.Generation | None]:
    """The generation of each slot, from the journal, another program's results or the responses file; else None."""
    if one.job.responses is not None:
        found = [one.job.responses.get((slot.item.id, slot.repeat)) for slot in one.job.slots]
        return [chat.Generation(key="", text=f.text, finish_reason=f.finish_reason) if f else None for f in found]
    if external.is_external(one.job.bench.name):
        texts = external.answers(one.job, one.run.folder)
        said = [texts.get((slot.item.id, slot.repeat)) for slot in one.job.slots]
        return [chat.Generation(key="", text=text) if text is not None else None for text in said]
    return [_stored(one, slot) for slot in one.job.slots]


def _grade(
    config: EvalConfig, one: _Opened, answers: list[chat.Generation | None], progress: Progress
) -> list[Sample]:
    """A sample for every slot, in order; where a judge grades, after its verdicts are in the journal."""
    name, slots = one.job.bench.name, one.job.slots
    work = {
        place: grading.Job(name, slot.item.gold, answer.text, one.job.model.think)
        for place, (slot, answer) in enumerate(zip(slots, answers, strict=True))
        if answer is not None and answer.error is None
    }
    scores = {}
    with (progress if work else silent)(f"{name}: grading", len(work)) as counter:
        for place, score in zip(work, grading.grade_all(list(work.values())), strict=True):
            scores[place] = judge.Verdict(score)
            counter.advance()
    grader = one.job.bench.judge
    if one.verdicts is not None and grader is not None:
        asked = judge.questions(grader, list(work.values()))
        missing = judge.owed(config, asked, one.verdicts)
        with (progress if missing else silent)(f"{name}: judging", missing) as counter:
            judge.ask(config, grader, asked, one.verdicts, counter.advance)
        for place, question in zip(work, asked, strict=True):
            scores[place] = judge.verdict(config, grader, scores[place].score, question, one.verdicts)
    found = []
    for place, (slot, answer) in enumerate(zip(slots, answers, strict=True)):
        verdict = scores.get(place)
        if answer is None or verdict is None:
            found.append(samples.without_score(slot, answer, one.job.limits.max_input))
        else:
            found.append(samples.with_answer(slot, answer, verdict.score, judge_failed=verdict.failed))
    return found


def _seconds(answers: list[chat.Generation | None]) -> dict[str, float]:
    spent = [answer.seconds for answer in answers if answer is not None]
    return {"generation_sum": round(sum(spent), 3), "slowest_request": max(spent, default=0.0)}


def _settings(config: EvalConfig, bench_job: job.BenchJob) -> dict[str, Any]:
    """What was in force, limits and thinking included."""
    asked = config.identity(bench_job.bench.name)
    for name in ("bench", "model", "engine", *(JUDGE_SETTINGS if bench_job.bench.judge is None else ())):
        asked.pop(name)
    tokenizer = tokens.label(bench_job.model.tokenizer.name)
    effective = {**bench_job.limits.as_json(), "think": bench_job.model.think, "tokenizer": tokenizer}
    if bench_job.responses is not None:
        for name in ("temperature", "top_p", "max_input", "max_output", "max_model_len", "repeats", "overlong"):
            asked.pop(name)
        effective = {"think": bench_job.model.think, "tokenizer": tokenizer}
    return {**asked, **effective}


def _write(folder: Path, found: list[Sample], results: dict[str, Any]) -> None:
    rows = [{k: v for k, v in sample.items() if k != "bucket_keys"} for sample in found]
    write_text(folder / "samples.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    write_json(folder / "results.json", results)
    scorecard.write_report(folder / "report.html", results)
