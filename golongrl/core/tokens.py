"""Counting tokens, length bins, and truncation that never touches the question."""

import functools
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from golongrl.core import json_text
from golongrl.core.errors import DataError, UsageError, require
from golongrl.core.fast_bpe import FastBPE, NotExactError, open_fast, open_known

APPROX = "approx"


class Tokenizer(Protocol):
    """What golongrl needs of a tokenizer."""

    name: str

    def count(self, text: str) -> int: ...

    def count_many(self, texts: Sequence[str]) -> list[int]: ...

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: Sequence[int]) -> str: ...


class ApproxTokenizer:
    """Counts one token per four UTF-8 bytes; for a first look without any tokenizer file."""

    name = APPROX

    def count(self, text: str) -> int:
        """Bytes / 4, rounded up."""
        return -(-len(text.encode("utf-8", "surrogatepass")) // 4)

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Bytes / 4, rounded up, of each text."""
        return [self.count(text) for text in texts]

    def encode(self, text: str) -> list[int]:
        """Four bytes packed in one id."""
        data = text.encode("utf-8", "surrogatepass")
        return [int.from_bytes(b"\1" + data[i : i + 4], "big") for i in range(0, len(data), 4)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `encode`'s ids; a character cut in the middle is dropped."""
        data = b"".join(i.to_bytes((i.bit_length() + 7) // 8, "big")[1:] for i in ids)
        return data.decode("utf-8", "ignore")


class FastTokenizer:
    """A `tokenizer.json` as the `tokenizers` package reads it; no special tokens are added.

    `reference` is that package's tokenizer, or a function that reads it when it is first needed. `fast` gives the
    same ids sooner where the file allows it (`fast_bpe`); `backend` names the package that counts, and `slow_because`
    says why it is not the fast one.
    """

    def __init__(self, name: str, reference: Any, fast: FastBPE | None = None, slow_because: str | None = None):
        self.name = name
        self.backend = "tokenizers" if fast is None else "fastokens"
        self.slow_because = slow_because
        self._given = reference
        self._fast = fast

    @functools.cached_property
    def _reference(self) -> Any:
        return self._given() if callable(self._given) else self._given

    def count(self, text: str) -> int:
        """Number of tokens of a text; TypeError when it holds a lone surrogate."""
        if self._fast is not None:
            try:
                return self._fast.count(text)
            except ValueError:
                pass  # One of the few texts that only `tokenizers` takes.
        return len(self._reference.encode(text, add_special_tokens=False).ids)

    def count_many(self, texts: Sequence[str]) -> list[int]:
        """Number of tokens of each text; faster than one call for each when the texts are short."""
        if self._fast is not None:
            try:
                return self._fast.counts(texts)
            except ValueError:
                pass  # At least one of them is such a text.
        return [self.count(text) for text in texts]

    def encode(self, text: str) -> list[int]:
        """Token ids of a text."""
        if self._fast is not None:
            try:
                return self._fast.encode(text)
            except ValueError:
                pass
        return self._reference.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, special tokens kept."""
        return self._reference.decode(list(ids), skip_special_tokens=False)


def load(name: str) -> Tokenizer:
    """A tokenizer by model folder, `tokenizer.json` path, hub id, or "approx".

    Raises DataError when a folder holds no tokenizer.json, and UsageError when a hub id cannot be fetched.
    """
    if name == APPROX:
        return ApproxTokenizer()
    tokenizers = require("tokenizers")
    path = Path(name).expanduser()
    if path.is_dir():
        path = path / "tokenizer.json"
        if not path.exists():
            raise DataError(f"{name} holds no tokenizer.json; pass a model folder, a hub id, or 'approx'")
    if path.is_file():
        return _read(tokenizers, name, path)
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise DataError(f"no such tokenizer: {name}; pass a model folder, a hub id, or 'approx'")
    hub = require("huggingface_hub")
    try:
        file = hub.hf_hub_download(name, "tokenizer.json")
    except (OSError, hub.errors.HfHubHTTPError, hub.errors.HFValidationError, ValueError) as error:
        raise UsageError(
            f"cannot fetch the tokenizer of {name!r} from the hub ({type(error).__name__}); "
            "pass the path of a model folder, or 'approx' to count bytes / 4"
        ) from error
    return _read(tokenizers, name, Path(file))


def label(name: str) -> str:
    """How data and results name a model or a tokenizer: a path by its model folder's name, so that no path of this
    machine travels; a hub id or "approx" as it is."""
    path = Path(name).expanduser()
    if not path.exists():
        return name
    folder = (path if path.is_dir() else path.parent).resolve()
    # Every training run calls its model's folder so: the run's own name tells them apart.
    return folder.parent.name if folder.name == "model" and folder.parent.name else folder.name


def _read(tokenizers: Any, name: str, path: Path) -> FastTokenizer:
    known = open_known(path)
    if known is not None:
        return FastTokenizer(name, lambda: _read_reference(tokenizers, path), known)
    try:
        content = json_text.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        content = None
    if not isinstance(content, dict) or "model" not in content:
        raise DataError(f"{path} is not a tokenizer.json; copy the model folder again")
    reference = _read_reference(tokenizers, path)
    try:
        return FastTokenizer(name, reference, open_fast(path, content, reference))
    except NotExactError as error:
        return FastTokenizer(name, reference, slow_because=str(error))


def _read_reference(tokenizers: Any, path: Path) -> Any:
    try:
        reference = tokenizers.Tokenizer.from_file(str(path))
    # The package raises Exception itself.
    except Exception as error:
        raise DataError(f"{path} is not a tokenizer.json ({error}); copy the model folder again") from error
    # Some published files carry a length limit, which would cap every count.
    reference.no_truncation()
    reference.no_padding()
    return reference


def parse_length(text: str | int) -> int:
    """Tokens of "512", "4k" (4,096) or "1m" (1,048,576)."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([km]?)", str(text).strip().lower())
    number = float(match[1]) * {"": 1, "k": 1024, "m": 1024 * 1024}[match[2]] if match else 0.0
    tokens = int(number) if math.isfinite(number) else 0
    if tokens <= 0:
        raise UsageError(f"{text!r} is not a length; write 512, 4k or 1m")
    return tokens


def format_length(tokens: int) -> str:
    """The inverse of `parse_length` for whole multiples: 4096 -> "4k"."""
    for unit, size in (("m", 1024 * 1024), ("k", 1024)):
        if tokens >= size and tokens % size == 0:
            return f"{tokens // size}{unit}"
    return str(tokens)


def length_bin(tokens: int, bounds: Sequence[int]) -> str:
    """Label of the first bound that holds `tokens` ("4k" means at most 4,096), or ">LAST" above the last."""
    for bound in sorted(bounds):
        if tokens <= bound:
            return format_length(bound)
    return f">{format_length(max(bounds))}"


def truncate_middle(tokenizer: Tokenizer, text: str, limit: int) -> tuple[str, int]:
    """Cut the middle of a document down to at most `limit` tokens; returns the text and how many tokens went.

    Only ever pass the document: question and instructions stay whole by never coming here.
    """
    ids = tokenizer.encode(text)
    if len(ids) <= limit:
        return text, 0
    marker = "\n...\n"
    room = limit - tokenizer.count(marker)
    # Joining two halves may merge or split tokens at the seam, so the result is measured, not assumed.
    while room > 0:
        head, tail = (room + 1) // 2, room // 2
        # A character cut in the middle decodes to U+FFFD, which the document does not hold.
        first = tokenizer.decode(ids[:head]).rstrip("\ufffd")
        last = tokenizer.decode(ids[-tail:]).lstrip("\ufffd") if tail else ""
        cut = first + marker + last
        excess = tokenizer.count(cut) - limit
        if excess <= 0:
            return cut, len(ids) - room
        room -= excess
    raise UsageError(f"a limit of {limit} tokens leaves no room for the document")
