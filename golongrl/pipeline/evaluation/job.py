"""One benchmark of one run: its items, its run folder, and which generation belongs to which item."""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core import chat, chat_template, runs, tokens
from golongrl.core.errors import DataError, UsageError
from golongrl.core.store import content_key, file_sha256, write_json, write_text
from golongrl.pipeline.evaluation import benchmarks, hub_data, overlong
from golongrl.pipeline.evaluation.benchmarks import mrcr
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item, LoadOptions, Messages
from golongrl.pipeline.evaluation.benchmarks.passages import read_documents
from golongrl.pipeline.evaluation.config import JUDGE_SETTINGS, EvalConfig
from golongrl.pipeline.evaluation.order import sending_order
from golongrl.pipeline.evaluation.plan import Limits, Model, choose_limits, make_sampling
from golongrl.pipeline.evaluation.responses import Response, carries_items, items_of, read_responses


@dataclass(frozen=True)
class Slot:
    """One answer that a run wants: an item, which repeat of it, and the prompt's size (None without a prompt).

    `request` is None where nothing is asked here: finished responses, questions that another program asks, and
    prompts longer than `max_input`, which are `overlong`. `n_cut_tokens` went from the item's document so that it
    fits.
    """

    item: Item
    repeat: int
    n_input_tokens: int | None
    request: chat.Request | None
    overlong: bool = False
    n_cut_tokens: int = 0


@dataclass
class BenchJob:
    """Everything that is fixed before the first request."""

    bench: Benchmark
    model: Model
    limits: Limits
    slots: list[Slot]
    responses: dict[tuple[str, int], Response] | None
    folder: Path
    own_items: bool = False
    """Whether the rows of the responses file carry the items themselves."""

    @functools.cached_property
    def sent(self) -> list[Slot]:
        """The slots that have a request, in the order in which they are sent."""
        return sending_order(self.slots)

    @property
    def requests(self) -> list[chat.Request]:
        """The requests of all slots that have one, in the order in which they are sent."""
        return [slot.request for slot in self.sent if slot.request is not None]


def default_folder(config: EvalConfig, bench: str, model: Model) -> Path:
    """`--out`, with a subfolder per benchmark when there are several; else runs/eval/BENCH-MODEL."""
    if config.out is None:
        return Path("runs/eval") / f"{bench}-{model.name.replace('/', '--')}"
    return Path(config.out) / bench if len(config.bench) > 1 else Path(config.out)


def data_of(config: EvalConfig, bench: str) -> str | None:
    """The part of --data that is for one benchmark.

    A folder with files or folders named after the benchmarks of this run serves each by its name, and None (the hub)
    where a name is missing; all other data serve every benchmark.
    """
    if config.data is None:
        return None
    folder = Path(config.data).expanduser()
    if not folder.is_dir():
        return config.data
    named = {
        entry.name if entry.is_dir() else entry.name.partition(".")[0]: entry for entry in sorted(folder.iterdir())
    }
    if not set(named) & set(config.bench):
        return config.data
    return str(named[bench]) if bench in named else None


def input_hashes(config: EvalConfig, job: BenchJob) -> dict[str, str]:
    """Content hashes of what the run reads; paths are left out, so moving a file changes nothing.

    Rows of the hub are named by data set and commit.
    """
    bench, model, data = job.bench, job.model, data_of(config, job.bench.name)
    hashes = {}
    if model.folder is not None:
        hashes["model"] = model.identity
    if config.responses is not None:
        hashes["responses"] = file_sha256(config.responses)
    if bench.as_row is not None and config.responses is None:
        hashes["documents"] = content_key([list(pair) for pair in read_documents(data)])
    elif data is not None:
        hashes["data"] = content_key([file_sha256(file) for file in hub_data.local_files(data)])
    elif not job.own_items and bench.hub is not None:
        hashes["data"] = hub_data.find_files(bench.name, None, bench.hub).origin or ""
    return hashes


