"""Exact token ids of byte-level BPE tokenizers with the package `fastokens`, many times faster than `tokenizers`.

`open_fast` accepts a tokenizer.json only when each of its parts is of a kind listed here and a battery of awkward
texts gets the same ids from both packages; `open_known` opens one that passed before. Whoever calls them keeps
`tokenizers` for every other file, and for the few texts that `FastBPE` hands back with a ValueError.
"""

import importlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from golongrl.core import exact_tokenizers

CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + TAIL
LLAMA3 = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + TAIL
QWEN35 = CONTRACTION + (
    r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + CONTRACTION + "?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + CONTRACTION + "?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DEEPSEEK = (
    r"\p{N}{1,3}",
    "[一-龥\u3040-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
)
BYTES, GPT2, DIGITS = "bytes", "gpt2", "digits"
PRE_TOKENIZERS: dict[tuple[str, ...], str] = {
    (QWEN2, BYTES): "Qwen2, Qwen2.5, Qwen3",
    (QWEN35, BYTES): "Qwen3.5",
    (LLAMA3, BYTES): "Llama 3, GPT-4",
    (O200K, BYTES): "GPT-4o, gpt-oss, Llama 4",
    (*DEEPSEEK, BYTES): "DeepSeek V3 and R1",
    (GPT2,): "GPT-2",
    (DIGITS, GPT2): "SmolLM2",
}
"""Steps of a pre-tokenizer -> models that have it. On each of them the split of every Unicode character in several
surroundings, and of random texts, was compared with that of `tokenizers` 0.22 and 0.23."""

UNEQUAL = "'\u017f"
"""An apostrophe and a long s: the two packages disagree in O200K on whether this is the contraction 's."""

PLAIN_TOKEN = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)

PROBES = (
    "",
    " ",
    "It's what they'd SAID: we'LL go,don't\u2019t 'tis O'Brien's",
    "Zürich na\u0308ive cafe\u0301 \u1e9b\u0323 \u212b \u00c5 A\u030a \ud55c\uad6d\u1112\u1161\u11ab q\u0323\u0307",
    "你好,世界。 春眠不觉晓,ENGLISH処処聞啼鳥《注》12个",
    "👩‍👩‍👧‍👦🇩🇪❤️\U0001f9d1\U0001f3fd\u200d\U0001f680 x\u20e3",
    "   leading\t\ttabs \u00a0\u3000\u2003wide\u180e\u200b\ufeff\u0085\u2028 \r\n \r\r\n\n\n  \n x",
    "0 00 1234567890,12.5e-3 ½²① ٣४Ⅷ\u09ea1st 3x",
    "def f(x: int=0) -> str:\n\treturn '\\n'.join(f\"{i**2:>4}\" for i in range(x)) # !!!???\n\n\n\n",
    "<div class='a'>&nbsp;</div>\n```json\n{\"a\": [1, 2.5, null]}\n```\n|---|---|\n\\frac{a}{b}$x_1^2$ /*//*/",
    "हिन्दी தமிழ் ไทย עִבְרִית العَرَبِيَّة ǅungla İstanbul ﬁne ᏣᎳᎩ Ωμέγα ЁЖ",
    "\x00\x01\x1c\x1f\x7f a\x00b",
    "a" * 300 + " " * 300 + "=" * 100 + "\n" * 100 + "ab" * 200 + "\u0301" * 20,
    "\U000e0001\U0010fffd\U00040000\u0378\ufffe",
)
"""Texts on which the two packages must agree before `fastokens` counts for a file."""
SAMPLE = 2000
"""Entries of the vocabulary, evenly spaced, that the check writes out as texts besides."""


class NotExactError(ValueError):
    """`fastokens` cannot stand in for `tokenizers` here; the message says why."""


