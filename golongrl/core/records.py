"""One RLVR sample on disk and in memory, its score, and streaming readers and writers for parquet and JSONL.

The disk schema is the one verl's RLHFDataset and the published dataset `Kwai-Klear/GoLongRL` use, so data travels
both ways without conversion. Reading also accepts the older forms of the ground truth: a list (its last element
counts), a plain string, a JSON text of either, and a language hidden in `summary`.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from golongrl.core import json_text, tasks
from golongrl.core.errors import DataError, require
from golongrl.core.store import atomic_path, read_jsonl

Reason = Literal["ok", "no_answer", "unclosed_think", "malformed_gold", "timeout", "error", "truncated", "degenerate"]


class Score(BaseModel):
    """A reward in [0, 1], or None with the reason why there is none; `details` holds its components."""

    model_config = ConfigDict(frozen=True)

    value: float | None
    reason: Reason = "ok"
    details: dict[str, Any] = Field(default_factory=dict)


class Message(BaseModel):
    """One chat message."""

    role: str
    content: str


class GroundTruth(BaseModel):
    """The gold answer: `golden_label` for single answers, `doc_ids` for ordered lists and reference summaries.

    `summary` holds the language label in the published data ("English" or "Chinese").
    """

    golden_label: str = ""
    doc_ids: list[str] = Field(default_factory=list)
    summary: str = ""

    @field_validator("golden_label", "summary", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, (int, float)):
            return str(value)
        if isinstance(value, (dict, list)):
            return json.dumps(value, ensure_ascii=False)
        return value

    @field_validator("doc_ids", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> list[str]:
        if value is None:
            return []
        if isinstance(value, str):
            return [value]
        if isinstance(value, Mapping) or not isinstance(value, Iterable):
            raise ValueError(f"expected a list of strings, got {type(value).__name__}")
        items = list(value)
        if any(item is None for item in items):
            raise ValueError("holds an empty item (null)")
        return [str(item) for item in items]


class RewardModel(BaseModel):
    """verl's `reward_model` column."""

    style: str = "rule"
    ground_truth: GroundTruth

    @field_validator("ground_truth", mode="before")
    @classmethod
    def _legacy_forms(cls, value: Any) -> Any:
        if isinstance(value, list):
            if not value:
                raise ValueError("is an empty list")
            value = value[-1]
        if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
            try:
                decoded = json_text.loads(value)
            except json.JSONDecodeError:
                decoded = None
            # A JSON text is a wrapped ground truth only when it has its fields; else it is itself the gold answer.
            inner = decoded[-1] if isinstance(decoded, list) and decoded else decoded
            if isinstance(inner, dict) and ("golden_label" in inner or "doc_ids" in inner):
                value = inner
        if isinstance(value, (str, int, float)):
            return {"golden_label": str(value)}
        return value


class Record(BaseModel):
    """One sample: a prompt, its gold answer and where both come from."""

    data_source: str
    prompt: list[Message] = Field(min_length=1)
    ability: str = ""
    reward_model: RewardModel
    extra_info: dict[str, Any] = Field(default_factory=dict)

    @property
    def gold(self) -> GroundTruth:
        """The ground truth."""
        return self.reward_model.ground_truth

    @property
    def metric(self) -> str:
        """Name of the metric that scores this record; DataError when nothing names one."""
        name = tasks.metric_name(self.data_source, self.extra_info)
        if name is None:
            raise DataError(
                f"no metric is known for data_source {self.data_source!r} with reward_mode "
                f"{self.extra_info.get('reward_mode')!r} and metric {self.extra_info.get('metric')!r}; "
                f"set extra_info.metric to one of {', '.join(tasks.METRICS)}"
            )
        return name

    @property
    def form(self) -> str:
        """The one of the nine metrics whose form of gold answers this record has: `metric`, but for plugins."""
        return tasks.METRICS[self.metric]

    @property
    def language(self) -> str:
        """ "zh" or "en", from extra_info.language, else from the label that published data keep in `summary`."""
        label = str(self.extra_info.get("language") or self.gold.summary).strip().lower()
        return "zh" if label in ("zh", "chinese", "中文") else "en"


def parse_record(row: Mapping[str, Any], where: str = "record") -> Record:
    """Check one row of the disk schema; DataError names `where` and the field."""
    if isinstance(row.get("extra_info"), str):
        try:
            row = {**row, "extra_info": json_text.loads(row["extra_info"])}
        except json.JSONDecodeError as error:
            raise DataError(f"{where}, field extra_info: not a JSON object ({error.msg})") from error
    fields = {name: row[name] for name in Record.model_fields if row.get(name) is not None}
    try:
        record = Record.model_validate(fields)
        _ = record.metric
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{where}, field {field}: {first['msg']}; mend or remove the row") from error
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    return record


def existing_file(path: str | Path, what: str = "file") -> Path:
    """The path, or a DataError saying that it is missing or a folder."""
    found = Path(path)
    if not found.exists():
        raise DataError(f"no such {what}: {path}; check the path")
    if found.is_dir():
        raise DataError(f"{path} is a folder, expected a {what}")
    if not os.access(found, os.R_OK):
        raise DataError(f"cannot read {path}; check its permissions")
    return found


