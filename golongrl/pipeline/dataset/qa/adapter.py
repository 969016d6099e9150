"""What an adapter is, what it is given, and what it yields: a question with its documents before any check."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from golongrl.core.documents import Document, DocumentBuilder, Span
from golongrl.pipeline.dataset.questions.items import locate
from golongrl.pipeline.dataset.readers import Origin, Refusal, shapes

Row = Mapping[str, Any]


@dataclass(frozen=True)
class RowContext:
    """Where a row comes from: `name` ("hotpot_dev.json#12"), its number, the file's stem, and its licence."""

    name: str
    number: int
    stem: str
    licence: str = "unknown"

    def document(self, row: Row, title: str, part: int | None = None) -> Document:
        """A document of columns that `shapes` knows (text, table, turns ...); RefusedError where they hold no text.

        `part` tells the documents of one row apart.
        """
        name = self.name if part is None else f"{self.name}/{part}"
        origin = Origin(name, self.stem, "", self.licence)
        return shapes.document({**row, "title": title, "licence": self.licence}, name, self.number, origin)

    def passage(self, text: str, title: str, part: int) -> Document:
        """A document of running text, a paragraph for each line, whatever else its lines look like."""
        builder = DocumentBuilder()
        for line in text.split("\n"):
            builder.paragraph(line)
        return builder.build(source=f"{self.name}/{part}", title=title, licence=self.licence)


@dataclass(frozen=True)
class Place:
    """A stretch of a document, the whole of it without a span."""

    document: Document
    span: Span | None = None

    @property
    def range(self) -> Span:
        """The characters."""
        return self.span or Span(0, len(self.document.text))


@dataclass(frozen=True)
class QAItem:
    """A question as its set asks it, in our terms; the fields are those of `items.Item`.

    `evidence` is None where nobody said what the answer rests on, so that the only place where it stands is it; and
    empty where that would be a part of it at most. `stands` says that the answer is a text of the documents: one
    wording of it for `em`, every item of a list.
    """

    source: str
    form: str
    capability: str
    question: str
    gold: tuple[str, ...]
    shown: tuple[Place, ...]
    others: tuple[Document, ...] = ()
    evidence: tuple[Place, ...] | None = None
    options: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    stands: bool = True


@dataclass(frozen=True)
class Adapter:
    """One published form of rows.

    `accepts` looks at columns only; `read` yields the row's questions, and refuses those it cannot use. `licence` is
    the one the set was published under, used where neither row nor file says; "unknown" for a form of many sets.
    """

    name: str
    accepts: Callable[[Row], bool]
    read: Callable[[Row, RowContext], Iterator[QAItem | Refusal]]
    licence: str = "unknown"


def quoted(document: Document, quotes: Sequence[Any]) -> tuple[Place, ...]:
    """Where quotations stand in the document; nothing unless each of them stands there exactly once, since a part of
    the evidence answers nothing."""
    texts = [quote.strip() for quote in quotes if isinstance(quote, str) and quote.strip()]
    spans = dict.fromkeys(locate(document, text) for text in texts)
    return tuple(Place(document, span) for span in spans if span is not None) if None not in spans else ()


def texts_of(value: Any) -> tuple[str, ...]:
    """The texts of a text, a number, or a list of them; blanks dropped, each once."""
    if isinstance(value, bool) or value is None:
        return ()
    values = value if isinstance(value, list | tuple) else [value]
    found = [str(one).strip() for one in values if isinstance(one, str | int | float) and not isinstance(one, bool)]
    return tuple(dict.fromkeys(text for text in found if text))
