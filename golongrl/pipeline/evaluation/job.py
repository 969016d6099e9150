"""One benchmark of one run: its items, its run folder, and which generation belongs to which item."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core import chat, chat_template, runs, tokens
from golongrl.core.errors import DataError, UsageError
from golongrl.core.store import content_key, file_sha256, write_json, write_text
from golongrl.pipeline.evaluation import benchmarks
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item, LoadOptions
from golongrl.pipeline.evaluation.benchmarks.mrcr import data_files
from golongrl.pipeline.evaluation.benchmarks.passages import read_documents
from golongrl.pipeline.evaluation.config import EvalConfig
from golongrl.pipeline.evaluation.plan import Limits, Model, choose_limits, make_sampling
from golongrl.pipeline.evaluation.responses import Response, carries_items, items_of, read_responses


@dataclass(frozen=True)
class Slot:
    """One answer that a run wants: an item, which repeat of it, and the prompt's size (None without a prompt).

    `request` is None where nothing is asked: finished responses, and prompts longer than `max_input`.
    """

    item: Item
    repeat: int
    n_input_tokens: int | None
    request: chat.Request | None


@dataclass
class BenchJob:
    """Everything that is fixed before the first request."""

    bench: Benchmark
    model: Model
    limits: Limits
    slots: list[Slot]
    responses: dict[tuple[str, int], Response] | None
    folder: Path

    @property
    def requests(self) -> list[chat.Request]:
        """The requests of all slots that have one."""
        return [slot.request for slot in self.slots if slot.request is not None]


def default_folder(config: EvalConfig, bench: str, model: Model) -> Path:
    """`--out`, with a subfolder per benchmark when there are several; else runs/eval/BENCH-MODEL."""
    if config.out is None:
        return Path("runs/eval") / f"{bench}-{model.name.replace('/', '--')}"
    return Path(config.out) / bench if len(config.bench) > 1 else Path(config.out)


def input_hashes(config: EvalConfig, bench: Benchmark, model: Model) -> dict[str, str]:
    """Content hashes of what the run reads; paths are left out, so moving a file changes nothing."""
    hashes = {}
    if model.folder is not None:
        hashes["model"] = model.identity
    if config.responses is not None:
        hashes["responses"] = file_sha256(config.responses)
    if bench.as_row is not None and config.responses is None:
        hashes["documents"] = content_key([list(pair) for pair in read_documents(config.data)])
    elif config.data is not None:
        hashes["data"] = content_key([file_sha256(file) for file in data_files(config.data)])
    return hashes


def prepare(config: EvalConfig, name: str, model: Model, known_length: int | None) -> BenchJob:
    """Load the items and lay down what will be asked; writes nothing."""
    bench = benchmarks.get(name)
    folder = default_folder(config, name, model)
    short = bench.short_output(config.answer_tokens) if bench.short_output and model.think == "optional" else None
    limits = _saved_limits(folder, config) or choose_limits(config, known_length, short)
    responses = read_responses(config.responses) if config.responses is not None else None

    def count_prompt(messages: list[dict[str, str]]) -> int:
        return chat_template.prompt_tokens(model.tokenizer, messages, model.template)

    if responses is not None and config.data is None and carries_items(responses, bench):
        items = items_of(responses, bench)
    else:
        items = bench.load(
            LoadOptions(
                data=config.data,
                tokenizer=model.tokenizer,
                count_prompt=count_prompt,
                max_length=config.max_length,
                limit=config.limit,
                needles=config.needles,
                answer_tokens=config.answer_tokens,
                seed=config.seed,
            )
        )
    if responses is not None and not any((item.id, 0) in responses for item in items):
        raise DataError(f"no id of {config.responses} is among the {len(items)} items; check --data")
    slots = []
    for item in items:
        n_input = count_prompt(item.messages) if item.messages else None
        repeats = sorted(r for i, r in responses if i == item.id) or [0] if responses else range(config.repeats)
        for repeat in repeats:
            slots.append(Slot(item, repeat, n_input, _request(config, model, limits, item, repeat, n_input)))
    return BenchJob(bench, model, limits, _with_lengths(slots, bench, model), responses, folder)


def _request(
    config: EvalConfig, model: Model, limits: Limits, item: Item, repeat: int, n_input: int | None
) -> chat.Request | None:
    if config.responses is not None or n_input is None or n_input > limits.max_input:
        return None
    seed = chat.derive_seed(config.seed, content_key(item.messages), repeat)
    return chat.Request(item.messages, make_sampling(config, model, limits), seed, repeat, n_input)


def _with_lengths(slots: list[Slot], bench: Benchmark, model: Model) -> list[Slot]:
    """Put each item in its length bucket, by prompt and answer in the model's tokens."""
    for slot in slots:
        if slot.n_input_tokens is not None:
            n_answer = slot.item.n_answer_tokens or model.tokenizer.count(str(slot.item.gold.get("answer", "")))
            total = slot.n_input_tokens + n_answer
            slot.item.buckets["length"] = tokens.length_bin(total, bench.bounds)
    return slots


def _saved_limits(folder: Path, config: EvalConfig) -> Limits | None:
    """Limits of the run in the folder, so that going on or rescoring never depends on a server being there."""
    path = folder / "limits.json"
    if config.fresh or not path.is_file():
        return None
    try:
        return Limits(**json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, TypeError) as error:
        raise DataError(f"{path} was changed by hand; pass --fresh to start over") from error


def open_folder(config: EvalConfig, job: BenchJob) -> runs.Run:
    """Open or resume the run folder, and write what was laid down."""
    if config.rescore and not (job.folder / "generations.jsonl").is_file():
        raise UsageError(
            f"--rescore: {job.folder} holds no generations.jsonl; give the command that made them, with its --out"
        )
    run = runs.open_run(
        job.folder,
        config.identity(job.bench.name) | {"model": job.model.name},
        command="eval",
        inputs=input_hashes(config, job.bench, job.model),
        fresh=config.fresh,
    )
    write_json(run.path("limits.json"), job.limits.as_json())
    if job.bench.as_row is not None and job.responses is None:
        rows: dict[str, dict[str, Any]] = {s.item.id: job.bench.as_row(s.item) for s in job.slots}
        write_text(run.path("items.jsonl"), "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows.values()))
    return run
