"""Speed and accuracy of near-duplicate signatures and groups, beside datasketch (pip install datasketch).

Both sides estimate the same similarity: 128 permutations, word shingles of the same width. Datasketch is given the
shingles as bytes, with the faster of its update calls (update_batch).
Run: python benchmarks/near_duplicates.py [--quick]
"""

import argparse
import os
import platform
import random
import re
import resource
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np

from golongrl.pipeline.dataset.near_duplicates import SHINGLE, groups, signature, similarity

VOCABULARY = [f"{a}{b}{c}{d}" for a in "bdfgklmnprst" for b in "aeiou" for c in "dlmnrst" for d in ("", "ed", "ing")]
WEIGHTS = [1 / rank for rank in range(1, len(VOCABULARY) + 1)]
HAN = "今天气不错我们去公园散步看到了许多美丽的花朵和可爱小动物市场增长成本下降管理层预计收入继续扩大"
_WORD = re.compile(r"\w+")


def seconds(run: Callable[[], object], rounds: int = 3) -> float:
    """Best wall seconds of a few rounds."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def words_of(text: str, language: str) -> list[str]:
    """The words that shingles are made of."""
    return list(text) if language == "zh" else _WORD.findall(text.lower())


def shingles_of(text: str, language: str) -> set[bytes]:
    """The distinct shingles of a text as bytes."""
    words, width = words_of(text, language), SHINGLE[language]
    return {" ".join(words[i : i + width]).encode() for i in range(len(words) - width + 1)}


def peer_signature(text: str, language: str) -> object:
    """What datasketch makes of the same text."""
    from datasketch import MinHash

    minhash = MinHash(num_perm=128)
    minhash.update_batch(list(shingles_of(text, language)))
    return minhash


def edited(words: Sequence[str], share: float, rng: random.Random) -> list[str]:
    """The words with a share of them replaced."""
    changed = list(words)
    for place in rng.sample(range(len(words)), round(share * len(words))):
        changed[place] = rng.choice(VOCABULARY)
    return changed


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller texts and fewer signatures")
    quick = parser.parse_args().quick
    rng = random.Random(0)
    size = 60_000 if quick else 400_000
    texts = {
        "en": " ".join(rng.choices(VOCABULARY, WEIGHTS, k=size)),
        "zh": "".join(rng.choices(HAN, k=2 * size)),
    }
    print(f"machine: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, one process")
    print(f"{'case':<58}{'golongrl':>14}{'datasketch':>14}{'times':>8}")
    for language, text in texts.items():
        megabytes = len(text.encode()) / 1e6
        ours = megabytes / seconds(lambda text=text, language=language: signature(text, language))
        peer = megabytes / seconds(lambda text=text, language=language: peer_signature(text, language), 1)
        name = f"signature, {megabytes:.1f} MB of {language}, MB/s"
        print(f"{name:<58}{ours:>14.1f}{peer:>14.1f}{ours / peer:>8.0f}")
    accuracy(rng, 40 if quick else 200)
    grouping(20_000 if quick else 100_000)


def accuracy(rng: random.Random, pairs: int) -> None:
    """Root mean square error of the estimates of pairs of known similarity."""
    for share in (0.01, 0.03, 0.1):
        exact, ours, peer = [], [], []
        for _ in range(pairs):
            first = rng.choices(VOCABULARY, k=500)
            one, two = " ".join(first), " ".join(edited(first, share, rng))
            a, b = shingles_of(one, "en"), shingles_of(two, "en")
            exact.append(len(a & b) / len(a | b))
            ours.append(similarity(signature(one, "en"), signature(two, "en")))
            peer.append(peer_signature(one, "en").jaccard(peer_signature(two, "en")))
        mean = statistics.mean(exact)
        errors = [np.sqrt(np.mean((np.array(found) - exact) ** 2)) for found in (ours, peer)]
        expected = np.sqrt(mean * (1 - mean) / 128)
        name = f"error at Jaccard {mean:.2f} (expected {expected:.3f})"
        print(f"{name:<58}{errors[0]:>14.3f}{errors[1]:>14.3f}")


def grouping(count: int) -> None:
    """Seconds from signatures to groups, one in twenty a near copy."""
    from datasketch import MinHash, MinHashLSH

    rng = np.random.default_rng(0)
    table = rng.integers(0, 2**32, (count, 128), dtype=np.uint32)
    copies = count // 20
    table[-copies:] = np.where(rng.random((copies, 128)) < 0.93, table[:copies], table[-copies:])
    ours = seconds(lambda: groups(table), 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def peer() -> None:
        lsh = MinHashLSH(threshold=0.8, num_perm=128)
        for number, row in enumerate(table):
            minhash = MinHash(num_perm=128, hashvalues=row, scheme="affine32")
            if not any(minhash.jaccard(kept[other]) >= 0.8 for other in lsh.query(minhash)):
                kept[number] = minhash
                lsh.insert(number, minhash)

    kept: dict[int, MinHash] = {}
    theirs = seconds(peer, 1)
    name = f"groups of {count:,} signatures, {copies:,} near copies, s"
    print(f"{name:<58}{ours:>14.2f}{theirs:>14.2f}{theirs / ours:>8.0f}")
    found = groups(table)
    recall = float((found[-copies:] == np.arange(copies)).mean())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"near copies found: golongrl {recall:.4f}, datasketch {(count - len(kept)) / copies:.4f}; peak {peak:.0f} MB"
    )


if __name__ == "__main__":
    main()
