"""A library on disk of small documents, for the tests of items."""

from dataclasses import replace

from golongrl.core.documents import DocumentBuilder
from golongrl.core.tokens import ApproxTokenizer
from golongrl.pipeline.dataset.collect import store
from golongrl.pipeline.dataset.index import write_index
from golongrl.pipeline.dataset.library import Library


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
            entry = store(document, ApproxTokenizer().count(document.text), handle, "documents.bin")
            entries.append(replace(entry, licence="CC0-1.0", held_out=number in held_out))
    write_index(folder, entries)
    return Library(folder, entries, ApproxTokenizer()), {e.sha256: n for n, e in enumerate(entries)}
