"""MRCR: find the i-th of several like answers in a long conversation and repeat it word for word.

Dataset `openai/mrcr` (MIT), parquet rows of: `prompt` (JSON text or list of messages), `answer`,
`random_string_to_prepend`, `n_needles`, `desired_msg_index`, `total_messages`, `n_chars`. A row may also carry an
`id`, and `needle_count` for `n_needles`, as other prepared copies do. Metric: `difflib` ratio behind the prefix.
Lengths are counted here, with the model's tokenizer: published copies disagree about their own length columns. The
bins of the data set's card count prompt and answer with o200k_base; they are reported beside.

`mrcr-128k`, `mrcr-512k` and `mrcr-1m` take the rows of up to 131,072 tokens of the model, of the next 393,216 and of
the 524,288 after these; `mrcr` takes every row of a local file. The data set is pinned to the commit behind its
correction of 2025-12-05 (too many needles in a tenth of the rows, wrong answers in a twentieth).

Published: 38.4 (Qwen3-4B-Thinking-2507), 65.5 (GoLongRL-4B), 81.6 (GoLongRL-30B-A3B) up to 128K; 54.0 (128-512K) and
46.9 (512K-1M) for Gemini-2.5-Flash-Thinking.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from golongrl.core import json_text, text
from golongrl.core.errors import DataError, UsageError
from golongrl.core.records import Score
from golongrl.core.store import content_key
from golongrl.core.tokens import length_bin
from golongrl.pipeline.evaluation import hub_data
from golongrl.pipeline.evaluation.benchmarks.base import (
    LENGTHS,
    Benchmark,
    Item,
    LoadOptions,
    Messages,
    Span,
    Thinking,
)
from golongrl.pipeline.evaluation.benchmarks.evidence import located
from golongrl.rewards.mrcr_ratio import mrcr_ratio

K = 1024
CHARACTERS_PER_TOKEN = 16
"""More than any conversation has on average; rows that are too long by this measure are not counted exactly."""

HUB = hub_data.HubSource("openai/mrcr", "f4c69fae7cf81f7ca26b9fee34b392a50f6b8a1d", ("*needle*.parquet",))


def o200k_counter() -> Callable[[str], int] | None:
    """Counts tokens of o200k_base, or None where the package tiktoken or its file cannot be had."""
    try:
        import tiktoken

        encoding = tiktoken.get_encoding("o200k_base")
    except (ImportError, OSError, ValueError):
        return None
    return lambda text: len(encoding.encode_ordinary(text))


def parse_messages(value: Any, where: str) -> list[dict[str, str]]:
    """Messages out of a JSON text or a list of {role, content}; DataError naming the row."""
    if isinstance(value, str):
        try:
            value = json_text.loads(value)
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


def needle(messages: Messages, gold: dict[str, Any], index: Any = None) -> list[Span]:
    """Where the answer stands in the conversation: at `index` if it is there, else the first time; [] if nowhere."""
    wanted = gold["answer"].removeprefix(gold["prefix"]).strip()
    places = range(len(messages))
    if isinstance(index, int) and 0 <= index < len(messages):
        places = [index, *places]
    found = next((place for place in places if messages[place]["content"].strip() == wanted), None)
    return [] if found is None else [(found, 0, len(messages[found]["content"]))]


def from_row(row: dict[str, Any], where: str) -> Item | None:
    """An item for scoring only, when the row carries `answer` and `random_string_to_prepend`."""
    if "answer" not in row or "random_string_to_prepend" not in row:
        return None
    messages = parse_messages(row["prompt"], where) if row.get("prompt") else []
    identity = str(row["id"])
    # A question without its conversation shares nothing.
    cluster = content_key(messages[:-1]) if len(messages) > 1 else identity
    gold = _gold(row, where)
    item = Item(identity, messages, gold, _buckets(row), cluster)
    return located(item, needle(messages, gold, row.get("desired_msg_index")))


def load(options: LoadOptions) -> Iterator[Item]:
    """Items of --data; `max_length` drops items whose prompt and answer are longer, before `limit` counts."""
    if options.data is None:
        raise UsageError(
            "mrcr needs --data: a .parquet or .jsonl file (or a folder of them) with rows of openai/mrcr; mrcr-128k "
            "fetches them from the hub, and mrcr-mini builds such conversations from documents instead"
        )
    return _load("mrcr", options, None, None, 0)


def _load(
    name: str, options: LoadOptions, source: hub_data.HubSource | None, longest: int | None, above: int
) -> Iterator[Item]:
    """Items of more than `above` and at most `longest` tokens."""
    count = 0
    seen: set[str] = set()
    ceiling = min((length for length in (longest, *options.max_length[-1:]) if length is not None), default=None)
    for number, (where, row) in enumerate(hub_data.rows(name, options.data, source)):
        messages = parse_messages(row.get("prompt"), where)
        gold = _gold(row, where)
        identity = str(row["id"]) if row.get("id") is not None else str(number)
        if identity in seen:
            raise DataError(f"{where}, field id: {identity!r} occurs twice; ids must be unique")
        seen.add(identity)
        contents = [message["content"] for message in messages]
        if ceiling is not None and sum(map(len, contents)) > CHARACTERS_PER_TOKEN * ceiling:
            continue
        n_answer = options.tokenizer.count(gold["answer"])
        if ceiling is not None or above:
            n_tokens = options.count_prompt(messages) + n_answer
            if n_tokens <= above or (ceiling is not None and n_tokens > ceiling):
                continue
        buckets = _buckets(row)
        if options.count_o200k is not None:
            n_public = sum(map(options.count_o200k, contents)) + options.count_o200k(gold["answer"])
            buckets["o200k"] = length_bin(n_public, LENGTHS)
        # Rows that ask for different needles of one conversation differ in their last message only.
        item = Item(identity, messages, gold, buckets, content_key(messages[:-1]), n_answer)
        yield located(item, needle(messages, gold, row.get("desired_msg_index")))
        count += 1
        if count == options.limit:
            return
    if not count:
        within = f" of at most {ceiling} tokens" if ceiling is not None else ""
        within = f" of {above + 1} to {ceiling} tokens" if above else within
        raise DataError(f"{options.data or HUB.repo} holds no row{within}; check --data and --max-length")


def score(gold: dict[str, Any], response: str, think: Thinking) -> Score:
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
    load=load,
    score=score,
    from_row=from_row,
)


def _between(name: str, above: int, longest: int, max_input: int) -> Benchmark:
    def load_between(options: LoadOptions) -> Iterator[Item]:
        return _load(name, options, HUB, longest, above)

    return replace(MRCR, name=name, load=load_between, hub=HUB, max_input=max_input)


MRCR_128K = _between("mrcr-128k", 0, 128 * K, 128 * K)
MRCR_512K = _between("mrcr-512k", 128 * K, 512 * K, 512 * K)
MRCR_1M = _between("mrcr-1m", 512 * K, 1024 * K, 1024 * K)
