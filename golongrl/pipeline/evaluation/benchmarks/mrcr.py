"""MRCR: find the i-th of several like answers in a long conversation and repeat it word for word.

Dataset `openai/mrcr` (MIT), parquet rows of: `prompt` (JSON text or list of messages), `answer`,
`random_string_to_prepend`, `n_needles`, `desired_msg_index`, `total_messages`, `n_chars`. A row may also carry an
`id`, and `needle_count` for `n_needles`, as other prepared copies do. Metric: `difflib` ratio behind the prefix.
Lengths are counted here, with the model's tokenizer: published copies disagree about their own length columns.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from golongrl.core import text
from golongrl.core.errors import DataError, UsageError
from golongrl.core.records import Score, read_rows
from golongrl.core.store import content_key
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item, LoadOptions
from golongrl.rewards.mrcr_ratio import mrcr_ratio

BOUNDS = tuple(4096 * 2**power for power in range(9))


def data_files(path: str) -> list[Path]:
    """The file itself, or all .parquet and .jsonl files below a folder, in order of their names."""
    found = Path(path).expanduser()
    if not found.exists():
        raise DataError(f"no such data file: {path}; check --data")
    if found.is_file():
        return [found]
    files = sorted(file for file in found.rglob("*") if file.suffix in (".parquet", ".jsonl"))
    if not files:
        raise DataError(f"{path} holds no .parquet or .jsonl file; check --data")
    return files


def _rows(path: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
    number = -1
    for file in data_files(path):
        for line, row in read_rows(file):
            number += 1
            yield f"{file} row {line}", number, row


def parse_messages(value: Any, where: str) -> list[dict[str, str]]:
    """Messages out of a JSON text or a list of {role, content}; DataError naming the row."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise DataError(f"{where}, field prompt: not a JSON list of messages ({error.msg})") from error
    if not isinstance(value, list) or not value:
        raise DataError(f"{where}, field prompt: expected a non-empty list of messages")
    messages = []
    for message in value:
        role, content = (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
        if not isinstance(role, str) or not isinstance(content, str):
            raise DataError(f"{where}, field prompt: each message needs a role and a content, both text")
        messages.append({"role": role, "content": content})
    return messages


def _gold(row: dict[str, Any], where: str) -> dict[str, Any]:
    for name in ("answer", "random_string_to_prepend"):
        if not isinstance(row.get(name), str):
            raise DataError(f"{where}, field {name}: expected a text; is this an openai/mrcr file?")
    return {"answer": row["answer"], "prefix": row["random_string_to_prepend"]}


def _buckets(row: dict[str, Any]) -> dict[str, str]:
    needles = row.get("n_needles", row.get("needle_count"))
    return {} if needles is None else {"needles": str(needles)}


def from_row(row: dict[str, Any], where: str) -> Item | None:
    """An item for scoring only, when the row carries `answer` and `random_string_to_prepend`."""
    if "answer" not in row or "random_string_to_prepend" not in row:
        return None
    messages = parse_messages(row["prompt"], where) if row.get("prompt") else []
    identity = str(row["id"])
    cluster = content_key(messages[:-1]) if messages else identity
    return Item(identity, messages, _gold(row, where), _buckets(row), cluster)


def load(options: LoadOptions) -> list[Item]:
    """Items of --data; `max_length` drops items whose prompt and answer are longer, before `limit` counts."""
    if options.data is None:
        raise UsageError(
            "mrcr needs --data: a .parquet or .jsonl file (or a folder of them) with rows of openai/mrcr; "
            "mrcr-mini builds such conversations from documents instead"
        )
    items: list[Item] = []
    seen: set[str] = set()
    ceiling = max(options.max_length, default=None)
    for where, number, row in _rows(options.data):
        messages = parse_messages(row.get("prompt"), where)
        gold = _gold(row, where)
        identity = str(row["id"]) if row.get("id") is not None else str(number)
        if identity in seen:
            raise DataError(f"{where}, field id: {identity!r} occurs twice; ids must be unique")
        seen.add(identity)
        n_answer = options.tokenizer.count(gold["answer"])
        if ceiling is not None and options.count_prompt(messages) + n_answer > ceiling:
            continue
        # Rows that ask for different needles of one conversation differ in their last message only.
        items.append(Item(identity, messages, gold, _buckets(row), content_key(messages[:-1]), n_answer))
        if options.limit is not None and len(items) == options.limit:
            break
    if not items:
        within = f" of at most {ceiling} tokens" if ceiling is not None else ""
        raise DataError(f"{options.data} holds no row{within}; check --data and --max-length")
    return items


def score(gold: dict[str, Any], response: str, think: Literal["required", "optional"]) -> Score:
    """Similarity behind the prefix in [0, 1]; 0 with `unclosed_think` or `no_answer` where nothing counts."""
    prefix = gold["prefix"]
    details = {"prefix_seen": prefix in response}
    final = text.final_text(response, think)
    # Where thinking is optional, a response that starts with the prefix is the answer, whatever tags it quotes.
    starts = think == "optional" and response.strip().startswith(prefix)
    if not final.closed and not starts:
        return Score(value=0.0, reason="unclosed_think", details=details)
    if not starts and not final.text.strip():
        return Score(value=0.0, reason="no_answer", details=details)
    if think == "required":
        # The template opened the block in the prompt: everything before the first closing tag is thinking.
        response = response.partition("</think>")[2]
    return Score(value=mrcr_ratio(response, gold["answer"], prefix), details=details)


MRCR = Benchmark(
    name="mrcr",
    dataset="openai/mrcr",
    split="train (the only one published)",
    fields="prompt, answer, random_string_to_prepend, n_needles",
    licence="MIT",
    metric="difflib SequenceMatcher ratio, 0 without the random prefix",
    bounds=BOUNDS,
    load=load,
    score=score,
    from_row=from_row,
)
