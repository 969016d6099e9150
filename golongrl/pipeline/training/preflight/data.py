"""The records of a run before it starts: every row's schema, the golds of a sample, the audit of the rewards.

Prompts of 160K tokens make files of gigabytes, and nothing here needs their text: it is left in the file except for
the few rows that the audit reads.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from golongrl.core.errors import CheckFailedError, DataError, require
from golongrl.core.records import Record, existing_file, parse_record, read_record_rows
from golongrl.rewards import gold_response, score_response
from golongrl.rewards.audit import audit

GATE_ROWS = 64
"""Rows that are audited before training: a second or two of work."""

SCORED = 4096
"""Golds that are scored, and rows that are read however long it takes; smaller files are checked whole."""

SECONDS = 3.0
"""Reading stops after this long: about 30,000 rows."""

GATE_GROUPS = 16
GATE_BYTES = 512 << 20
"""Row groups that the audit's rows come from, and the text that is decoded for them: a second's work."""

BATCH = 1024


@dataclass
class DataFacts:
    """What a file of records holds."""

    rows: int = 0
    read: int = 0
    """Rows whose schema was checked."""
    scored: int = 0
    """Rows whose gold answer was scored."""
    too_long: int = 0
    """Rows that were read and are known to be longer than the limit."""
    tasks: Counter[str] = field(default_factory=Counter)
    """Rows that were read per metric."""

    @property
    def whole(self) -> bool:
        """Whether every row was read."""
        return self.read == self.rows


def check_data(path: str, max_prompt_tokens: int) -> DataFacts:
    """Check a parquet file of records; the first bad row is a DataError naming file, row and field.

    Every row is parsed and must have a gold answer. Golds are scored in files of up to SCORED rows; in larger ones
    every k-th of each metric, so that at most about that many are. After SECONDS, and never before SCORED rows,
    reading stops.
    """
    if Path(path).suffix != ".parquet":
        raise DataError(f"{path}: training reads .parquet; `golongrl build-dataset` writes it")
    facts = DataFacts(rows=_row_count(path))
    stride = max(1, -(-facts.rows // SCORED))
    started = time.monotonic()
    for number, row in _light_rows(path):
        if number > SCORED and number % BATCH == 1 and time.monotonic() - started >= SECONDS:
            break
        record = parse_record(row, f"{path} row {number}")
        _check_gold(record, f"{path} row {number}", score=facts.tasks[record.metric] % stride == 0)
        facts.scored += facts.tasks[record.metric] % stride == 0
        facts.tasks[record.metric] += 1
        facts.read += 1
        facts.too_long += _tokens(record) > max_prompt_tokens
    return facts


def _tokens(record: Record) -> int:
    found = record.extra_info.get("n_tokens")
    return int(found) if isinstance(found, (int, float)) else 0


def _check_gold(record: Record, where: str, *, score: bool) -> None:
    """DataError unless there is a gold answer, and one that can be scored."""
    try:
        response = gold_response(record)
        scored = score_response(record, response, think="optional") if score else None
    except DataError as error:
        raise DataError(f"{where}, field reward_model.ground_truth: {error}; mend or remove the row") from error
    if scored is not None and scored.value is None:
        raise DataError(
            f"{where}, field reward_model.ground_truth: {scored.details.get('problem') or scored.reason}; "
            "mend or remove the row"
        )


def _open(path: str) -> Any:
    arrow = require("pyarrow")
    try:
        return require("pyarrow.parquet").ParquetFile(existing_file(path, "data file"))
    except (arrow.ArrowException, OSError) as error:
        raise DataError(
            f"{path} is not a readable parquet file ({' '.join(str(error).split())}); build or download it again"
        ) from error


def _row_count(path: str) -> int:
    with _open(path) as file:
        return int(file.metadata.num_rows)


def _light_rows(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row number from 1, row) with empty prompt texts where the file shows that there are texts; else the rows."""
    with _open(path) as file:
        columns = _without_texts(file)
        if columns is None:
            yield from read_record_rows(path)
            return
        number = 0
        try:
            for batch in file.iter_batches(batch_size=BATCH, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    if row.get("prompt"):
                        row["prompt"] = [{**message, "content": ""} for message in row["prompt"] if message]
                    yield number, row
        except (require("pyarrow").ArrowException, OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{path} is not a readable parquet file ({' '.join(str(error).split())}); build or download it again"
            ) from error


def _without_texts(file: Any) -> list[str] | None:
    """The leaf columns but the texts of prompts; None when only the texts themselves tell that they are texts."""
    arrow = require("pyarrow")
    schema = file.schema_arrow
    kind = schema.field("prompt").type if "prompt" in schema.names else None
    message = kind.value_type if kind is not None and arrow.types.is_list(kind) else None
    if message is None or not arrow.types.is_struct(message) or {f.name for f in message} < {"role", "content"}:
        return None
    content = message.field("content").type
    if not (arrow.types.is_string(content) or arrow.types.is_large_string(content)):
        return None
    paths = [file.schema.column(index).path for index in range(len(file.schema))]
    texts = [index for index, path in enumerate(paths) if path.startswith("prompt.") and path.endswith(".content")]
    for group in range(file.num_row_groups):
        for index in texts:
            statistics = file.metadata.row_group(group).column(index).statistics
            if statistics is None or not statistics.has_null_count or statistics.null_count:
                return None
    return [path for index, path in enumerate(paths) if index not in texts]


def gate(path: str, *, seed: int, rows: int = GATE_ROWS) -> None:
    """Audit the rewards of a sample of the training data; CheckFailedError when an attack pays or a gold fails."""
    sample = list(sample_rows(path, rows, seed))
    records = [parse_record(row, f"{path} row {number}") for number, row in sample]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "sample.jsonl"
        lines = (json.dumps(record.model_dump(), ensure_ascii=False, default=str) + "\n" for record in records)
        file.write_text("".join(lines), encoding="utf-8", errors="surrogatepass")
        report = audit(file, costly=False, seed=seed, name=path)
    if report.passed:
        return
    shown = []
    for failure in report.failures[:3]:
        place = f"row {sample[failure['row'] - 1][0]}: " if "row" in failure else ""
        shown.append(place + (failure.get("problem") or f"attack {failure['probe']} pays"))
    raise CheckFailedError(
        f"the rewards of {path} failed the audit of {report.checked} sampled rows: "
        f"{'; '.join(report.problems)}. First: {' | '.join(shown)}. See all with: "
        f"golongrl verify-rewards {path}; train all the same with --skip-gate"
    )


def sample_rows(path: str, count: int, seed: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Up to `count` rows with their numbers from 1, drawn with `seed`, in the file's order.

    They come from GATE_GROUPS row groups spread over the file, a like number from each; of a group too large to
    decode, from its beginning. A file of at most `count` rows is taken whole.
    """
    draw = random.Random(seed)
    with _open(path) as file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        groups = [group for group, size in enumerate(sizes) if size]
        if len(groups) > GATE_GROUPS and sum(sizes) > count:
            groups = sorted(draw.sample(groups, GATE_GROUPS))
        left = count
        for place, group in enumerate(groups):
            share = -(-left // (len(groups) - place))
            wanted = sizes[group] if sum(sizes) <= count else min(sizes[group], share)
            within = max(wanted, _decodable(file, group, len(groups)))
            chosen = set(draw.sample(range(min(sizes[group], within)), wanted))
            left -= len(chosen)
            before = sum(sizes[:group])
            for index, row in _group_rows(file, group, chosen, path):
                yield before + index + 1, row


def _decodable(file: Any, group: int, groups: int) -> int:
    """Rows at the beginning of a row group whose columns take a fair share of GATE_BYTES."""
    about = file.metadata.row_group(group)
    return int(about.num_rows * GATE_BYTES / groups / max(1, about.total_byte_size))


def _group_rows(file: Any, group: int, chosen: set[int], path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    last, start = max(chosen, default=-1), 0
    try:
        for batch in file.iter_batches(batch_size=64, row_groups=[group]):
            for index in sorted(chosen & set(range(start, start + batch.num_rows))):
                yield index, batch.slice(index - start, 1).to_pylist()[0]
            start += batch.num_rows
            if start > last:
                return
    except (require("pyarrow").ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} is not a readable parquet file ({' '.join(str(error).split())}); build or download it again"
        ) from error
