"""Damage to valid inputs: bytes cut, doubled and swapped, JSON with other values, and what parsers stumble over."""

import contextlib
import json
import random
import re
from collections.abc import Sequence
from typing import Any

LONGEST = 20_000
"""Bytes of a damaged input: a parser that needs more than linear time shows it here, and still ends."""

DEEP = 3000
"""Levels of nesting, above what Python's own parsers take."""

TOKENS = [
    *("", " ", "\n\n", "\r", "\t", "\0", "\x0c", "\u2028", "\ufeff", "\u202e", "\u200b", "\u3000"),
    *("İ", "ſ", "ß", "١٢", "①", "½", "²", "𝟙", "一百二十", "Ａ", "％", "：", "\ud800", "e\u0301" * 20),
    *(
        "-0",
        "1e999",
        "1e-999",
        "1E99999999999",
        "9" * 5000,
        "0." + "0" * 500 + "1",
        "NaN",
        "-Infinity",
        "0x1F",
        "1_000",
    ),
    *("1/0", "9^9^9^9", "10^{10^{10}}", "50%", "\\frac{1}{0}", "\\boxed{", "}" * 50, "\\" * 99),
    *(
        "null",
        "true",
        "[]",
        "{}",
        '""',
        '"a"',
        "[[]]",
        '{"a": {"a": {}}}',
        '[{"a": 1}, 2]',
        "'",
        '"',
        "`",
        "```",
        "**",
    ),
    *("[" * DEEP, '{"a":' * 40 + "1" + "}" * 40, "[" * 900 + "]" * 900, "(" * 200, "<a>" * 300, "> " * 300),
    *(
        "<think>",
        "</think>",
        "<answer>",
        "</answer>",
        "[Answer]",
        "【答案】",
        "(A)",
        "\\begin{a}" * 40,
        "\\def\\a{\\a}\\a",
    ),
    *(
        "../../etc/passwd",
        "/dev/zero",
        "file:///",
        "&lol;",
        "<!ENTITY a 'b'>",
        "=1+1",
        "%s{}",
        "a" * 5000,
        "1," * 2000,
    ),
]
"""White space, marks and letters of Unicode, numbers, brackets, markup, paths."""

VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 1e308, 10**30, "", " ", "x", "\ud800", "9" * 50, "NaN", "A", "é" * 3000),
    *([], {}, [None], [[]], [{}], [1, "a"], {"a": None}, {"": []}, [0] * 300, float("nan"), float("inf")),
]
"""What stands in the place of another JSON value."""

_WORD = re.compile(rb"[\w.]+")


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds, now and then as it is, mostly damaged in one to four places."""
    data = rng.choice(seeds)
    for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4))):
        data = rng.choice(_DAMAGES)(rng, data, seeds)[:LONGEST]
    return data


def _place(rng: random.Random, data: bytes) -> tuple[int, int]:
    """A stretch, mostly short."""
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.choice((0, 1, 2, 8, 64, len(data))))


def _token(rng: random.Random) -> bytes:
    return rng.choice(TOKENS).encode("utf-8", "surrogatepass")


def _cut(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start, end = _place(rng, data)
    return data[:start] if rng.random() < 0.5 else data[:start] + data[end:]


def _doubled(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start, end = _place(rng, data)
    return data[:end] + data[start:end] * rng.choice((1, 2, 30)) + data[end:]


def _swapped(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start, middle = _place(rng, data)
    end = _place(rng, data[middle:])[1] + middle
    return data[:start] + data[middle:end] + data[start:middle] + data[end:]


def _flipped(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 4))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _inserted(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start, end = _place(rng, data)
    return data[:start] + _token(rng) + data[rng.choice((start, end)) :]


def _other_word(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """A number, name or key replaced, everywhere it stands or once."""
    words = _WORD.findall(data)
    return data.replace(rng.choice(words), _token(rng), rng.choice((1, -1))) if words else data


def _spliced(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    other = rng.choice(seeds)
    return data[: _place(rng, data)[0]] + other[_place(rng, other)[0] :]


def _other_json(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """JSON, or one line of JSON lines, with another value, without a key or with one more."""
    lines = data.split(b"\n")
    number = rng.randrange(len(lines))
    with contextlib.suppress(ValueError, RecursionError):
        return json.dumps(_other_value(rng, json.loads(data))).encode()
    with contextlib.suppress(ValueError, RecursionError):
        lines[number] = json.dumps(_other_value(rng, json.loads(lines[number]))).encode()
    return b"\n".join(lines)


def _other_value(rng: random.Random, value: Any) -> Any:
    if not isinstance(value, dict | list) or not value or rng.random() < 0.1:
        return [value] if rng.random() < 0.2 else rng.choice(VALUES)
    place = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
    if rng.random() < 0.15:
        del value[place]
    elif rng.random() < 0.1 and isinstance(value, dict):
        value[str(rng.choice(VALUES))] = value[place]
    else:
        value[place] = _other_value(rng, value[place])
    return value


_DAMAGES = (
    *(_cut, _doubled, _swapped, _flipped, _spliced),
    *(_inserted,) * 2,
    *(_other_word,) * 2,
    *(_other_json,) * 4,
)
