"""Speed of the n-gram comparison with evaluation data, beside datatrove's n-gram decontamination filter.

Needs: pip install datatrove nltk regex spacy xxhash. Both sides hold the same n-grams and see the same texts in one
process, and the script fails unless they find the same first n-gram in the same texts. The texts are words or Han
characters of our own making in comparable form already, so that both normalise them to the same words. Datatrove runs
with the English word tokenizer that it ships and with a bare split at white space, which is the least a tokenizer can
do; Chinese it gets as single characters. It stops at the first n-gram of a text; golongrl finds all of them.
Run: python benchmarks/decontamination.py [--quick]; exit code 1 below 5 times, 3 without datatrove.
"""

import argparse
import importlib.util
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from golongrl.core import ngrams, words
from golongrl.core.ngrams import NGrams

N = 13
BATCH = 1 << 16
"""Characters that golongrl compares at once; datatrove takes texts one by one."""
BAR = 5.0
"""Times datatrove's speed that the comparison must reach."""
NEEDED = ("datatrove", "nltk", "regex", "spacy", "xxhash")
VOCABULARY = [f"{a}{b}{c}{d}" for a in "bdfgklmnprst" for b in "aeiou" for c in "dlmnrst" for d in ("", "ek", "op")]
WEIGHTS = [1 / rank for rank in range(1, len(VOCABULARY) + 1)]
HAN = [chr(code) for code in range(0x4E00, 0x4E00 + 2_000)]
HAN_WEIGHTS = [1 / rank for rank in range(1, len(HAN) + 1)]

SHIPPED, WHITE_SPACE, CHARACTERS = "its English words", "white space", "characters"
PEERS = {"en": (SHIPPED, WHITE_SPACE), "zh": (CHARACTERS,)}

Row = tuple[str, str]
Found = list[str | None]


def seconds(run: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Best wall seconds of a few rounds, and the last result."""
    best = float("inf")
    result = None
    for _ in range(rounds):
        started = time.perf_counter()
        result = run()
        best = min(best, time.perf_counter() - started)
    return best, result


def made(language: str, count: int, rng: random.Random) -> str:
    """A text of `count` words."""
    if language == "zh":
        return "".join(rng.choices(HAN, HAN_WEIGHTS, k=count))
    return " ".join(rng.choices(VOCABULARY, WEIGHTS, k=count))


def texts_of(language: str, rows: Sequence[Row], count: int, size: int, rng: random.Random) -> list[str]:
    """Texts of which one in ten holds 12 to 30 words of a row, which is an n-gram or just too little."""
    gap = "" if language == "zh" else " "
    texts = []
    for number in range(count):
        text = made(language, size, rng)
        if number % 10 == 0:
            whole = gap.join(rng.choice(rows))
            parts = list(whole) if language == "zh" else whole.split()
            shared = rng.randint(12, 30)
            start = rng.randrange(len(parts) - shared)
            text = gap.join([text, *parts[start : start + shared], made(language, size // 2, rng)])
        texts.append(text)
    return texts


def ours(index: NGrams, texts: Sequence[str]) -> Found:
    """The first n-gram of each text that the index holds."""
    found: Found = [None] * len(texts)
    step = max(1, BATCH * len(texts) // sum(map(len, texts)))
    for start in range(0, len(texts), step):
        split, bounds = words.split_all(texts[start : start + step])
        at, gram = index.find(split, bounds)
        number, first = np.unique(np.searchsorted(bounds, at, "right") - 1, return_index=True)
        for text, hit in zip(number.tolist(), gram[first].tolist(), strict=True):
            found[start + text] = index.gram(int(index.first[hit]))
    return found


def peer_filter(folder: Path, rows: Sequence[Row], tokenizer: str) -> Any:
    """Datatrove's filter with its own hashes of the rows loaded."""
    from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter, NGramsDecontIndexer
    from datatrove.utils.typeshelper import Languages
    from datatrove.utils.word_tokenizers import WhitespaceTokenizer

    class Split(WhitespaceTokenizer):
        def __init__(self, split: Callable[[str], list[str]]) -> None:
            super().__init__()
            self.word_tokenize = split

    tokenizers: dict[str, Any] = {SHIPPED: Languages.english, WHITE_SPACE: Split(str.split), CHARACTERS: Split(list)}
    config = NGramsDecontConfig(n_grams=N, find_query_ngrams=True)
    found = NGramsDecontFilter(str(folder), config, language=tokenizers[tokenizer])
    # The indexer itself insists on lighteval, which its hashes do not need.
    indexer = SimpleNamespace(config=config, tokenizer=found.tokenizer, hash_func=found.hash_func)
    hashes = {code for query, label in rows for code in NGramsDecontIndexer.compute_hashes(indexer, label, query)}
    folder.mkdir(parents=True)
    np.array(sorted(hashes), config.hash_config.np_descr).tofile(folder / "task.index.hashes")
    found.load_index_hashes()
    return found


def theirs(found: Any, texts: Sequence[str]) -> Found:
    """The first n-gram of each text that datatrove's filter finds."""
    from datatrove.data import Document

    documents = [Document(text=text, id=str(number)) for number, text in enumerate(texts)]
    for document in documents:
        found.filter(document)
    return [document.metadata.get("contaminated_ngram") for document in documents]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="less text")
    quick = parser.parse_args().quick
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"not installed: {', '.join(missing)}; run: pip install {' '.join(NEEDED)}", file=sys.stderr)
        return 3
    rng = random.Random(0)
    folder = Path(tempfile.mkdtemp())
    slowest = float("inf")
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, one process")
    print(f"{'case':<72}{'golongrl':>10}{'datatrove':>11}{'times':>8}")
    try:
        for language in ("en", "zh"):
            rows = [(made(language, rng.randint(20, 60), rng), made(language, 20, rng)) for _ in range(2_000)]
            joined = [(number, ("" if language == "zh" else " ").join(row)) for number, row in enumerate(rows)]
            ngrams.build(folder / language, joined, N)
            index = ngrams.load(folder / language)
            for size in (40, 200, 20_000):
                texts = texts_of(language, rows, (200_000 if quick else 1_000_000) // size, size, rng)
                megabytes = sum(len(text.encode()) for text in texts) / 1e6
                mine, hits = seconds(lambda index=index, texts=texts: ours(index, texts), 3)
                for tokenizer in PEERS[language]:
                    peer = peer_filter(folder / f"{language}-{size}-{tokenizer}", rows, tokenizer)
                    other, expected = seconds(lambda peer=peer, texts=texts: theirs(peer, texts), 1)
                    if hits != expected:
                        raise SystemExit(f"{language}, {size} words: the two sides found different n-grams")
                    name = f"{language}, texts of {size:,} words, datatrove by {tokenizer}, MB/s"
                    print(f"{name:<72}{megabytes / mine:>10.1f}{megabytes / other:>11.2f}{other / mine:>8.1f}")
                    slowest = min(slowest, other / mine)
                hit = sum(found is not None for found in hits)
                print(f"  {len(texts):,} texts, {hit:,} with a hit, the same n-grams on both sides")
    finally:
        shutil.rmtree(folder)
    print(f"slowest case: {slowest:.1f} times datatrove, the bar is {BAR:.0f}")
    return 0 if slowest >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
