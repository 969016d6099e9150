"""Rows and row files: records, journals, answers made elsewhere, and what other runs left behind."""

import contextlib
import json

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
_LEGACY = {**RECORD, "reward_model": {"ground_truth": json.dumps([{"golden_label": "ant"}])}, "extra_info": "{}"}
_SAMPLE = {"id": "a", "repeat": 0, "score": 0.5, "reason": "ok", "details": {}, "n_input_tokens": 9, "length": "4K"}
_ROLLOUT = {"key": "k", "step": 1, "prompt": "p", "task": "em", "reward": 1.0, "index": 0, "reason": "ok"}


def _lines(*rows: object) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


SEEDS = [
    _lines(RECORD, _LEGACY),
    _lines(_SAMPLE, {**_SAMPLE, "id": "b", "score": None, "reason": "timeout"}),
    _lines(_ROLLOUT, {**_ROLLOUT, "key": "l", "reward": None}),
    _lines({"id": "a", "response": "yes", "repeat": 1}, {"id": 2, "response": None}),
    _lines({"key": "a", "text": "x"}, {"key": "a", "text": "y"}) + b'{"key": "b", "te',
    _lines({"step": 1, "metrics": {"reward/em": 0.5}}, {"step": 2, "partial": True, "metrics": {}}),
    b'[{"id": 1, "text": "a"}, {"id": 2, "text": "b"}]',
    b'id,text\n1,"a ""b"""\n2,c\n',
]


def check(data: bytes) -> None:
    """Every reader reads the rows, or names what is wrong with them."""
    file = scratch.file("rows/samples.jsonl", data)
    again = scratch.file("again/samples.jsonl", data)
    run = scratch.file("run/rollouts.jsonl", data).parent
    scratch.file("run/metrics.jsonl", data)
    readers = [
        lambda: list(read_jsonl(file)),
        lambda: list(read_journal(file)),
        lambda: _journal(data),
        lambda: write_parquet(file.with_name("out.parquet"), read_records(file)),
        lambda: [parse_record(row) for _, row in read_jsonl(file)],
        lambda: read_responses(str(file)),
        lambda: read_runs([file.parent, again.parent]),
        lambda: read_run(file.parent),
        lambda: read_run(run, data=[file]),
        lambda: read_batches(run),
        lambda: read_steps(run),
        *(lambda suffix=suffix: list(read_rows(scratch.file(f"rows/r{suffix}", data))) for suffix in SUFFIXES),
    ]
    for reader in readers:
        with contextlib.suppress(GolongrlError):
            reader()


SUFFIXES = (".json", ".csv", ".tsv", ".zip", ".parquet")


def _journal(data: bytes) -> None:
    """What opens once takes rows and opens again with them."""
    path = scratch.file("journal.jsonl", data)
    with Journal(path) as journal:
        journal.append("new", text="\ud800")
        # As text, because NaN is not equal to itself.
        kept = {key: json.dumps(row) for key, row in journal.rows.items()}
    with Journal(path) as journal:
        assert {key: json.dumps(row) for key, row in journal.rows.items()} == kept
    with Journal(path, on_disk=True) as journal:
        assert {key: json.dumps(journal.get(key)) for key in kept} == kept
