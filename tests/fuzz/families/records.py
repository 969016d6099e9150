"""Rows and row files: records, journals, answers made elsewhere, and what other runs left behind."""

import contextlib
import io
import json
import zipfile

import pyarrow
import pyarrow.parquet

from families import scratch
from golongrl.core.errors import GolongrlError
from golongrl.core.records import parse_record, read_records, write_parquet
from golongrl.core.row_files import read_rows
from golongrl.core.store import Journal, read_journal, read_jsonl
from golongrl.pipeline.comparison.reading import read_runs
from golongrl.pipeline.dataset.diagnosis.reading import read_run
from golongrl.pipeline.evaluation.responses import read_responses
from golongrl.pipeline.simulation.rollouts import read_batches
from golongrl.pipeline.training.metrics import read_steps

RECORD = {
    "data_source": "golongrl/t3",
    "prompt": [{"role": "user", "content": "Which animals sleep?"}],
    "ability": "exhaustive retrieval",
    "reward_model": {"style": "rule", "ground_truth": {"golden_label": "", "doc_ids": ["ant"], "summary": "English"}},
    "extra_info": {"index": 0, "metric": "f1", "capability": "T3", "n_tokens": 30, "evidence": [{"doc": "a"}]},
}
_LEGACY = {
    **RECORD,
    "reward_model": {"ground_truth": json.dumps([{"golden_label": "ant"}])},
    "extra_info": json.dumps({"metric": "em"}),
}
_SAMPLE = {
    "id": "a",
    "repeat": 0,
    "score": 0.5,
    "reason": "ok",
    "details": {},
    "n_input_tokens": 9,
    "length": "4K",
    "capability": "T3",
}
_ROLLOUT = {
    **{"key": "k", "step": 1, "prompt": "p", "task": "em", "reward": 1.0, "index": 0, "reason": "ok"},
    "extra_info": {"index": 0, "capability": "T3"},
}


def _lines(*rows: object) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _zip(rows: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("rows.jsonl", rows)
    return stream.getvalue()


def _parquet(rows: list[dict]) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), stream)
    return stream.getvalue()


_TEXTS = [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]
READ_BY = {
    "records": [_lines(RECORD, _LEGACY)],
    "records as parquet": [_lines(RECORD, _LEGACY)],
    "runs to compare": [_lines(_SAMPLE, {**_SAMPLE, "id": "b", "score": None, "reason": "timeout"})],
    "run to diagnose": [_lines(_SAMPLE, {**_SAMPLE, "id": "b", "score": None, "reason": "timeout"})],
    "rollouts to diagnose": [_lines(_ROLLOUT)],
    "rollouts": [_lines(_ROLLOUT, {**_ROLLOUT, "key": "l", "reward": None})],
    "responses": [_lines({"id": "a", "response": "yes", "repeat": 1}, {"id": 2, "response": None})],
    # Of a journal the last line may be torn.
    "journal": [_lines({"key": "a", "text": "x"}, {"key": "a", "text": "y"}) + b'{"key": "b", "te'],
    "steps": [_lines({"step": 1, "metrics": {"reward/em": 0.5}}, {"step": 2, "partial": True, "metrics": {}})],
    ".json": [json.dumps(_TEXTS).encode(), _lines(*_TEXTS)],
    ".csv": [b'id,text\n1,"a ""b"""\n2,c\n'],
    ".tsv": [b'id\ttext\n1\t"a ""b"""\n'],
    ".zip": [_zip(_lines(*_TEXTS))],
    ".parquet": [_parquet(_TEXTS)],
}


def check(data: bytes) -> set[str]:
    """Every reader reads the rows, or names what is wrong with them."""
    file = scratch.file("rows/samples.jsonl", data)
    again = scratch.file("again/samples.jsonl", data)
    run = scratch.file("run/rollouts.jsonl", data).parent
    scratch.file("run/metrics.jsonl", data)
    readers = {
        "lines": lambda: list(read_jsonl(file)),
        "whole lines": lambda: list(read_journal(file)),
        "journal": lambda: _journal(data),
        "records as parquet": lambda: write_parquet(file.with_name("out.parquet"), read_records(file)) or True,
        "records": lambda: [parse_record(row) for _, row in read_jsonl(file)],
        "responses": lambda: read_responses(str(file)),
        "runs to compare": lambda: read_runs([file.parent, again.parent]),
        "run to diagnose": lambda: read_run(file.parent),
        "rollouts to diagnose": lambda: read_run(run, data=[file]),
        "rollouts": lambda: read_batches(run),
        "steps": lambda: read_steps(run),
        **{one: lambda one=one: list(read_rows(scratch.file(f"rows/r{one}", data))) for one in SUFFIXES},
    }
    found = set()
    for reader, read in readers.items():
        with contextlib.suppress(GolongrlError):
            if read():
                found.add(reader)
    return found


SUFFIXES = (".json", ".csv", ".tsv", ".zip", ".parquet")


def _journal(data: bytes) -> dict[str, str]:
    """The rows of a journal: what opens once takes rows and opens again with them."""
    path = scratch.file("journal.jsonl", data)
    with Journal(path) as journal:
        before = list(journal.rows)
        journal.append("new", text="\ud800")
        # As text, because NaN is not equal to itself.
        kept = {key: json.dumps(row) for key, row in journal.rows.items()}
    with Journal(path) as journal:
        assert {key: json.dumps(row) for key, row in journal.rows.items()} == kept
    with Journal(path, on_disk=True) as journal:
        assert {key: json.dumps(journal.get(key)) for key in kept} == kept
    return {key: kept[key] for key in before}
