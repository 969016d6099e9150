"""Run folders to compare: evaluations and training runs with given scores, in the files that real ones leave."""

import json
from pathlib import Path

SETTINGS = {"temperature": 0.7, "top_p": 0.95, "max_input": 4096, "max_output": 512, "think": "optional", "seed": 0}
SETTINGS |= {"tokenizer": "approx", "max_model_len": 8192, "repeats": 1, "overlong": "skip"}
TRAINING = {"command": "train", "algo": "grpo", "model": "m", "data": "train.parquet", "temperature": 1.0}
TRAINING |= {"filter_groups": False, "inputs": {"train.parquet": "d1"}}


def sample(identity, score, *, repeat=0, cluster=None, status=None, **buckets):
    """One row of samples.jsonl."""
    status = status or ("ok" if score is not None else "overlong_input")
    row = {"id": identity, "repeat": repeat, "status": status, "score": score, "reason": status, "details": {}}
    return {**row, "cluster": cluster or identity, **buckets}


def write_eval(folder: Path, samples, bench="mrcr", *, axes=(), inputs=None, versions=None, judge=None, **settings):
    """A run folder of one benchmark; `settings` differ from SETTINGS."""
    folder.mkdir(parents=True)
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in samples))
    results = {"bench": bench, "model": folder.name, "metric": "ratio", "judge": judge}
    results |= {"dataset": {"id": "d", "split": "test"}, "buckets": {axis: [] for axis in axes}}
    (folder / "results.json").write_text(json.dumps({**results, "settings": {**SETTINGS, **settings}}))
    (folder / "config.json").write_text(
        json.dumps({"inputs": {"data": "d1", "model": folder.name, **(inputs or {})}})
    )
    (folder / "manifest.json").write_text(json.dumps({"versions": {"golongrl": "1.0", **(versions or {})}}))
    return folder


def scored(scores, **options):
    """Samples 0, 1, 2 ... with these scores."""
    return [sample(str(number), score, **options) for number, score in enumerate(scores)]


def write_training(folder: Path, rows, *, validation=(), **config):
    """A training run; rows are (step, prompt index, task, reward), validation (step, task, mean reward)."""
    folder.mkdir(parents=True)
    journal = [
        {"key": f"{step}/{at}", "step": step, "prompt": f"{step}.{index}", "index": index, "task": task}
        | {"reward": reward, "reason": "ok"}
        for at, (step, index, task, reward) in enumerate(rows)
    ]
    (folder / "rollouts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in journal))
    metrics = [{"step": step, "metrics": {f"val/{task}/reward": mean}} for step, task, mean in validation]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in metrics))
    (folder / "config.json").write_text(json.dumps({**TRAINING, **config}))
    (folder / "manifest.json").write_text(json.dumps({"versions": {"golongrl": "1.0"}}))
    return folder
