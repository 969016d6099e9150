"""One benchmark of one run: its items, its run folder, and which generation belongs to which item.

Items are read one by one. Their prompts go to a file and come back when it is their turn; what is held of an item is
small.
"""

import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from golongrl.core import chat, chat_template, runs, tokens
from golongrl.core.errors import DataError, UsageError
from golongrl.core.prompts import Prompt, PromptFile, measure
from golongrl.core.row_files import files_at
from golongrl.core.store import atomic_path, content_key, file_sha256, write_json
from golongrl.pipeline.evaluation import asked, benchmarks, hub_data, overlong
from golongrl.pipeline.evaluation.benchmarks import mrcr
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item, LoadOptions, Messages
from golongrl.pipeline.evaluation.benchmarks.passages import read_documents
from golongrl.pipeline.evaluation.config import JUDGE_SETTINGS, EvalConfig
from golongrl.pipeline.evaluation.order import sending_order
from golongrl.pipeline.evaluation.plan import Limits, Model, choose_limits, make_sampling, with_yarn
from golongrl.pipeline.evaluation.responses import Responses, carries_items, items_of, read_responses


@dataclass(frozen=True)
class Slot:
    """One answer that a run wants: an item, which repeat of it, and the prompt's size (None without a prompt).

    The item's `messages` are not here but in `prompt`, which is None where they are not kept. `request` is None where
    nothing is asked here: finished responses, questions that another program asks, and prompts longer than
    `max_input`, which are `overlong`. `n_cut_tokens` went from the item's document so that it fits.
    """

    item: Item
    repeat: int
    n_input_tokens: int | None
    request: chat.Request | None
    overlong: bool = False
    n_cut_tokens: int = 0
    prompt: Prompt | None = None


@dataclass
class BenchJob:
    """Everything that is fixed before the first request."""

    bench: Benchmark
    model: Model
    limits: Limits
    slots: list[Slot]
    responses: Responses | None
    folder: Path
    own_items: bool = False
    """Whether the rows of the responses file carry the items themselves."""
    prompts: PromptFile | None = None
    """Where the prompts are until they are sent; None where none is."""
    shown: list[asked.Row] = field(default_factory=list)
    """What the report shows of each item."""

    def close(self) -> None:
        """Give back the space that the prompts take."""
        if self.prompts is not None:
            self.prompts.close()

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
        hashes["data"] = content_key([file_sha256(file) for file in files_at(data)])
    elif not job.own_items and bench.hub is not None:
        hashes["data"] = hub_data.find_files(bench.name, None, bench.hub).origin or ""
    return hashes


def prepare(
    config: EvalConfig,
    name: str,
    model: Model,
    known_length: int | None,
    on_item: Callable[[], None] = lambda: None,
) -> BenchJob:
    """Load the items and lay down what will be asked; writes nothing but prompts in a file without a name.

    Raises UsageError for prompts that do not fit, where `overlong` is "error".
    """
    bench = benchmarks.get(name)
    folder = default_folder(config, name, model)
    short = bench.short_output(config.answer_tokens) if bench.short_output and model.think == "optional" else None
    saved = _saved_limits(folder, config)
    limits = saved or choose_limits(
        config, known_length, short, reach=model.reach, max_input=bench.max_input, max_output=bench.max_output
    )
    responses = read_responses(config.responses) if config.responses is not None else None
    data = data_of(config, name)

    def count_prompt(messages: Messages) -> int:
        return chat_template.prompt_tokens(model.tokenizer, messages, model.template)

    own_items = responses is not None and data is None and carries_items(responses, bench)
    found = BenchJob(bench, model, limits, [], responses, folder, own_items)
    if responses is None and not (config.rescore or config.dry_run):
        found.prompts = PromptFile(_existing_parent(folder))
    answered: dict[str, list[int]] = {}
    for identity, repeat in sorted(responses.places if responses is not None else ()):
        answered.setdefault(identity, []).append(repeat)
    if responses is not None and own_items:
        items: Iterable[Item] = items_of(responses, bench)
    else:
        items = bench.load(_load_options(config, bench, model, data, count_prompt))
    for item in items:
        n_input = count_prompt(item.messages) if item.messages else None
        if n_input is not None:
            # By the item as it is, not by what is left of it.
            _put_length(item, n_input, bench, model)
        # What is shown of a prompt is taken here, where it is whole.
        found.shown.append(asked.row_of(item))
        if responses is not None:
            bare = replace(item, messages=[])
            found.slots += [Slot(bare, repeat, n_input, None) for repeat in answered.get(item.id, [0])]
        else:
            found.slots += _slots(config, found, item, n_input, count_prompt)
        on_item()
    if responses is not None and not any(slot.item.id in answered for slot in found.slots):
        raise DataError(f"no id of {config.responses} is among the {len(found.shown)} items; check --data")
    if config.overlong == "error":
        _refuse_overlong(name, found.slots, limits)
    if saved is None:
        inputs = (slot.n_input_tokens for slot in found.slots if slot.n_input_tokens is not None)
        found.limits = with_yarn(config, model, limits, inputs)
    return found


def _load_options(
    config: EvalConfig, bench: Benchmark, model: Model, data: str | None, count_prompt: Callable[[Messages], int]
) -> LoadOptions:
    return LoadOptions(
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


def _existing_parent(folder: Path) -> Path:
    """The nearest folder that is there: on the same disk as the run, which is not made before all items are read."""
    return next(parent for parent in folder.absolute().parents if parent.is_dir())


def _slots(
    config: EvalConfig,
    job: BenchJob,
    item: Item,
    n_input: int | None,
    count_prompt: Callable[[Messages], int],
) -> list[Slot]:
    """The slots of one item, with its document cut where that is wanted and needed."""
    limits, repeats = job.limits, range(config.repeats_of(job.bench.name))
    n_cut, too_long = 0, n_input is not None and n_input > limits.max_input
    if too_long and n_input is not None and config.overlong == "middle-document":
        cut = overlong.cut_document(item, n_input, limits.max_input, job.model.tokenizer, count_prompt)
        if cut is not None:
            item, n_input, n_cut = cut
            too_long = False
    bare, prompt = replace(item, messages=[]), None
    # Items that were built are written down, whether they fit or not.
    if item.messages and not (too_long and job.bench.as_row is None):
        prompt = job.prompts.add(item.messages) if job.prompts is not None else measure(item.messages)
    if n_input is None or prompt is None or too_long:
        return [Slot(bare, repeat, n_input, None, too_long, prompt=prompt) for repeat in repeats]
    sampling, found = make_sampling(config, job.model, limits), []
    for repeat in repeats:
        seed = chat.derive_seed(config.seed, prompt.key, repeat)
        request = chat.Request(prompt, sampling, seed, repeat, n_input)
        found.append(Slot(bare, repeat, n_input, request, False, n_cut, prompt))
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
        return Limits.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (json.JSONDecodeError, TypeError, AttributeError) as error:
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
    if job.bench.as_row is not None and job.prompts is not None:
        _write_items(run.path("items.jsonl"), job, job.bench.as_row)
    return run


def _write_items(path: Path, job: BenchJob, as_row: Callable[[Item], dict[str, Any]]) -> None:
    """The items that were built here, whole."""
    built = {slot.item.id: slot for slot in job.slots}
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as out:
        for slot in built.values():
            if slot.prompt is not None:
                row = as_row(replace(slot.item, messages=slot.prompt.messages()))
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
