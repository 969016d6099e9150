"""Short passages out of real documents, for benchmarks that are built here."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from golongrl.core.errors import DataError
from golongrl.core.tokens import Tokenizer

SUFFIXES = (".txt", ".md", ".rst")
# A document larger than this is read up to here: its first passages are more than any item needs.
MAX_CHARACTERS = 2_000_000

# A heading's underline parts the heading from the text that follows it.
_RULE = re.compile(r"^[ \t]*([=\-~^*#+_])\1{2,}[ \t]*$", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])")


@dataclass(frozen=True)
class Source:
    """A document: the topic that requests name, and its distinct passages in order."""

    topic: str
    passages: list[str]


def read_documents(data: str | None) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of a file or of a folder's .txt, .md and .rst files in order of their names.

    Without `data`: the language reference that every Python carries (`pydoc_data.topics`).
    """
    if data is None:
        from pydoc_data.topics import topics

        yield from sorted(topics.items())
        return
    root = Path(data).expanduser()
    if not root.exists():
        raise DataError(f"no such document or folder: {data}; check --data")
    files = [root] if root.is_file() else [file for file in _files(root) if file.suffix.lower() in SUFFIXES]
    if not files:
        raise DataError(f"{data} holds no {', '.join(SUFFIXES)} document; check --data")
    for file in files:
        with open(file, "rb") as handle:
            raw = handle.read(4 * MAX_CHARACTERS)
        try:
            text = raw.decode("utf-8-sig", "strict" if len(raw) < 4 * MAX_CHARACTERS else "ignore")
        except UnicodeDecodeError as error:
            raise DataError(f"{file} is not UTF-8 (byte {error.start}); convert it to UTF-8 first") from error
        yield (str(file.relative_to(root).with_suffix("")) if root.is_dir() else file.stem), text[:MAX_CHARACTERS]


def left_out(data: str | None) -> list[str]:
    """The files of a folder that `read_documents` does not read, as paths in it; hidden ones not."""
    root = Path(data).expanduser() if data is not None else None
    if root is None or not root.is_dir():
        return []
    names = (file.relative_to(root).as_posix() for file in _files(root) if file.suffix.lower() not in SUFFIXES)
    return [name for name in names if not any(part.startswith(".") for part in name.split("/"))]


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def split_passages(text: str, tokenizer: Tokenizer, limit: int) -> list[str]:
    """Distinct passages of `limit / 4` to `limit` tokens: paragraphs, cut after whole sentences where too long.

    Lines of a paragraph are joined; paragraphs that are mostly not letters (tables, underlines, code) are left out.
    """
    passages: dict[str, None] = {}
    for paragraph in re.split(r"\n\s*\n", _RULE.sub("\n", text)):
        joined = " ".join(paragraph.split())
        if not joined or sum(unicodedata.category(char)[0] == "L" for char in joined) < 0.6 * len(joined):
            continue
        kept = ""
        for sentence in _SENTENCE_END.split(joined):
            longer = f"{kept} {sentence}".strip()
            if tokenizer.count(longer) > limit:
                break
            kept = longer
        if kept and 4 * tokenizer.count(kept) >= limit:
            passages[kept] = None
    return list(passages)


def read_sources(data: str | None, tokenizer: Tokenizer, limit: int) -> list[Source]:
    """Every document with at least one passage; a passage that two documents share belongs to the first.

    The topic is the document's own name, with its folders only where several documents share the name.
    """
    documents = list(read_documents(data))
    shared = Counter(PurePath(name).name for name, _ in documents)
    sources: list[Source] = []
    taken: set[str] = set()
    for name, text in documents:
        fresh = [passage for passage in split_passages(text, tokenizer, limit) if passage not in taken]
        taken.update(fresh)
        own = PurePath(name).name
        if fresh:
            sources.append(Source(re.sub(r"[\s_-]+", " ", own if shared[own] == 1 else name).strip(), fresh))
    return sources
