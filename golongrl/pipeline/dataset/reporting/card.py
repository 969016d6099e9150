"""The dataset card: README.md with YAML front matter, written from a build's facts alone.

The same facts give the same bytes; no time and no path of the machine stands in it.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from golongrl.core.store import write_text
from golongrl.core.tokens import APPROX, format_length
from golongrl.pipeline.dataset.llm_settings import DECISIVE
from golongrl.pipeline.dataset.reporting import card_tables as tables
from golongrl.pipeline.dataset.reporting import phases
from golongrl.pipeline.dataset.reporting.facts import BuildFacts
from golongrl.pipeline.dataset.reporting.phase import shown
from golongrl.pipeline.dataset.settings import FREE, BuildConfig

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
HUB_LICENCES = (
    "apache-2.0",
    "bsd-2-clause",
    "bsd-3-clause",
    "cc-by-2.0",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-4.0",
    "cc-by-nd-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc0-1.0",
    "gfdl",
    "gpl-2.0",
    "gpl-3.0",
    "lgpl-3.0",
    "mit",
    "mpl-2.0",
    "odbl",
    "odc-by",
    "pddl",
    "unlicense",
)
"""Names that the Hub has for licences documents come under; anything else is "other" there."""
FILES = {"train": "train.parquet", "validation": "val.parquet"}
REASONS = 8
"""Reasons that the card lists per capability and outcome; the report page lists all."""
FLAGS = (
    "sources",
    "qa",
    "generator",
    "capabilities",
    "target",
    "mix",
    "length_bins",
    "tokenizer",
    "val_share",
    "seed",
)
"""Settings that have a flag of their own."""

FIELDS = (
    ("data_source, ability, extra_info.reward_mode", "what verl and the published data call the metric and task"),
    ("prompt", "one user message: question, documents, answer format"),
    ("reward_model.ground_truth", "golden_label for single answers and tables, doc_ids for lists and summaries"),
    ("index, slot, seed, generator, pipeline_version", "which record this is, and what made it"),
    ("question, options, listed", "the question alone, its options, and the candidate answers that it states"),
    ("capability, metric, task_form, template", "what is asked, how it is scored, form and wording (form/number)"),
    ("language, n_tokens, length_bin, tokenizer", "en or zh, and the prompt's length as the tokenizer counts it"),
    ("doc_sha256, doc_source, licence", "per document of the prompt, in its order; text in documents.jsonl"),
    ("document_kind", "kind of the document asked about"),
    ("evidence", "what proves the answer: doc (sha256), start and end in characters of that document's text"),
    ("evidence_in_prompt", "the same places in the prompt's user message"),
    ("evidence_depth", "where in the prompt the evidence stands on average, 0 (beginning) to 1 (end)"),
    ("question_position", "whether the question stands before or after the documents"),
    ("relevance, tolerance, strict_prefix", "how the metric scores, where a record sets it"),
)

ITEM_SOURCE = ("item_source", "the row of a question set, or the document and model, that the question is from")
PHASE_FIELDS = {
    "qa": ITEM_SOURCE,
    "synthesis": ITEM_SOURCE,
    "verify": (
        "verifier_votes, verifiers, closed_book, without_evidence, evidence_only",
        "scores of independent answers to the prompt, who gave them, and scores without the documents, without the "
        "evidence, and with nothing but the documents that hold it",
    ),
    "difficulty": (
        "difficulty, pass_rate, pass_interval, rollouts, calibrated_by",
        "how hard the record is, with the pass rate, its 95 % interval, the scores and the model of the last stage",
    ),
}
"""Key of build.json -> fields that only its phase fills."""
ENDPOINT = "http://ENDPOINT/v1"
"""What the command says in place of an address, which may be that of a private network."""


def command(config: BuildConfig, out: Path) -> str:
    """The command line that builds this dataset again; paths of this machine are cut to their last part."""
    words = ["golongrl", "build-dataset", *(_portable(source) for source in config.sources)]
    words += [word for source in config.qa for word in ("--qa", _portable(source))]
    words += ["--out", _portable(str(out)), "--generator", config.generator]
    if config.mix:
        words += ["--target", ",".join(f"{capability}={count}" for capability, count in config.mix.items())]
    else:
        words += ["--capabilities", ",".join(config.capabilities), "--target", str(config.target)]
    words += ["--length-bins", ",".join(map(format_length, config.length_bins))]
    words += ["--tokenizer", _portable(config.tokenizer), "--val-share", f"{config.val_share:g}"]
    words += ["--seed", str(config.seed)]
    for key, value in _flat(config.model_dump(mode="json", exclude_defaults=True)):
        if key.partition(".")[0] not in (*FLAGS, *FREE):
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            words += ["--set", f"{key}={text}"]
    return shlex.join(words)


STATED = ("base_url", "input_price", "output_price")
"""Settings of a model that decide none of its answers, and belong to the command all the same."""


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings that are not the default, tables of them as dotted keys; without paths and addresses."""
    for name, value in settings.items():
        key = f"{prefix}{name}"
        if prefix.startswith("models.") and prefix.count(".") == 2 and name not in (*DECISIVE, *STATED):
            continue
        if isinstance(value, dict) and key != "mix":
            yield from _flat(value, f"{key}.")
        elif name == "base_url":
            yield key, ENDPOINT
        elif key == "decontaminate.against":
            yield key, [_portable(one) for one in value]
        elif (isinstance(value, str) and key in ("base", "diagnose")) or name == "model":
            yield key, _portable(value)
        else:
            yield key, value


