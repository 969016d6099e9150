"""`golongrl eval`: load, plan, generate what is missing, grade and judge, write the scorecard.

Every step is safe to repeat. Generations are journalled as they come; scoring starts from the journal alone, in item
order, so an interrupted run ends with the same bytes as an undisturbed one.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from golongrl.core import chat, kv_pool, tokens
from golongrl.core.errors import DataError, ServerError, UsageError
from golongrl.core.runs import only_writer
from golongrl.core.store import Journal
from golongrl.pipeline.evaluation import (
    answering,
    asked,
    benchmarks,
    external,
    job,
    judge,
    length_notes,
    overview_page,
    plan,
    scorecard,
    scoring,
    serving,
)
from golongrl.pipeline.evaluation.benchmarks import passages
from golongrl.pipeline.evaluation.config import EvalConfig
from golongrl.pipeline.evaluation.pace import Progress, silent

Say = Callable[[str], None]

THINKING = {
    "required": "an answer counts behind closed thinking only",
    "optional": "answers count with or without thinking",
}
"""What `think` means, in words."""
_NAMED = 5
"""Files that are named of those that are not read."""


class StoppedError(ServerError):
    """An endpoint is gone; `card` holds what was finished before, and counts the rest as owed."""

    def __init__(self, message: str, card: scorecard.Scorecard):
        super().__init__(message)
        self.card = card


def evaluate(config: EvalConfig, progress: Progress = silent, say: Say = lambda text: None) -> scorecard.Scorecard:
    """Run or resume an evaluation and write each benchmark's folder.

    A folder holds config.json, manifest.json, limits.json, asked.jsonl, generations.jsonl and judge.jsonl (the
    journals), samples.jsonl, results.json and report.html; mrcr-mini also items.jsonl. Samples that could not be
    generated or judged stay owed: the result says how many, and the same command asks for them again. Raises
    StoppedError when an endpoint is gone, after the scorecards of what is there were written; ServerError when that
    is so before anything was asked.
    """
    jobs, model = _prepare(config, progress, say)
    with contextlib.ExitStack() as stack:
        opened = []
        for bench_job in jobs:
            stack.callback(bench_job.close)
            run = job.open_folder(config, bench_job)
            stack.enter_context(only_writer(run.folder, "eval"))
            journal = stack.enter_context(Journal(run.path("generations.jsonl"), on_disk=True))
            judged = config.judge_model is not None and bench_job.bench.judge is not None
            verdicts = stack.enter_context(Journal(run.path("judge.jsonl"))) if judged else None
            opened.append(answering.Opened(bench_job, run, journal, verdicts))
            _note_questions(opened[-1])
        gone = None
        if not config.rescore:
            try:
                _answer(config, model, opened, progress, say)
            except ServerError as error:
                gone = error
        cards, judge_gone = [], None
        for one in opened:
            card, failed = scoring.score(config, one, model, progress, ask_judge=judge_gone is None)
            cards.append(card)
            judge_gone = judge_gone or failed
    card = scorecard.Scorecard(cards)
    if len(cards) > 1 and config.out is not None:
        overview_page.page_of(config.out).write(Path(config.out) / "report.html")
    if gone or judge_gone:
        raise StoppedError(_stopped(card, gone or judge_gone), card) from (gone or judge_gone)
    return card


def _answer(
    config: EvalConfig, model: plan.Model, opened: list[answering.Opened], progress: Progress, say: Say
) -> None:
    """Ask for all that is missing, stage by stage. Raises ServerError when a server is gone or does not start."""
    owed = [(one, missing) for one in opened if (missing := answering.missing(one))]
    log = opened[0].run.path("server.log")
    for stage in serving.stages(config, model, [(one.job, missing) for one, missing in owed]):
        with serving.endpoint(config, model, stage, log, say) as found:
            endpoint = _within_cache(config, found, say)
            for one, _ in owed:
                if missing := stage.slots.get(one.job.bench.name):
                    answering.generate(config, endpoint, one, missing, progress)


def _within_cache(config: EvalConfig, endpoint: chat.Endpoint, say: Say) -> chat.Endpoint:
    """The endpoint with what its KV cache holds as the budget, where it says so and the user named no other."""
    held = kv_pool.kv_tokens(endpoint.base_url, api_key=chat.api_key(endpoint.api_key_env))
    if held is None:
        return endpoint
    say(f"the server's KV cache holds {held} tokens")
    return replace(endpoint, kv_tokens=held, token_budget=config.token_budget or held)


def _stopped(card: scorecard.Scorecard, error: ServerError | None) -> str:
    """What went wrong, and what there is in spite of it."""
    done = [one.bench for one in card.cards if one.complete]
    if not done:
        return str(error)
    return f"{error}; complete before that: {', '.join(done)}"


def _note_questions(one: answering.Opened) -> None:
    """Write what is asked, by which a page can be made of the folder at any time."""
    asked.write(
        one.run.folder,
        one.job.shown,
        one.job.slots,
        one.job.model.think,
        lambda slot: answering.key_of(one.job, slot),
    )


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
    if generating and config.base_url is None and model.folder is not None and model.template is None:
        raise DataError(
            f"{config.model} has no chat template, so its server cannot render a prompt; use an instruction-tuned "
            "model, or add chat_template.jinja to the folder"
        )
    if generating and model.tokenizer.name == "approx":
        say("token counts are approximate (bytes / 4); pass --tokenizer FOLDER for exact ones")
    known = plan.model_length(model.files) if model.files is not None else None
    asking = generating and not (config.rescore or config.dry_run) and config.max_model_len is None
    if asking and config.base_url is not None:
        known = chat.served_length(_remote(config)) or known
    if config.judge_model is not None and not (config.rescore or config.dry_run) and _judged(config):
        judge.check(config)
    for note in _left_out(config):
        say(note)
    jobs = []
    with progress("loading items", None) as counter:
        for name in config.bench:
            jobs.append(job.prepare(config, name, model, known, counter.advance))
    for bench_job in jobs:
        if generating:
            limits, slots = bench_job.limits, bench_job.slots
            fit = sum(not slot.overlong for slot in slots)
            cut = sum(slot.n_cut_tokens > 0 for slot in slots)
            say(
                f"{bench_job.bench.name}: {fit} of {len(slots)} samples fit"
                f"{f' ({cut} with their document cut)' if cut else ''}; at most {limits.max_input} tokens in, "
                f"{limits.max_output} out, model length {limits.max_model_len}; {THINKING[model.think]}; "
                f"temperature {config.temperature:g}, top-p {config.top_p:g}, "
                f"repeats {config.repeats_of(bench_job.bench.name)}"
            )
    for note in length_notes.notes(config, model, jobs) if generating else ():
        say(note)
    return jobs, model


def _left_out(config: EvalConfig) -> Iterator[str]:
    """A line for each benchmark that is built of documents, where its folder holds files that are not read."""
    for name in config.bench:
        data = job.data_of(config, name)
        if benchmarks.get(name).as_row is None or not (others := passages.left_out(data)):
            continue
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        yield (
            f"{name} reads {', '.join(passages.SUFFIXES)} files; {len(others)} others in {data} are left out: "
            f"{', '.join(others[:_NAMED])}{more}"
        )


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


def _remote(config: EvalConfig) -> chat.Endpoint:
    return chat.Endpoint(
        base_url=config.base_url or "", model=config.model or "", timeout=config.timeout, retries=config.retries
    )
