"""Scored answers of a run as flat rows: what was asked, at which length and depth, and what it scored."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from golongrl.core import json_text, tasks, tokens
from golongrl.core.errors import DataError, UsageError
from golongrl.core.records import read_record_rows
from golongrl.core.store import read_jsonl

BENCHMARKS = {"mrcr": "T1", "mrcr-mini": "T1"}
"""Benchmarks whose samples are all of one capability."""
LENGTHS = tuple(1024 * 2**power for power in range(11))
"""Bounds of the length bins of samples that name none: 1k to 1m tokens."""
DEPTHS = ("first third", "middle third", "last third")
RECENT = 0.25
"""Last share of a training run's steps that is read: earlier answers are those of an earlier model."""
JOINED = ("capability", "metric", "length_bin", "evidence_depth", "task_form", "language", "n_tokens", "doc_sha256")
ROLLOUT = frozenset({"index", "reward", "reason", "task"})
"""What a rollout has beside its step and key."""
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Row:
    """One answer. `score` is None where there is none, `reason` says why; `cluster` names what answers share."""

    capability: str
    length: str
    depth: str
    form: str
    language: str
    score: float | None
    reason: str
    cluster: str


@dataclass
class Reading:
    """The rows of a run, the benchmarks or runs they come from, and why others were left out."""

    rows: list[Row] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def read_run(run: Path, held_out: Sequence[str] = (), data: Sequence[Path] = ()) -> Reading:
    """The answers of an evaluation (a folder with samples.jsonl, or of such folders), of a training run (a folder
    with rollouts.jsonl; the last quarter of its steps), or of a JSONL file with `id` and `score`.

    `data` are record files that `id` or `index` refers to: `extra_info.index`, else the place in the files.
    Raises UsageError when the scores are those of a held-out benchmark, DataError when nothing can be read.
    """
    banned = {_plain(name): name for name in held_out}
    records = _records(data)
    found = Reading()
    for name, source, answers in _sources(run, found):
        _refuse(banned, name, run)
        if name not in found.used:
            found.used.append(name)
        for number, answer in answers:
            for label in (answer.get("bench"), answer.get("benchmark")):
                if label is not None:
                    _refuse(banned, str(label), run)
                    if str(label) not in found.used:
                        found.used.append(str(label))
            try:
                row = _row(answer, records, name, f"{source} row {number}")
            except DataError:
                raise
            except (TypeError, ValueError, OverflowError) as error:
                raise DataError(
                    f"{source} row {number}: a field is of another kind ({error}); mend the row"
                ) from error
            if isinstance(row, str):
                found.left_out[row] += 1
            else:
                found.rows.append(row)
    if not any(row.score is not None for row in found.rows):
        why = "; ".join(f"{reason} ({count})" for reason, count in found.left_out.most_common(3))
        raise DataError(
            f"{run}: no scored answer of a known capability ({why or 'no row has a score'}). Pass the records that "
            "were answered with --data, so that ids can be looked up"
        )
    return found


def _refuse(banned: Mapping[str, str], name: str, run: Path) -> None:
    if _plain(name) in banned:
        raise UsageError(
            f"{run} holds scores of {banned[_plain(name)]}, which is held out: a benchmark that shapes the training "
            "data measures nothing afterwards. Diagnose another run, or take it off the held-out list"
        )


def _plain(name: str) -> str:
    return name.casefold().replace("_", "-").strip()


Answers = Iterable[tuple[int, Mapping[str, Any]]]


def _sources(run: Path, found: Reading) -> Iterator[tuple[str, str, Answers]]:
    """(benchmark or run, file, its answers)."""
    if run.is_file():
        yield run.stem, run.name, read_jsonl(run)
        return
    if not run.is_dir():
        raise DataError(f"no such run: {run}; pass the folder of an evaluation or training run, or a JSONL file")
    if (run / "rollouts.jsonl").exists():
        yield run.name, "rollouts.jsonl", _rollouts(run / "rollouts.jsonl", found)
        return
    folders = [run] if (run / "samples.jsonl").exists() else sorted(p.parent for p in run.glob("*/samples.jsonl"))
    if not folders:
        raise DataError(
            f"{run} holds neither samples.jsonl (evaluation, also one folder below) nor rollouts.jsonl (training); "
            "pass another folder, or a JSONL file of id and score"
        )
    for folder in folders:
        yield _bench(folder), f"{folder.name}/samples.jsonl", read_jsonl(folder / "samples.jsonl")