def _portable(path: str) -> str:
    """A path without what it says of this machine; of a benchmark's NAME=PATH too."""
    name, equals, inner = path.partition("=")
    if equals and "/" not in name:
        return f"{name}={_portable(inner)}"
    given = Path(path)
    if not given.is_absolute():
        return path
    here = Path.cwd()
    return str(given.relative_to(here)) if given.is_relative_to(here) else given.name


def write_card(path: Path, facts: BuildFacts) -> None:
    """Write README.md."""
    write_text(path, card(facts))


def card(facts: BuildFacts) -> str:
    """The text of README.md."""
    return _front_matter(facts) + "\n" + "\n\n".join(_body(facts)) + "\n"


def _front_matter(facts: BuildFacts) -> str:
    """What the Hub and `datasets.load_dataset` read: every value is quoted as YAML reads JSON strings."""
    records = facts["records"]
    known = [licence.lower() for licence in records["licences"]]
    licence = known[0] if len(known) == 1 and known[0] in HUB_LICENCES else "other"
    languages = sorted({cell["language"] for cell in records["cells"]})
    total = tables.total(facts)
    lines = ["---", f"license: {json.dumps(licence)}"]
    lines += _yaml_list("language", languages)
    lines += _yaml_list("task_categories", ["question-answering", "summarization", "text-generation"])
    lines += _yaml_list("tags", ["long-context", "reinforcement-learning", "rlvr", "verifiable-rewards", "golongrl"])
    lines += _yaml_list("size_categories", [next((label for bound, label in SIZES if total < bound), "n>1M")])
    lines += ["configs:", '- config_name: "default"', "  data_files:"]
    for split, name in FILES.items():
        if records["splits"].get(split):
            lines += [f'  - split: "{split}"', f'    path: "{name}"']
    return "\n".join([*lines, "---", ""])


def _yaml_list(key: str, values: list[str]) -> list[str]:
    return [f"{key}:", *(f"- {json.dumps(value)}" for value in values)]


def _body(facts: BuildFacts) -> Iterator[str]:
    source, records = facts["source"], facts["records"]
    splits = records["splits"]
    tracks = _tracks(facts)
    yield "# Long-context tasks with verifiable answers" + (", built by rules" if tracks == ["rules"] else "")
    made = (
        f"{splits.get('train', 0):,} training and {splits.get('validation', 0):,} validation records that show "
        f"{records['documents']:,} documents, "
    )
    if tracks == ["rules"]:
        made += (
            f"made by the rules track of golongrl {source['version']}: no model wrote a question or an answer. Every "
            "question is made of a document's own structure, its answer was found a second time by brute force in "
            "the text of the prompt, the gold answer scores 1.0 under the record's own reward, and the record names "
            "the characters that prove it."
        )
    else:
        made += f"made by golongrl {source['version']}. {' '.join(TRACKS[track] for track in tracks)} {EVERY}"
    yield made
    if "version_of_data" in facts:
        yield f"This is version {facts['version_of_data']} of the data."
    yield _shell(source["command"])
    yield from (f"**Warning.** {warning}" for warning in phases.warnings(facts))
    yield from (f"Note: {note}." for note in facts.get("notes", []))
    yield from _what_is_in_it(facts)
    yield from _how_it_came_about(facts)
    yield from _where_it_is_from(facts)
    yield from _how_to_use_it(facts)


TRACKS = {
    "rules": (
        "Questions by rules are made of a document's own structure, and their answers were found a second time by "
        "brute force in the text of the prompt."
    ),
    "qa": "Questions of existing sets keep the sets' answers; their documents stand among others.",
    "llm": "Questions by models come with quotations that were found in the document.",
}
"""Track -> what makes its answers right; `extra_info.generator` names the track of each record."""
EVERY = "Every gold answer scores 1.0 under the record's own reward."


