"""A library on disk of small documents, for the tests of items."""

from golongrl.core.documents import DocumentBuilder
from golongrl.core.tokens import ApproxTokenizer
from golongrl.pipeline.dataset.assign import amounts
from golongrl.pipeline.dataset.encoding import Entry, kind_of, pack
from golongrl.pipeline.dataset.library import Library, write_index


def paragraphs(*texts, title="Guide"):
    """A document of paragraphs."""
    builder = DocumentBuilder()
    for text in texts:
        builder.paragraph(text)
    return builder.build(source=f"{title}.md", title=title)


def filler(number, sentences=40):
    """A document that says nothing in particular."""
    words = ("harbour", "willow", "lantern", "pebble", "orchard", "meadow", "saddle", "copper")
    lines = [f"Line {n} tells of a {words[(n + number) % 8]} and a {words[n % 7]} by road." for n in range(sentences)]
    return paragraphs(*lines, title=f"Notes {number}")


def library(folder, documents, held_out=()):
    """(library, digest -> number) of some documents; those whose place is in `held_out` are for validation."""
    entries = []
    with open(folder / "documents.bin", "wb") as handle:
        for number, document in enumerate(documents):
            offset, stored = handle.tell(), pack(document)
            handle.write(stored)
            entries.append(
                Entry(
                    sha256=document.sha256,
                    source=document.source,
                    title=document.title,
                    language=document.language,
                    licence="CC0-1.0",
                    kind=kind_of(document),
                    n_tokens=ApproxTokenizer().count(document.text),
                    amounts=amounts(document),
                    shard="documents.bin",
                    offset=offset,
                    size=len(stored),
                    held_out=number in held_out,
                )
            )
    write_index(folder, entries)
    return Library(folder, entries, ApproxTokenizer()), {e.sha256: n for n, e in enumerate(entries)}