def _bench(folder: Path) -> str:
    path = folder / "results.json"
    if not path.exists():
        return folder.name
    try:
        return str(json_text.loads(path.read_text(encoding="utf-8"))["bench"])
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise DataError(f"{path} names no benchmark; run golongrl eval again with --rescore") from error


def _rollouts(path: Path, found: Reading) -> Answers:
    """The rollouts of the last steps; of a step that was repeated after a crash the newest ones."""
    for number, row in read_jsonl(path):
        if not isinstance(row.get("step"), int) or not isinstance(row.get("key"), str) or not row.keys() >= ROLLOUT:
            raise DataError(
                f"{path} row {number}: no rollout; expected step (a whole number), key, {', '.join(sorted(ROLLOUT))}"
            )
    last = max((row["step"] for _, row in read_jsonl(path)), default=0)
    first = last - max(1, round(RECENT * last)) + 1
    newest = {row["key"]: row for _, row in read_jsonl(path) if row["step"] >= first}
    found.notes.append(f"rollouts of steps {first} to {last} of {last}, the last quarter of the run")
    return [
        (number, {"id": row["index"], "score": row["reward"], "reason": row["reason"], "metric": row["task"]})
        for number, row in enumerate(newest.values(), 1)
    ]


def _records(paths: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """What is known of each record, by its id; prompts are not kept."""
    known: dict[str, dict[str, Any]] = {}
    place = 0
    for path in paths:
        for number, row in read_record_rows(path):
            info = row.get("extra_info") or {}
            if isinstance(info, str):
                info = _object(info)
            if not isinstance(info, dict):
                raise DataError(f"{path} row {number}, field extra_info: expected an object; mend the row")
            index = info.get("index")
            key = str(place if index is None else index)
            place += 1
            if key in known:
                raise DataError(
                    f"{path} row {number}: the id {key} occurs twice; pass the files of one dataset, whose "
                    "extra_info.index counts on from training to validation"
                )
            metric = tasks.metric_name(str(row.get("data_source") or ""), info)
            known[key] = {"metric": metric} | {k: info[k] for k in JOINED if info.get(k) is not None}
    return known


def _object(text: str) -> Any:
    try:
        return json_text.loads(text)
    except json.JSONDecodeError:
        return None


def _row(answer: Mapping[str, Any], records: Mapping[str, dict[str, Any]], bench: str, where: str) -> Row | str:
    """The row of an answer, or why it is left out."""
    named = answer.get("id", answer.get("index"))
    if named is None and records:
        raise DataError(f"{where}: no field id to look up among the records; name the record of each answer")
    identity = where if named is None else str(named)
    info = {**answer, **records.get(identity, {})}
    if records and identity not in records:
        return "its id is not among the records given"
    capability = _capability(info, bench)
    if capability is None:
        return "of no known capability"
    if "score" not in answer:
        raise DataError(f"{where}: no field score; a diagnosis reads rows of id and score")
    score = answer["score"]
    if score is not None and not (isinstance(score, (int, float)) and 0 <= score <= 1):
        raise DataError(f"{where}: score {score!r} is not a number from 0 to 1; rescore the run")
    documents = info.get("doc_sha256") or []
    shared = documents[0] if len(documents) == 1 else identity
    return Row(
        capability=capability,
        length=_length(info),
        depth=_depth(info.get("evidence_depth")),
        form=str(info.get("task_form") or UNKNOWN),
        language=str(info.get("language") or UNKNOWN),
        score=None if score is None else float(score),
        reason=str(answer.get("reason") or ("ok" if score is not None else "error")),
        cluster=str(answer.get("cluster") or shared),
    )


def _capability(info: Mapping[str, Any], bench: str) -> str | None:
    named = info.get("capability")
    if named in tasks.CAPABILITIES:
        return str(named)
    if info.get("metric") in tasks.METRICS:
        return tasks.capability_of(info["metric"])
    return BENCHMARKS.get(_plain(str(info.get("bench") or info.get("benchmark") or bench)))


def _length(info: Mapping[str, Any]) -> str:
    if info.get("length_bin"):
        return str(info["length_bin"])
    size = info.get("n_input_tokens") or info.get("n_tokens")
    return UNKNOWN if size is None else tokens.length_bin(int(size), LENGTHS)


def _depth(depth: float | None) -> str:
    return UNKNOWN if depth is None else DEPTHS[min(2, max(0, int(float(depth) * 3)))]