def _tracks(facts: BuildFacts) -> list[str]:
    """Tracks that the build ran, in the order of `TRACKS`."""
    ran = {"qa": "qa" in facts, "llm": "synthesis" in facts}
    ran["rules"] = not any(ran.values()) or any(one["attempts"] for one in facts["construct"].values())
    return [track for track in TRACKS if ran[track]]


def _what_is_in_it(facts: BuildFacts) -> Iterator[str]:
    source, records = facts["source"], facts["records"]
    tokenizer = source["tokenizer"]
    counted = "estimated as bytes / 4" if tokenizer == APPROX else f"as {tokenizer} counts them"
    yield "## Records"
    yield f"Columns are length bins: prompts up to that many tokens, {counted}, and longer than the bin before."
    yield tables.markdown(tables.counts(facts))
    yield tables.markdown(tables.wanted(facts))
    yield "### Prompt lengths in tokens"
    yield tables.markdown(tables.lengths(facts))
    yield "## Task forms"
    yield "Wordings are the distinct phrasings of the form that occur in the records, per language."
    yield tables.markdown(tables.forms(facts))
    positions = " and ".join(f"{place} the documents in {count:,}" for place, count in records["question"].items())
    yield "## Depth of the evidence"
    yield "Pieces of evidence by where in the prompt they stand."
    yield tables.markdown(tables.depths(facts))
    yield (
        f"The question stands {positions} records. "
        f"Kind of the document asked about: {tables.shares(records['kinds'])}. "
        f"Documents in the prompt: {', '.join(f'{n} in {count:,}' for n, count in records['shown'].items())} records."
    )
    yield "## Closed book"
    yield tables.CLOSED_BOOK
    yield tables.markdown(tables.closed_book(facts))
    yield "report.html has every strategy, and the same per task form."


def _how_it_came_about(facts: BuildFacts) -> Iterator[str]:
    yield "## Funnel"
    yield tables.markdown(tables.funnel(facts))
    yield "### Collect: why files, rows and documents did not stay"
    yield _some(tables.refusals(facts), "Nothing was refused or filtered out.")
    yield "### Assign: which documents can serve a capability"
    yield tables.markdown(tables.eligible(facts))
    if any(one["attempts"] for one in facts["construct"].values()):
        yield "### Construct: what became of the attempts"
        yield (
            "A passed-over attempt found no unambiguous question; a rejected one made a question that failed a check."
        )
        yield tables.markdown(tables.attempts(facts))
        yield _some(tables.reasons(facts, REASONS), "No attempt failed.")
    for phase in phases.phases(facts):
        yield f"## {phase.title}"
        yield phase.text
        for caption, table in shown(phase.tables):
            yield from ([f"{caption}:"] if caption else [])
            yield tables.markdown(table)
        if any(shown(phase.details)):
            yield "report.html tells more."


def _some(table: tables.TableOf, otherwise: str) -> str:
    return tables.markdown(table) if table[1] else otherwise


def _where_it_is_from(facts: BuildFacts) -> Iterator[str]:
    sources = facts["records"]["sources"]
    yield "## Licences"
    yield "Documents that the prompts show, and records that show at least one of them."
    yield tables.markdown(tables.licences(facts))
    yield "## Sources"
    most = len(sources["top"])
    which = "all of them" if most == sources["count"] else f"the {most} that most records show"
    yield f"The prompts show documents of {sources['count']:,} sources; {which}:"
    yield tables.markdown((["source", "records"], sources["top"]))


def _how_to_use_it(facts: BuildFacts) -> Iterator[str]:
    filled = dict.fromkeys(fields for key, fields in PHASE_FIELDS.items() if key in facts)
    rows: list[list[Any]] = [list(field) for field in (*FIELDS, *filled)]
    yield "## Fields"
    yield "The columns are those that verl's RLHFDataset reads. From `index` on, the fields are in `extra_info`."
    yield tables.markdown((["field", "content"], rows))
    yield "## Splits"
    yield (
        "Documents are split before anything is asked: no training record is about, or shows, a document held out "
        "for validation, and near copies of a document were dropped before; contexts of question sets that are near "
        "copies stand on one side. Validation prompts may be filled up with documents of the training side."
    )
    yield "## Verify and train"
    model = " --model FOLDER" if facts["source"]["tokenizer"] == APPROX else ""
    lines = [
        "golongrl verify-rewards train.parquet",
        f"golongrl train --config golongrl.toml --algo tmn-reweight{model}",
        """python -c 'import datasets; print(datasets.load_dataset("."))'""",
    ]
    yield "In this folder:"
    yield _shell("\n".join(lines))


def _shell(text: str) -> str:
    # A fence must be longer than any in its text, and names of files may hold anything.
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}sh\n{text}\n{fence}"
