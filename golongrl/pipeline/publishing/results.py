"""The results of `golongrl eval` as a parcel: scores, the samples behind them, settings, and a card about all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from golongrl import __version__
from golongrl.pipeline.publishing import cards
from golongrl.pipeline.publishing.checks import Check
from golongrl.pipeline.publishing.evaluations import (
    RESULTS,
    SAMPLES,
    Evaluation,
    find_evaluations,
    model_index,
    problems_of,
)
from golongrl.pipeline.publishing.markdown import shell, table
from golongrl.pipeline.publishing.parcel import ALWAYS, CARD, Facts, Packing, Parcel, existing_folder

FILES = (RESULTS, SAMPLES, "report.html")
"""What is published of a benchmark; prompts and answers stay here, because the benchmark's items are in them."""
METADATA = ("license", "tags", "configs", "model-index")
SECTIONS = ("Scores", "How to repeat it", "Settings")
COLUMNS = ("benchmark", "score", "95% interval", "scored", "samples", "not in the score", "metric")
LEFT_OUT = ("overlong_input", "server_error", "judge_error", "unjudged")
"""Statuses that enter no score."""


def pack(path: Path, facts: Facts, progress: Any) -> Parcel:
    """The parcel of an evaluation's folder: one benchmark, or a folder of several of one model."""
    packing = Packing(existing_folder(path, "an evaluation"), progress)
    evaluations = find_evaluations(path)
    packing.take(tuple(name for name in ALWAYS if name != CARD))
    for one in evaluations:
        for name in FILES:
            if (one.folder / name).is_file():
                packing.sources[f"{one.bench}/{name}"] = one.folder / name
        packing.sources[f"{one.bench}/eval.toml"] = one.settings().encode()
    if not (path / RESULTS).is_file() and (path / "report.html").is_file():
        packing.sources["report.html"] = path / "report.html"
    problems = [problem for one in evaluations for problem in problems_of(one)]
    problems += _clashes(path, evaluations)
    samples = sum(one.results["n"] for one in evaluations)
    sound = Check("results sound", f"{samples:,} samples of {len(evaluations)} benchmarks", problems)
    if any(one.results["score"] is None for one in evaluations):
        return Parcel("dataset", {}, [sound])
    text = card(evaluations, facts.licence)
    packing.sources[CARD] = text.encode()
    parsed = cards.parse(text, "dataset")
    files = packing.contents()
    checks = [
        sound,
        cards.check_complete(parsed, METADATA, SECTIONS),
        cards.check_licence(parsed),
        *packing.scan.checks(),
    ]
    return Parcel("dataset", files, checks, packing.left_out())


def _clashes(path: Path, evaluations: list[Evaluation]) -> Iterator[str]:
    models = sorted({one.model for one in evaluations})
    if len(models) > 1:
        yield f"{path} holds results of several models ({', '.join(models)}); publish each model's on its own"
    benches = [one.bench for one in evaluations]
    for bench in sorted({bench for bench in benches if benches.count(bench) > 1}):
        yield f"{path} holds {bench} more than once; leave one folder of it"


def card(evaluations: list[Evaluation], licence: str | None) -> str:
    """README.md, from the runs' own results, settings and manifests."""
    model = evaluations[0].model
    data = {
        "license": licence,
        "license_name": "see-card" if licence == cards.OTHER else None,
        "tags": ["evaluation", "long-context", "golongrl"],
        "configs": [
            {"config_name": one.bench, "data_files": [{"split": "test", "path": f"{one.bench}/{SAMPLES}"}]}
            for one in evaluations
        ],
        "model-index": model_index(model, evaluations),
    }
    return cards.front_matter(data) + "\n" + "\n\n".join(_body(model, evaluations)) + "\n"


