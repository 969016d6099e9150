"""A trained model as a parcel: weights that everybody can load, and a card that says what they came from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from golongrl.core import chat_template, json_text
from golongrl.core.errors import GolongrlError
from golongrl.core.weight_files import fingerprint
from golongrl.pipeline.publishing import cards, model_card
from golongrl.pipeline.publishing.checks import Check
from golongrl.pipeline.publishing.evaluations import Evaluation, find_evaluations, model_index, problems_of
from golongrl.pipeline.publishing.model_files import PUBLISHED, check_loads, check_safetensors_only, check_tokenizer
from golongrl.pipeline.publishing.parcel import ALWAYS, CARD, Facts, Link, Packing, Parcel, existing_folder
from golongrl.pipeline.publishing.training_run import TrainingRun, find_run


def pack(path: Path, facts: Facts, progress: Any) -> Parcel:
    """The parcel of a training run's model, or of a model folder with a card of its own."""
    run, folder = find_run(existing_folder(path, "a training run or a model"))
    packing = Packing(folder, progress)
    packing.take((*PUBLISHED, *ALWAYS))
    loads, weights = check_loads(folder)
    packing.sources.update({file.name: file for file in weights})
    evaluations = [one for place in facts.results for one in find_evaluations(place)]
    scored = [one for one in evaluations if one.results["score"] is not None]
    card, checks, links = _card(run, folder, facts, scored)
    if card is not None:
        packing.sources[CARD] = card.encode()
    if run is not None:
        packing.sources["train.toml"] = run.settings(facts.base_model).encode()
        if report := run.report():
            packing.sources["report.html"] = report
    for file in weights:
        _scan_header(packing, file)
    files = packing.contents()
    checks = [loads, check_safetensors_only(folder), check_tokenizer(folder), *checks]
    problems = [problem for one in evaluations for problem in (*problems_of(one), *_of_another(one, folder))]
    if evaluations:
        checks.append(Check("results sound", f"{len(evaluations)} benchmarks", problems))
    return Parcel("model", files, [*checks, *packing.scan.checks()], packing.left_out(), links)


def _card(
    run: TrainingRun | None, folder: Path, facts: Facts, evaluations: list[Evaluation]
) -> tuple[str | None, list[Check], list[Link]]:
    """The card's text with its checks, and what it links to: the folder's own card, else one made from the run."""
    own = folder / CARD
    if own.is_file():
        try:
            parsed = cards.parse(own.read_text(encoding="utf-8"), "model")
        except (ValueError, TypeError) as error:
            return None, [Check("card complete", "", [f"{own}: {error}; mend its metadata"])], []
        _complete(parsed, facts)
        text, sections = _with_scores(parsed, evaluations), ()
    elif run is not None:
        text = model_card.card(run, facts, _proof(folder), evaluations, _think(folder))
        parsed, sections = cards.parse(text, "model"), model_card.SECTIONS
    else:
        problem = f"{folder} has no {CARD} and lies in no run of `golongrl train`; give the run's folder or write one"
        return None, [Check("card complete", "", [problem])], []
    complete = cards.check_complete(parsed, model_card.METADATA[1:] if run else ("base_model", "datasets"), sections)
    complete.problems[:] = [_with_flag(problem) for problem in complete.problems]
    return text, [complete, cards.check_licence(parsed)], list(_links(parsed, run, facts))


def _complete(card: Any, facts: Facts) -> None:
    """What the caller gave wins over what the card says."""
    if facts.licence is not None:
        card.data.license = facts.licence
    if facts.base_model is not None:
        card.data.base_model = facts.base_model
    if facts.datasets:
        card.data.datasets = [dataset.partition("@")[0] for dataset in facts.datasets]


def _with_scores(card: Any, evaluations: list[Evaluation]) -> str:
    """The card's text, with the evaluations in its metadata and in a section."""
    if not evaluations:
        return card.content
    data = card.data.to_dict() | {"model-index": model_index(evaluations[0].model, evaluations)}
    body = "\n\n".join(model_card.evaluation(evaluations))
    return cards.front_matter(data) + cards.with_section(card.text, model_card.EVALUATION, body)


def _with_flag(problem: str) -> str:
    for key, flag in (("'base_model'", "--base-model ORG/NAME"), ("'datasets'", "--dataset ORG/NAME")):
        if key in problem:
            return f"{problem.partition(';')[0]}; pass {flag}, the repository on the hub"
    return problem


def _links(card: Any, run: TrainingRun | None, facts: Facts) -> Iterator[Link]:
    data = card.data.to_dict()
    for name in _list(data.get("base_model")):
        yield Link("base model linked", name, "model")
    sha256 = run.data_sha256 if run is not None else None
    for name in facts.datasets or _list(data.get("datasets")):
        # Of several sets, none needs to hold the very file that was made of them.
        alone = len(facts.datasets or _list(data.get("datasets"))) == 1
        yield Link("training data linked", name, "dataset", sha256 if alone else None)


def _of_another(evaluation: Evaluation, folder: Path) -> Iterator[str]:
    """Whether an evaluation that read its model from a folder read another one; an endpoint's is only a name."""
    read = evaluation.model_folder
    if read is not None and read != f"folder:{fingerprint(folder)}":
        yield (
            f"{evaluation.folder}: these are the scores of another model than {folder}; run: golongrl eval --bench "
            f"{evaluation.bench} --model {folder}"
        )


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _proof(folder: Path) -> dict[str, Any] | None:
    path = folder / "proof.json"
    remedy = "remove it, or run the same `golongrl train` again"
    return json_text.read_object(path, remedy) if path.is_file() else None


def _think(folder: Path) -> str:
    try:
        return chat_template.detect_think(chat_template.read_template(folder))
    except GolongrlError:
        # check_tokenizer says what is wrong with it.
        return "optional"


def _scan_header(packing: Packing, file: Path) -> None:
    """The free text in the header of a safetensors file."""
    with open(file, "rb") as handle:
        header = json_text.loads(handle.read(int.from_bytes(handle.read(8), "little")))
    packing.scan.value(file.name, "header", header.get("__metadata__"))
