"""`golongrl eval`: load, plan, generate what is missing, grade, write the scorecard.

Every step is safe to repeat. Generations are journalled as they come; grading starts from the journal alone, in item
order, so an interrupted run ends with the same bytes as an undisturbed one.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from golongrl.core import chat, servers, tokens
from golongrl.core.errors import UsageError
from golongrl.core.runs import only_writer
from golongrl.core.store import Journal, write_json, write_text
from golongrl.pipeline.evaluation import benchmarks, grading, job, plan, scorecard
from golongrl.pipeline.evaluation.config import EvalConfig
from golongrl.pipeline.evaluation.scorecard import Sample

_STREAMS = 32
_BUDGET_IN_LENGTHS = 8


class Counter(Protocol):
    """Something that shows finished work."""

    def advance(self, count: int = 1) -> None: ...


class _Silent:
    def advance(self, count: int = 1) -> None:
        pass


@contextlib.contextmanager
def silent(label: str, total: int | None = None) -> Iterator[Counter]:
    """Progress that shows nothing."""
    yield _Silent()


Progress = Callable[[str, int | None], contextlib.AbstractContextManager[Counter]]
Say = Callable[[str], None]


def evaluate(config: EvalConfig, progress: Progress = silent, say: Say = lambda text: None) -> scorecard.Scorecard:
    """Run or resume an evaluation and write each benchmark's folder.

    A folder holds config.json, manifest.json, limits.json, generations.jsonl (the journal), samples.jsonl,
    results.json and report.html; mrcr-mini also items.jsonl. Samples that could not be generated stay owed: the
    result says how many, and the same command asks for them again. Raises ServerError when the endpoint is gone.
    """
    jobs, model = _prepare(config, progress, say)
    with contextlib.ExitStack() as stack:
        opened = []
        for bench_job in jobs:
            run = job.open_folder(config, bench_job)
            stack.enter_context(only_writer(run.folder, "eval"))
            opened.append((bench_job, run, stack.enter_context(Journal(run.path("generations.jsonl")))))
        owed = [sum(_is_owed(journal, request, model) for request in j.requests) for j, _, journal in opened]
        if sum(owed) and not config.rescore:
            log = opened[0][1].path("server.log")
            with _endpoint(config, model, jobs, log, say) as endpoint:
                for (bench_job, _, journal), missing in zip(opened, owed, strict=True):
                    if missing:
                        _generate(endpoint, bench_job, journal, progress)
        cards = []
        for bench_job, run, journal in opened:
            samples = _grade(bench_job, journal, progress)
            settings = _settings(config, bench_job)
            results = scorecard.build_results(
                bench_job.bench, model.name, samples, settings, _seconds(bench_job, journal), _go_on(config)
            )
            _write(run.folder, samples, results)
            card = scorecard.BenchCard(bench_job.bench.name, run.folder, results)
            cards.append(card)
            if card.complete:
                run.finish(score=results["score"], n_samples=results["n"])
    return scorecard.Scorecard(cards)


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
            "overlong": sum(slot.request is None and slot.n_input_tokens is not None for slot in j.slots)
            if j.responses is None
            else 0,
            "input_tokens": sum(request.n_tokens for request in j.requests),
            "output_tokens_at_most": len(j.requests) * j.limits.max_output,
            **j.limits.as_json(),
            "tokenizer": tokens.label(model.tokenizer.name),
            "think": model.think,
        }
        for j in jobs
    ]


def _prepare(config: EvalConfig, progress: Progress, say: Say) -> tuple[list[job.BenchJob], plan.Model]:
    for name in config.bench:
        benchmarks.get(name)
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
    jobs = []
    with progress("loading items", None) as counter:
        for name in config.bench:
            jobs.append(job.prepare(config, name, model, known))
            counter.advance(len(jobs[-1].slots))
    for bench_job in jobs:
        if generating:
            limits = bench_job.limits
            say(
                f"{bench_job.bench.name}: {len(bench_job.requests)} of {len(bench_job.slots)} samples fit; at most "
                f"{limits.max_input} tokens in, {limits.max_output} out, model length {limits.max_model_len}; "
                f"thinking {model.think}"
            )
    return jobs, model


def _go_on(config: EvalConfig) -> str:
    if config.responses is not None:
        return "add their rows to the responses file and score it into another --out"
    if config.rescore:
        return "run the same command without --rescore to ask for them"
    return "run the same command again to ask for them once more; samples.jsonl says what went wrong"


def _is_owed(journal: Journal, request: chat.Request, model: plan.Model) -> bool:
    found = chat.stored(journal, request.key(model.identity))
    return found is None or found.error is not None


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


def _generate(endpoint: chat.Endpoint, bench_job: job.BenchJob, journal: Journal, progress: Progress) -> None:
    requests = bench_job.requests
    with progress(f"{bench_job.bench.name}: generating", len(requests)) as counter:
        chat.run(endpoint, requests, journal, lambda generation: counter.advance())


def _answer(bench_job: job.BenchJob, slot: job.Slot, journal: Journal) -> chat.Generation | None:
    """The generation of a slot, from the journal or from the responses file; None when there is none."""
    if bench_job.responses is not None:
        found = bench_job.responses.get((slot.item.id, slot.repeat))
        return chat.Generation(key="", text=found.text, finish_reason=found.finish_reason) if found else None
    if slot.request is None:
        return None
    return chat.stored(journal, slot.request.key(bench_job.model.identity))


def _grade(bench_job: job.BenchJob, journal: Journal, progress: Progress) -> list[Sample]:
    answers = [_answer(bench_job, slot, journal) for slot in bench_job.slots]
    graded = [answer is not None and answer.error is None for answer in answers]
    work = [
        grading.Job(bench_job.bench.name, slot.item.gold, answer.text, bench_job.model.think)
        for slot, answer in zip(bench_job.slots, answers, strict=True)
        if answer is not None and answer.error is None
    ]
    scores = grading.grade_all(work)
    samples = []
    with progress(f"{bench_job.bench.name}: grading", len(work)) as counter:
        for slot, answer, has_score in zip(bench_job.slots, answers, graded, strict=True):
            sample = _sample(slot, answer, bench_job)
            if has_score:
                score = next(scores)
                # An answer that was cut off is graded for what is there, and counted as cut off.
                cut = sample["finish_reason"] == "length" and score.reason in ("ok", "no_answer")
                reason = "truncated" if cut else score.reason
                sample.update(status="scored", score=score.value, reason=reason, details=score.details)
                counter.advance()
            samples.append(sample)
    return samples


def _sample(slot: job.Slot, answer: chat.Generation | None, bench_job: job.BenchJob) -> Sample:
    """A sample without a score; says why there is none."""
    error = answer.error if answer is not None else None
    overlong = bench_job.responses is None and slot.request is None
    if overlong or (error is not None and error.kind == "overlong"):
        status, reason, details = (
            "overlong",
            "truncated",
            {"kind": "overlong", "max_input": bench_job.limits.max_input},
        )
    elif error is not None:
        reason = "timeout" if error.kind == "timeout" else "error"
        status, details = "incomplete", {"kind": error.kind, "message": error.message}
    else:
        status, reason, details = "incomplete", "error", {"kind": "missing"}
    return {
        "id": slot.item.id,
        "repeat": slot.repeat,
        "status": status,
        "score": None,
        "reason": reason,
        "details": details,
        "n_input_tokens": slot.n_input_tokens,
        **slot.item.buckets,
        "cluster": slot.item.cluster,
        "finish_reason": answer.finish_reason if answer is not None else None,
        "prompt_tokens": answer.usage.prompt_tokens if answer is not None else None,
        "completion_tokens": answer.usage.completion_tokens if answer is not None else None,
        "bucket_keys": sorted(slot.item.buckets),
    }


def _seconds(bench_job: job.BenchJob, journal: Journal) -> dict[str, float]:
    spent = [answer.seconds for slot in bench_job.slots if (answer := _answer(bench_job, slot, journal)) is not None]
    return {"generation_sum": round(sum(spent), 3), "slowest_request": max(spent, default=0.0)}


def _settings(config: EvalConfig, bench_job: job.BenchJob) -> dict[str, Any]:
    """What was in force, limits and thinking included."""
    asked = config.identity(bench_job.bench.name)
    for name in ("bench", "model", "engine"):
        asked.pop(name)
    tokenizer = tokens.label(bench_job.model.tokenizer.name)
    effective = {**bench_job.limits.as_json(), "think": bench_job.model.think, "tokenizer": tokenizer}
    if bench_job.responses is not None:
        for name in ("temperature", "top_p", "max_input", "max_output", "max_model_len", "repeats"):
            asked.pop(name)
        effective = {"think": bench_job.model.think, "tokenizer": tokenizer}
    return {**asked, **effective}


def _write(folder: Path, samples: list[Sample], results: dict[str, Any]) -> None:
    rows = [{k: v for k, v in sample.items() if k != "bucket_keys"} for sample in samples]
    write_text(folder / "samples.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    write_json(folder / "results.json", results)
    scorecard.write_report(folder / "report.html", results)
