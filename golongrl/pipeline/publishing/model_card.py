"""A trained model's card, from the manifest, settings, results and proof of its run, and from evaluations."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from golongrl.core.stats import Interval
from golongrl.pipeline.publishing import cards
from golongrl.pipeline.publishing.evaluations import Evaluation, model_index
from golongrl.pipeline.publishing.markdown import shell, table
from golongrl.pipeline.publishing.parcel import Facts
from golongrl.pipeline.publishing.results import scores
from golongrl.pipeline.publishing.training_run import TrainingRun

METADATA = ("license", "base_model", "datasets", "library_name", "pipeline_tag", "tags")
EVALUATION = "Evaluation"
SECTIONS = ("Training", "Rewards", "Use")


def card(
    run: TrainingRun, facts: Facts, proof: dict[str, Any] | None, evaluations: Sequence[Evaluation], think: str
) -> str:
    """README.md; what is not known has no line, and the checks say so."""
    base = facts.base_model or run.base_model
    name = (base or "model").rpartition("/")[2]
    title = f"{name} after {run.results['steps']:,} steps of {run.config['algo']}"
    data = {
        "license": facts.licence,
        "license_name": "see-card" if facts.licence == cards.OTHER else None,
        "base_model": base,
        "base_model_relation": "finetune" if base else None,
        "datasets": [dataset.partition("@")[0] for dataset in facts.datasets],
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["long-context", "reinforcement-learning", "rlvr", run.config["algo"], "golongrl"],
        "model-index": model_index(title, list(evaluations)) if evaluations else None,
    }
    parts = [*_training(run, facts, title, base), *_rewards(run), *_scores(evaluations), *_proof(proof)]
    return cards.front_matter(data) + "\n" + "\n\n".join([*parts, *_use(think)]) + "\n"


def _training(run: TrainingRun, facts: Facts, title: str, base: str | None) -> Iterator[str]:
    config, manifest = run.config, run.manifest
    yield f"# {title}"
    yield (
        f"{base or 'The base model'} trained with verifiable rewards on long contexts by golongrl "
        f"{manifest.get('versions', {}).get('golongrl', '')}: {run.results['steps']:,} steps of "
        f"{config['prompts_per_batch']} prompts with {config['rollouts_per_prompt']} rollouts each, prompts up to "
        f"{config['max_prompt_tokens']:,} tokens, answers up to {config['max_response_tokens']:,}."
    )
    yield "## Training"
    yield "`train.toml` in this repository holds every setting of the run. With the training data's files beside it:"
    yield shell("golongrl train --config train.toml --out runs/again")
    rows: list[list[Any]] = [["algorithm", config["algo"]], ["seed", config.get("seed")]]
    rows += [["training data", dataset] for dataset in facts.datasets]
    if run.data_sha256:
        rows.append(["sha256 of the training data", run.data_sha256])
    audited = (
        "audited before training" if manifest.get("reward_gate") else "not audited before training (--skip-gate)"
    )
    rows.append(["rewards", audited])
    rows += [["started", manifest.get("started")], ["finished", manifest.get("finished")]]
    rows += [["commit of golongrl", manifest["git_sha"]]] if manifest.get("git_sha") else []
    versions = manifest.get("versions", {})
    rows.append(["versions", ", ".join(f"{name} {version}" for name, version in versions.items())])
    yield table(["what", "value"], rows)


def _rewards(run: TrainingRun) -> Iterator[str]:
    yield "## Rewards"
    yield (
        f"Mean reward of the training rollouts, 0 to 1, over up to {run.results.get('window', 1)} steps at each end, "
        "with a 95% bootstrap interval over the last steps. It tells that training worked; scores on held-out "
        "benchmarks tell what it is worth."
    )
    rows = [[task, first, last.mean, _span(last)] for task, (first, last) in run.rewards().items()]
    yield table(["task", "first steps", "last steps", "95% interval"], rows)


def _span(interval: Interval) -> str | None:
    return None if math.isnan(interval.low) else f"{interval.low:.3f} to {interval.high:.3f}"


def evaluation(evaluations: Sequence[Evaluation]) -> Iterator[str]:
    """The paragraphs of the section on scores; none without evaluations."""
    if evaluations:
        names = sorted({one.model for one in evaluations if one.model_folder is None})
        whose = f"{', '.join(names)}, as the model was named there" if names else "these weights"
        yield (
            f"Scores of {whose}: means with 95% intervals by bootstrap over clusters. The metadata of this card hold "
            "the settings."
        )
        yield scores(list(evaluations))


def _scores(evaluations: Sequence[Evaluation]) -> list[str]:
    return [f"## {EVALUATION}", *evaluation(evaluations)] if evaluations else []


def _proof(proof: dict[str, Any] | None) -> Iterator[str]:
    if not proof:
        return
    yield "## Checks of the weights"
    loaded = "loads and generates" if proof["loaded"] else f"was not loaded ({proof['skipped']})"
    yield (
        f"{proof['tensors']:,} tensors with {proof['parameters']:,} parameters; names, shapes and config are the "
        f"base model's, {proof['changed']:,} tensors differ from it (by {proof['largest_change']:.2g} at most), "
        f"every value is finite, and the folder {loaded}. `proof.json` tells more."
    )
    yield from (f"**Warning.** {warning}." for warning in proof.get("warnings", []))


def _use(think: str) -> Iterator[str]:
    yield "## Use"
    if think == "required":
        yield "The chat template opens a thinking block, so an answer counts once the block is closed."
    yield "Serve the folder with vLLM or SGLang, and score it:"
    yield shell(
        "vllm serve FOLDER",
        "golongrl eval --bench mrcr --model FOLDER --base-url http://127.0.0.1:8000/v1",
    )