def _body(model: str, evaluations: list[Evaluation]) -> Iterator[str]:
    yield f"# Scores of {model} on long-context benchmarks"
    yield (
        f"Scored by golongrl {evaluations[0].manifest.get('versions', {}).get('golongrl', __version__)}. Every score "
        "is the mean over the samples that could be scored, with a 95% interval by bootstrap over clusters "
        "(documents, conversations); samples that could not be scored are counted beside it, never as 0. Each row of "
        "a benchmark's `samples.jsonl` is one sample with its score, the reason where it has none, and the length of "
        "its prompt."
    )
    yield "## Scores"
    yield scores(evaluations)
    for one in evaluations:
        yield from _buckets(one)
    yield "## How to repeat it"
    yield "Each benchmark's folder holds the settings that were in force."
    yield shell(*(_command(one) for one in evaluations))
    for one in evaluations:
        yield from _placeholders(one)
    if any(one.from_responses for one in evaluations):
        yield "The answers were made elsewhere, and scored here."
    yield "## Settings"
    yield table(["benchmark", "data", "licence of the data", "judge", "run", "versions"], map(_about, evaluations))
    for one in evaluations:
        settings = {key: value for key, value in one.results["settings"].items() if value not in (None, [])}
        yield f"### {one.bench}"
        yield table(["setting", "value"], [[key, _plain(value)] for key, value in settings.items()])


def scores(evaluations: list[Evaluation]) -> str:
    """A table with one row per benchmark."""
    return table(COLUMNS, [_row(one.bench, one.results, one.results.get("metric")) for one in evaluations])


def _row(name: str, entry: dict[str, Any], metric: str | None) -> list[Any]:
    outside = [f"{entry['counts'][status]} {status}" for status in LEFT_OUT if entry["counts"].get(status)]
    score = None if entry["score"] is None else f"{entry['score']:.4f}"
    return [name, score, _interval(entry), entry["n_scored"], entry["n"], ", ".join(outside) or None, metric]


def _interval(entry: dict[str, Any]) -> str | None:
    low, high = entry.get("low"), entry.get("high")
    return None if low is None or high is None else f"{low:.4f} to {high:.4f}"


def _buckets(one: Evaluation) -> Iterator[str]:
    for axis, entries in one.results.get("buckets", {}).items():
        if len(entries) > 1:
            yield f"### {one.bench} by {axis}"
            yield table([axis, *COLUMNS[1:-1]], [_row(entry["value"], entry, None)[:-1] for entry in entries])


def _command(one: Evaluation) -> str:
    data = "--data DATA " if one.local_data else ""
    if one.from_responses:
        given = "--responses RESPONSES.jsonl "
    elif one.model_folder:
        given = "--model MODEL "
    else:
        given = "" if one.config.get("engine") else "--base-url http://ENDPOINT/v1 "
    return f"golongrl eval --config {one.bench}/eval.toml {data}{given}--out runs/{one.bench}"


def _placeholders(one: Evaluation) -> Iterator[str]:
    """What a reader must put in place of DATA and MODEL, and how to know that it is the right one."""
    found = {}
    if one.local_data:
        what = "the documents that its items were built from" if one.built else "the file or folder with its rows"
        found["DATA"] = (what, one.local_data)
    if one.model_folder:
        found["MODEL"] = ("the folder of the model", one.model_folder)
    for name, (what, identity) in found.items():
        yield (
            f"{name} of {one.bench} is {what}, read from a disk: the run's `config.json` must show `{identity}` "
            "under `inputs`, or it is another evaluation."
        )


def _about(one: Evaluation) -> list[Any]:
    dataset, judge, manifest = one.results.get("dataset") or {}, one.results.get("judge"), one.manifest
    origin = f"{dataset.get('id') or one.bench}{f' at {one.revision[:12]}' if one.revision else ''}"
    versions = manifest.get("versions", {})
    shown = ", ".join(
        f"{name} {versions[name]}" for name in ("golongrl", "transformers", "python") if name in versions
    )
    sha = manifest.get("git_sha")
    when = f"{str(manifest.get('finished') or '')[:10]}{f', commit {sha[:12]}' if sha else ''}"
    return [one.bench, origin, dataset.get("licence"), judge["model"] if judge else None, when, shown]


def _plain(value: Any) -> str:
    """A setting in words: a list by its entries, a table by its keys that have a value."""
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, dict):
        return " ".join(f"{key} {inner}" for key, inner in value.items() if inner is not None)
    return str(value)