def read_record_rows(path: str | Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (row number from 1, plain dict) of a parquet or JSONL file without loading it whole."""
    found = existing_file(path, "data file")
    if found.suffix == ".parquet":
        parquet = require("pyarrow.parquet")
        arrow = require("pyarrow")
        try:
            file = parquet.ParquetFile(found)
            number = 0
            for batch in file.iter_batches(batch_size=16):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
        # Damaged pages surface as OSError, damaged text as UnicodeDecodeError.
        except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
            problem = " ".join(str(error).split())
            raise DataError(
                f"{path} is not a readable parquet file ({problem}); build or download it again"
            ) from error
    elif found.suffix in (".jsonl", ".json"):
        yield from read_jsonl(found)
    else:
        raise DataError(f"{path}: data files end in .parquet or .jsonl, not {found.suffix or 'nothing'}")


def read_records(path: str | Path) -> Iterator[Record]:
    """Yield every record of a parquet or JSONL file; the first bad row is a DataError naming row and field."""
    for number, row in read_record_rows(path):
        yield parse_record(row, f"{path} row {number}")


def _arrow_schema():
    arrow = require("pyarrow")
    text, texts = arrow.string(), arrow.list_(arrow.string())
    span = arrow.struct([("start", arrow.int64()), ("end", arrow.int64())])
    evidence = arrow.list_(arrow.struct([("doc", text), ("start", arrow.int64()), ("end", arrow.int64())]))
    return arrow.schema(
        [
            ("data_source", text),
            ("prompt", arrow.list_(arrow.struct([("role", text), ("content", text)]))),
            ("ability", text),
            (
                "reward_model",
                arrow.struct(
                    [
                        ("style", text),
                        (
                            "ground_truth",
                            arrow.struct([("golden_label", text), ("doc_ids", texts), ("summary", text)]),
                        ),
                    ]
                ),
            ),
            (
                "extra_info",
                arrow.struct(
                    [
                        ("index", arrow.int64()),
                        ("reward_mode", text),
                        ("question", text),
                        ("capability", text),
                        ("metric", text),
                        ("task_form", text),
                        ("language", text),
                        ("options", texts),
                        ("n_tokens", arrow.int64()),
                        ("tokenizer", text),
                        ("doc_sha256", texts),
                        ("doc_source", texts),
                        ("licence", texts),
                        ("evidence", evidence),
                        ("evidence_in_prompt", arrow.list_(span)),
                        ("evidence_depth", arrow.float64()),
                        ("question_position", text),
                        ("document_kind", text),
                        ("template", text),
                        ("listed", texts),
                        ("length_bin", text),
                        ("slot", arrow.int64()),
                        ("seed", text),
                        ("generator", text),
                        ("strict_prefix", text),
                        ("relevance", arrow.list_(arrow.float64())),
                        ("tolerance", arrow.float64()),
                        ("item_source", text),
                        ("verifier_votes", arrow.list_(arrow.float64())),
                        ("verifiers", texts),
                        ("closed_book", arrow.list_(arrow.float64())),
                        ("without_evidence", arrow.list_(arrow.float64())),
                        ("evidence_only", arrow.list_(arrow.float64())),
                        ("pass_rate", arrow.float64()),
                        ("pass_interval", arrow.list_(arrow.float64())),
                        ("rollouts", arrow.list_(arrow.float64())),
                        ("calibrated_by", text),
                        ("difficulty", text),
                        ("pipeline_version", text),
                    ]
                ),
            ),
        ]
    )


def write_parquet(path: str | Path, records: Iterable[Record]) -> int:
    """Write records to parquet atomically and in batches; returns how many.

    Unknown keys of extra_info are an error rather than dropped.
    """
    arrow = require("pyarrow")
    parquet = require("pyarrow.parquet")
    schema = _arrow_schema()
    known = {field.name for field in schema.field("extra_info").type}
    count = 0

    def table(batch: list[dict[str, Any]]):
        try:
            return arrow.Table.from_pylist(batch, schema=schema)
        except (arrow.ArrowException, UnicodeEncodeError) as error:
            raise DataError(
                f"{path}, among records {count - len(batch) + 1} to {count}: a value does not fit the parquet schema "
                f"({error}); mend the record"
            ) from error

    with atomic_path(path) as temporary, parquet.ParquetWriter(temporary, schema, compression="zstd") as writer:
        batch: list[dict[str, Any]] = []
        for record in records:
            unknown = set(record.extra_info) - known
            if unknown:
                raise DataError(
                    f"record {count + 1}: extra_info keys {sorted(unknown)} have no column in the parquet schema; "
                    "remove them or write JSONL"
                )
            batch.append(record.model_dump())
            count += 1
            if len(batch) == 64:
                writer.write_table(table(batch))
                batch = []
        if batch:
            writer.write_table(table(batch))
    return count