class FastBPE:
    """Token ids by `fastokens`; safe to share between threads, each keeps a bounded cache of words.

    An id `first + i` stands for a character outside ASCII with the ids `written[i]`. Every method raises ValueError
    for a text that it cannot take exactly (a lone surrogate, a limit of the scanner).
    """

    def __init__(self, tokenizer: Any, first: int = 0, written: Sequence[Sequence[int]] = ()):
        self._tokenizer = tokenizer
        self._first = first
        self._written = written
        self._more = np.array([len(ids) - 1 for ids in written], np.int64)

    def count(self, text: str) -> int:
        """Number of tokens of a text."""
        if self._written and not text.isascii():
            return self.counts([text])[0]
        return len(self._flat([text])[0]) // 4

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text; one call for many short texts costs least."""
        flat, ends = self._flat(texts)
        bounds = np.frombuffer(ends, np.uint64).astype(np.int64)
        numbers = np.diff(bounds)
        if self._written:
            ids = np.frombuffer(flat, np.uint32)
            places = np.flatnonzero(ids >= self._first)
            if len(places):
                owners = np.searchsorted(bounds, places, side="right") - 1
                np.add.at(numbers, owners, self._more[ids[places] - self._first])
        return numbers.tolist()

    def encode(self, text: str) -> list[int]:
        """Token ids of a text."""
        ids = np.frombuffer(self._flat([text])[0], np.uint32).tolist()
        if not self._written or text.isascii():
            return ids
        return [new for old in ids for new in (self._written[old - self._first] if old >= self._first else (old,))]

    def _flat(self, texts: Sequence[str]) -> tuple[bytes, bytes]:
        if any(UNEQUAL in text for text in texts):
            raise NotExactError("an apostrophe before a long s is left to tokenizers")
        return self._tokenizer.encode_batch_flat(texts)


def open_fast(path: Path, content: dict[str, Any], reference: Any) -> FastBPE:
    """The fast counter of the tokenizer.json at `path`, whose parsed `content` and `tokenizers` object are given.

    Raises NotExactError, with the reason, when only `tokenizers` counts this file exactly.
    """
    reason = unsupported(content)
    if reason is not None:
        raise NotExactError(reason)
    try:
        read = importlib.import_module("fastokens").Tokenizer
    except ImportError as error:
        raise NotExactError(f"the package fastokens cannot be imported ({error})") from error
    changes = _steps(content["pre_tokenizer"]) == (DIGITS, GPT2)
    try:
        if changes:
            changed, first, written = _single_digits(content, reference)
            fast = FastBPE(_unlimited(read.from_json_str(json.dumps(changed))), first, written)
        else:
            fast = FastBPE(_unlimited(read.from_file(str(path))))
    except NotExactError:
        raise
    except (ValueError, RuntimeError) as error:
        raise NotExactError(f"fastokens does not read the file ({error})") from error
    for text in _probes(content, reference):
        try:
            same = fast.encode(text) == reference.encode(text, add_special_tokens=False).ids
        except ValueError:
            # Texts that FastBPE hands back are counted by tokenizers, so they prove nothing.
            continue
        if not same:
            raise NotExactError(f"fastokens and tokenizers give {text[:40]!r} different ids")
    if not changes:
        exact_tokenizers.note(path)
    return fast


def open_known(path: Path) -> FastBPE | None:
    """The fast counter of a tokenizer.json that `open_fast` has accepted before; None when it has to look into it."""
    if not exact_tokenizers.noted(path):
        return None
    try:
        return FastBPE(_unlimited(importlib.import_module("fastokens").Tokenizer.from_file(str(path))))
    except (ImportError, ValueError, RuntimeError):
        return None


def _unlimited(tokenizer: Any) -> Any:
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _single_digits(content: dict[str, Any], reference: Any) -> tuple[dict[str, Any], int, list[list[int]]]:
    """A tokenizer.json without the step that cuts out every digit, and with every digit as an added token instead;
    `first` and `written` of FastBPE for the digits that take several tokens.

    `fastokens` has no fast scanner for that step, but finds added tokens fast. The digits are those that `tokenizers`
    cuts out, among all scripts.
    """
    digits = importlib.import_module("tokenizers").pre_tokenizers.Digits(individual_digits=True)
    # Above are ideographs, which are letters, and tags.
    characters = "a".join(chr(point) for point in range(0x20000) if not 0xD800 <= point < 0xE000)
    pieces = sorted({piece for piece, _ in digits.pre_tokenize_str(characters) if len(piece) == 1} - {"a"})
    added = content.get("added_tokens") or []
    if any(set(pieces).intersection(token["content"]) for token in added):
        raise NotExactError("an added token holds a digit")
    first = max(reference.get_vocab().values()) + 1
    cut: list[dict[str, Any]] = []
    written: list[list[int]] = []
    for piece in pieces:
        ids = reference.encode(piece, add_special_tokens=False).ids
        cut.append({"id": ids[0] if len(ids) == 1 else first + len(written), "content": piece, **PLAIN_TOKEN})
        if len(ids) != 1:
            if piece.isascii():
                raise NotExactError(f"its vocabulary has no token for {piece}")
            written.append(ids)
    gpt2 = content["pre_tokenizer"]["pretokenizers"][1]
    return content | {"pre_tokenizer": gpt2, "added_tokens": [*added, *cut]}, first, written


def unsupported(content: dict[str, Any]) -> str | None:
    """The first part of a tokenizer.json that `fastokens` is not known to reproduce exactly, or None."""
    if _normalizer(content.get("normalizer")) is None:
        return "its normalizer is not NFC"
    steps = _steps(content.get("pre_tokenizer"))
    if steps not in PRE_TOKENIZERS:
        return "its pre-tokenizer is none of " + "; ".join(PRE_TOKENIZERS.values())
    if DIGITS in steps and _normalizer(content.get("normalizer")):
        return "it normalizes text whose digits stand alone"
    model = content.get("model", {})
    if model.get("type") != "BPE":
        return f"its model is {model.get('type')}, not BPE"
    for option in ("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
        if model.get(option):
            return f"its model sets {option}"
    added = content.get("added_tokens") or []
    for option in ("single_word", "lstrip", "rstrip"):
        if any(token.get(option) for token in added):
            return f"an added token sets {option}"
    # tokenizers looks for normalized ones only where no other matched; without a normalizer fastokens looks for both
    # at once.
    mixed = len({bool(token.get("normalized")) for token in added}) > 1
    if mixed and not _normalizer(content.get("normalizer")) and not _disjoint([token["content"] for token in added]):
        return "normalized and other added tokens can overlap"
    return None


def _normalizer(part: dict[str, Any] | None) -> tuple[str, ...] | None:
    """() for none, ("NFC",) for NFC, None for any other."""
    parts = [] if part is None else part.get("normalizers", [part])
    kinds = tuple(str(step.get("type")) for step in parts)
    return kinds if kinds in ((), ("NFC",)) else None


def _steps(part: dict[str, Any] | None) -> tuple[str, ...] | None:
    """The steps of a pre-tokenizer as PRE_TOKENIZERS writes them, or None when one of them is unknown."""
    steps = []
    for step in [] if part is None else part.get("pretokenizers", [part]):
        match step:
            case {"type": "Split", "pattern": {"Regex": str(pattern)}, "behavior": "Isolated"}:
                if step.get("invert"):
                    return None
                steps.append(pattern)
            case {"type": "Digits", "individual_digits": True}:
                steps.append(DIGITS)
            case {"type": "ByteLevel", "add_prefix_space": False}:
                steps.append(GPT2 if step.get("use_regex", True) else BYTES)
            case _:
                return None
    return tuple(steps)


def _disjoint(tokens: list[str]) -> bool:
    """Whether no two of the tokens can overlap in a text."""
    starts = {token[0] for token in tokens if token}
    if any(starts.intersection(token[1:]) for token in tokens):
        return False
    ordered = sorted(set(tokens))
    return not any(after.startswith(before) for before, after in itertools.pairwise(ordered))


def _probes(content: dict[str, Any], reference: Any) -> list[str]:
    added = [token["content"] for token in content.get("added_tokens") or []]
    size = reference.get_vocab_size(with_added_tokens=False)
    sample = [reference.decode([token]) for token in range(0, size, size // SAMPLE + 1)]
    return [
        *PROBES,
        "".join(PROBES),
        "".join(sample),
        " ".join(sample),
        "x ".join(added),
        "".join(f"{token[:-1]}{token}{token[1:]}\n" for token in added),
    ]
