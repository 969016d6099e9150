"""Published rows of benchmarks and of question sets, and what other programs answered to them."""

import contextlib
import json
from pathlib import Path

import benchmark_rows
import qa_rows

from families import scratch
from families.answers import check_score
from golongrl.core import tokens
from golongrl.core.errors import GolongrlError
from golongrl.core.store import read_jsonl
from golongrl.pipeline.dataset.qa.reading import read_qa
from golongrl.pipeline.dataset.readers import Refusal
from golongrl.pipeline.evaluation.benchmarks import BENCHMARKS
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, LoadOptions

_QA = [qa_rows.squad(), qa_rows.hotpot(), qa_rows.tatqa()]
_QA.append(qa_rows.longbench("qasper", qa_rows.FERRY, "When was the ferry built?", ["1931"]))


def _lines(name: str, rows: list[dict]) -> bytes:
    return "\n".join([name, *(json.dumps(row, ensure_ascii=False) for row in rows)]).encode()


READ_BY = {
    # A question of bfcl-memory and its answer are two rows.
    "items": [_lines(name, rows[:: len(rows) // 2 or 1]) for name, rows in benchmark_rows.ROWS.items()],
    "questions": [_lines("", [row]) for row in _QA],
}
_TOKENIZER = tokens.load("approx")


def _count(messages: list[dict[str, str]]) -> int:
    return sum(_TOKENIZER.count(message["content"]) for message in messages)


def check(data: bytes) -> set[str]:
    """Rows after the benchmark's name: items whose answers can be scored, or an error that names the row."""
    name, _, rows = data.partition(b"\n")
    bench = BENCHMARKS.get(name.decode("utf-8", "replace"))
    # bfcl-memory knows its files by their names.
    path = scratch.file("memory.jsonl", rows)
    return _questions(path) if bench is None else _items(bench, path, rows)


def _questions(path: Path) -> set[str]:
    found, refused = 0, 0
    for outcome in read_qa(qa_rows.source(path)):
        if isinstance(outcome, Refusal):
            assert outcome.reason
            refused += 1
            continue
        found += 1
        documents, item = outcome
        for text in (*(document.text for document in documents), item.question, *item.gold, *item.options):
            text.encode()
    return {"questions"} if found and not refused else set()


def _items(bench: Benchmark, path: Path, rows: bytes) -> set[str]:
    options = LoadOptions(str(path), _TOKENIZER, _count, [1 << 20], 3, [2, 4, 8], 32, 0, _TOKENIZER.count)
    read = set()
    with contextlib.suppress(GolongrlError):
        for item in bench.load(options):
            for response in ("[Answer]\nB", scratch.text(rows[-200:])):
                check_score(bench.score(item.gold, response, "optional"))
                if bench.judge is not None:
                    bench.judge.messages(item.gold, response, "optional")
        read.add("items")
        for _, row in read_jsonl(path):
            bench.from_row({"id": "a", **row}, "row")
    return read