def prepare(config: EvalConfig, name: str, model: Model, known_length: int | None) -> BenchJob:
    """Load the items and lay down what will be asked; writes nothing.

    Raises UsageError for prompts that do not fit, where `overlong` is "error".
    """
    bench = benchmarks.get(name)
    folder = default_folder(config, name, model)
    short = bench.short_output(config.answer_tokens) if bench.short_output and model.think == "optional" else None
    limits = _saved_limits(folder, config) or choose_limits(
        config, known_length, short, max_input=bench.max_input, max_output=bench.max_output
    )
    responses = read_responses(config.responses) if config.responses is not None else None
    data = data_of(config, name)

    def count_prompt(messages: Messages) -> int:
        return chat_template.prompt_tokens(model.tokenizer, messages, model.template)

    own_items = responses is not None and data is None and carries_items(responses, bench)
    if responses is not None and own_items:
        items = items_of(responses, bench)
    else:
        options = LoadOptions(
            data=data,
            tokenizer=model.tokenizer,
            count_prompt=count_prompt,
            max_length=config.max_length,
            limit=config.limit,
            needles=config.needles,
            answer_tokens=config.answer_tokens,
            seed=config.seed,
            count_o200k=mrcr.o200k_counter() if bench.dataset == mrcr.MRCR.dataset else None,
        )
        items = list(bench.load(options))
    answered: dict[str, list[int]] = {}
    for identity, repeat in sorted(responses or ()):
        answered.setdefault(identity, []).append(repeat)
    if responses is not None and not any(item.id in answered for item in items):
        raise DataError(f"no id of {config.responses} is among the {len(items)} items; check --data")
    slots = []
    for item in items:
        n_input = count_prompt(item.messages) if item.messages else None
        if n_input is not None:
            # By the item as it is, not by what is left of it.
            _put_length(item, n_input, bench, model)
        if responses is not None:
            slots += [Slot(item, repeat, n_input, None) for repeat in answered.get(item.id, [0])]
        else:
            slots += _slots(config, model, limits, item, n_input, count_prompt, config.repeats_of(name))
    if config.overlong == "error":
        _refuse_overlong(name, slots, limits)
    return BenchJob(bench, model, limits, slots, responses, folder, own_items)


def _slots(
    config: EvalConfig,
    model: Model,
    limits: Limits,
    item: Item,
    n_input: int | None,
    count_prompt: Callable[[Messages], int],
    repeats: int,
) -> list[Slot]:
    """The slots of one item, with its document cut where that is wanted and needed."""
    n_cut, too_long = 0, n_input is not None and n_input > limits.max_input
    if too_long and n_input is not None and config.overlong == "middle-document":
        cut = overlong.cut_document(item, n_input, limits.max_input, model.tokenizer, count_prompt)
        if cut is not None:
            item, n_input, n_cut = cut
            too_long = False
    if n_input is None or too_long:
        return [Slot(item, repeat, n_input, None, too_long) for repeat in range(repeats)]
    sampling, prompt = make_sampling(config, model, limits), content_key(item.messages)
    found = []
    for repeat in range(repeats):
        request = chat.Request(
            item.messages, sampling, chat.derive_seed(config.seed, prompt, repeat), repeat, n_input
        )
        found.append(Slot(item, repeat, n_input, request, False, n_cut))
    return found


def _put_length(item: Item, n_input: int, bench: Benchmark, model: Model) -> None:
    """Put an item in its length bucket, by prompt and answer in the model's tokens."""
    n_answer = item.n_answer_tokens or model.tokenizer.count(str(item.gold.get("answer", "")))
    item.buckets["length"] = tokens.length_bin(n_input + n_answer, bench.bounds)


def _refuse_overlong(name: str, slots: list[Slot], limits: Limits) -> None:
    long = [slot for slot in slots if slot.overlong]
    if long:
        raise UsageError(
            f"{name}: {len({slot.item.id for slot in long})} prompts have more than {limits.max_input} tokens (the "
            f"first: {long[0].item.id}, {long[0].n_input_tokens} tokens); pass --overlong skip or "
            "middle-document, or raise --max-input and --max-model-len"
        )


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
        inputs=input_hashes(config, job),
        fresh=config.fresh,
        # Another judge may grade the same answers: its verdicts are kept apart by its name.
        free=JUDGE_SETTINGS if config.rescore else (),
    )
    write_json(run.path("limits.json"), job.limits.as_json())
    if job.bench.as_row is not None and job.responses is None:
        rows: dict[str, dict[str, Any]] = {s.item.id: job.bench.as_row(s.item) for s in job.slots}
        write_text(run.path("items.jsonl"), "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows.values()))
    return run
