"""The demo: real documents to a trained, scored model with the real subcommands, in about ten minutes on a CPU."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golongrl.core.config import PROJECT_FILE
from golongrl.core.errors import UsageError
from golongrl.core.runs import only_writer, set_aside
from golongrl.core.store import storage_errors, write_text
from golongrl.pipeline.demo import smollm2, sources
from golongrl.pipeline.demo.stages import Stage, StageResult, run_stages
from golongrl.pipeline.demo.summary import Table, tables

STEPS = 3
TRAINED = "train/model"

SETTINGS = """\
# Written by `golongrl demo`: `golongrl train` run in this folder reads it. Small enough for two CPU cores:
# records of the 512-token bin train (and the tokens the chat template adds), longer ones are left out.

[train]
data = "dataset/train.parquet"
val_data = "dataset/val.parquet"
model = {model}
device = "cpu"
gpus_per_node = 1
rollout = "transformers"
steps = {steps}
warmup_steps = 0
save_every = {steps}
prompts_per_batch = 4
rollouts_per_prompt = 4
max_prompt_tokens = 576
max_response_tokens = 64
# At 1.0 a model this small loses the thread within a sentence.
temperature = 0.7
dump_rollouts = true
"""


@dataclass(frozen=True)
class DemoReport:
    """What a demo did: its folder, the model it started from, and every stage in order."""

    folder: Path
    model: Path
    stages: tuple[StageResult, ...]
    tables: list[Table]

    def as_json(self) -> dict[str, Any]:
        """One object for `--json`: the folder, the model, and every table's rows under its title."""
        rows = {table.title: table.as_dicts() for table in self.tables}
        return {"out": str(self.folder), "model": str(self.model), **rows}


def run_demo(out: str | Path = "demo-out", *, fresh: bool = False, say: Callable[[str], None] = print) -> DemoReport:
    """Run or resume the demo in `out`; `fresh` sets an earlier demo aside first.

    Raises UsageError when `out` holds something else, StageFailedError when a subcommand fails.
    """
    folder = Path(out).absolute()
    prepare_folder(folder, fresh, say)
    model = smollm2.model_folder()
    say(f"working folder: {folder} (the commands below run there)")
    if not (folder / PROJECT_FILE).exists():
        write_text(folder / PROJECT_FILE, project_settings(model))
    again = f"`golongrl demo --out {out}`" if str(out) != "demo-out" else "`golongrl demo`"
    with only_writer(folder, "demo"):
        results = run_stages(demo_stages(folder, model), folder, say=say, again=again)
    return DemoReport(folder, model, tuple(results), tables(folder, TRAINED, results))


def prepare_folder(folder: Path, fresh: bool, say: Callable[[str], None]) -> None:
    """Create the demo's folder, or check that an earlier demo owns it."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--out {folder} is a file; choose a folder")
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "stages.jsonl").exists() and not (folder / PROJECT_FILE).exists():
            raise UsageError(f"{folder} is not empty and no demo ran there; choose another --out")
        if fresh:
            say(f"the earlier demo is now {set_aside(folder)}")
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)


def project_settings(model: Path) -> str:
    """The text of golongrl.toml for the demo's training run."""
    import json

    return SETTINGS.format(model=json.dumps(str(model), ensure_ascii=False), steps=STEPS)


def demo_stages(folder: Path, model: Path) -> list[Stage]:
    """The eight stages; commands are those a user would type in `folder`."""
    model_name = str(model)
    train, evaluation = "dataset/train.parquet", ("--bench", "mrcr-mini", "--engine", "transformers")
    items = ("--data", "documents", "--limit", "6", "--max-length", "1k", "--max-output", "48")
    # Answers short enough that a right one fits into the 48 tokens together with its prefix.
    items += ("--set", "answer_tokens=32")
    return [
        Stage(
            name="documents",
            about="the language reference, dataset descriptions, tables and package descriptions of this Python",
            outputs=("documents/licences.toml",),
            action=lambda: sources.write_documents(folder / "documents"),
            folder="documents",
            salt=sources.sources_key(),
        ),
        Stage(
            name="model",
            about=f"SmolLM2-135M-Instruct from the package {smollm2.PACKAGE}, converted once into {model}",
            outputs=(f"{model_name}/config.json", f"{model_name}/model.safetensors"),
            action=lambda: smollm2.convert(model),
            salt=model_name,
        ),
        Stage(
            name="build-dataset",
            about="verifiable questions over the documents, by rules, each with evidence and a proven gold answer",
            inputs=("documents", f"{model_name}/tokenizer.json"),
            outputs=(train, "dataset/val.parquet", "dataset/README.md", "dataset/report.html"),
            command=(
                *("build-dataset", "documents", "--out", "dataset", "--tokenizer", model_name),
                *("--length-bins", "512,1k,2k", "--target", "126", "--seed", "0"),
            ),
            folder="dataset",
        ),
        Stage(
            name="verify-rewards",
            about="every gold answer must score 1, every attack must stay below its bound",
            inputs=(train,),
            outputs=("audit",),
            command=("verify-rewards", train, "--out", "audit"),
            folder="audit",
        ),
        Stage(
            name="train",
            about=f"{STEPS} steps of verl on the CPU with task-wise normalised, difficulty-weighted advantages",
            inputs=(train, "dataset/val.parquet", PROJECT_FILE, model_name),
            outputs=("train/metrics.jsonl", TRAINED),
            command=("train", "--algo", "tmn-reweight", "--out", "train"),
            folder="train",
        ),
        Stage(
            name="eval-base",
            about="multi-round coreference on conversations built from the documents, base model",
            inputs=("documents", model_name),
            outputs=("eval-base/results.json",),
            command=("eval", *evaluation, "--model", model_name, *items, "--out", "eval-base"),
            folder="eval-base",
        ),
        Stage(
            name="eval-trained",
            about="the same items, trained model",
            inputs=("documents", TRAINED),
            outputs=("eval-trained/results.json",),
            command=("eval", *evaluation, "--model", TRAINED, *items, "--out", "eval-trained"),
            folder="eval-trained",
        ),
        Stage(
            name="compare",
            about="is the trained model better, or could these items not have shown it",
            inputs=("eval-base/samples.jsonl", "eval-trained/samples.jsonl"),
            outputs=("compare/compare.json", "compare/report.html"),
            command=("compare", "eval-base", "eval-trained", "--out", "compare"),
            folder="compare",
        ),
    ]
