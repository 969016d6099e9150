"""PDF through pdfium (package pypdfium2): paragraphs, headings, lists and code from the text layer and its places.
pdfium must not run in two threads of one process."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from golongrl.core.documents import Document, DocumentBuilder
from golongrl.core.errors import require
from golongrl.pipeline.dataset.readers import Origin, Refusal, RefusedError, grid
from golongrl.pipeline.dataset.readers.pdf_blocks import pieces
from golongrl.pipeline.dataset.readers.pdf_furniture import without_furniture
from golongrl.pipeline.dataset.readers.pdf_headings import Entry, by_outline, by_size
from golongrl.pipeline.dataset.readers.pdf_layout import Joiner, code_text, measure, without_mark
from golongrl.pipeline.dataset.readers.pdf_lines import Line, PageText

MAX_PAGES = 10_000
MAX_OUTLINE = 20_000
SHOWN_PAGES = 10
"""Most pages that a reason lists by number."""
TAIL_BYTES = 4096
"""Bytes at the end of a file among which its end mark must stand."""
MIN_TEXT_PAGES = 0.5
"""Share of pages with text below which a file counts as scanned."""
MIN_READABLE = 0.8
"""Share of characters that must be known; fonts without a Unicode map give none."""

_PASSWORD_ERROR = 4
_NO_TITLE = re.compile(
    r"^(?:untitled|microsoft \w+ - .*|slide 1|.*\.(?:docx?|dvi|tex|indd|qxd|pdf|rtf|pptx?|ps))$", re.I
)
_UNKNOWN = re.compile(r"[\ufffd\ufffe\ue000-\uf8ff\x00-\x08\x0e-\x1f]")


def read_bytes(data: bytes, origin: Origin) -> Iterator[Document | Refusal]:
    """One document per file, and the pages of it whose text is turned. RefusedError: encrypted, truncated, damaged,
    scanned, or too many pages."""
    pdfium = require("pypdfium2", "docs")
    if b"%PDF-" not in data[:1024]:
        raise RefusedError("no PDF: it does not begin with %PDF-")
    if b"%%EOF" not in data[-TAIL_BYTES:]:
        raise RefusedError("truncated PDF: its end mark (%%EOF) is missing; fetch the file again")
    try:
        pdf = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if error.err_code == _PASSWORD_ERROR:
            raise RefusedError("encrypted PDF: it needs a password; save a copy without one") from error
        raise RefusedError(f"damaged PDF: pdfium cannot open it ({error})") from error
    try:
        pages, turned = _pages(pdf, pdfium)
        outline = list(_outline(pdf, pdfium))
        stated = str(pdf.get_metadata_value("Title") or "").strip()
    finally:
        pdf.close()
    if turned:
        yield Refusal(origin.name, f"{_listed(turned)}: the text is turned and left out; turn it upright")
    title = "" if _NO_TITLE.match(stated) or sum(map(str.isalpha, stated)) < 3 else stated
    yield _document(pages, outline, title, origin)


def _pages(pdf: Any, pdfium: Any) -> tuple[list[list[Line]], list[int]]:
    """(the lines of every page, the numbers of pages whose text is all turned). RefusedError when there is no text to
    read in them."""
    count = len(pdf)
    if not count:
        raise RefusedError("damaged PDF: it has no pages")
    if count > MAX_PAGES:
        raise RefusedError(f"{count} pages, above the limit of {MAX_PAGES}; split the file")
    reader = PageText(pdfium.raw)
    pages: list[list[Line]] = []
    turned: list[int] = []
    images = 0
    for number in range(count):
        try:
            page = pdf[number]
            text = page.get_textpage()
        except pdfium.PdfiumError as error:
            raise RefusedError(f"damaged PDF: page {number + 1} of {count} cannot be read ({error})") from error
        lines = reader.lines(text, number)
        if not lines and text.get_text_range().strip():
            turned.append(number + 1)
        elif not lines:
            images += pdfium.raw.FPDFPage_CountObjects(page.raw) > 0
        pages.append(lines)
        text.close()
        page.close()
    filled = sum(map(bool, pages))
    if turned and not filled:
        raise RefusedError(f"{_listed(turned)}: all text is turned; turn it upright")
    if not images and not filled:
        raise RefusedError("it holds no text")
    if filled < MIN_TEXT_PAGES * (filled + images):
        raise RefusedError(
            f"scanned PDF: {images} of {count} pages are pictures without a text layer; run text recognition first"
        )
    total = sum(len(line.text) for page in pages for line in page)
    unknown = sum(len(_UNKNOWN.findall(line.text)) for page in pages for line in page)
    if total - unknown < MIN_READABLE * total:
        raise RefusedError("its fonts have no Unicode map: the text layer holds no readable characters")
    return pages, turned


def _listed(pages: Sequence[int]) -> str:
    more = f" and {len(pages) - SHOWN_PAGES} more" if len(pages) > SHOWN_PAGES else ""
    return f"page{'s' if len(pages) > 1 else ''} {', '.join(map(str, pages[:SHOWN_PAGES]))}{more}"


def _outline(pdf: Any, pdfium: Any) -> Iterator[Entry]:
    try:
        for number, bookmark in enumerate(pdf.get_toc()):
            if number >= MAX_OUTLINE:
                return
            target = bookmark.get_dest()
            page = target.get_index() if target else None
            if page is None:
                continue
            mode, view = target.get_view()
            height = view[1] if mode == pdfium.raw.PDFDEST_VIEW_XYZ and len(view) > 1 else None
            yield Entry(bookmark.level, bookmark.get_title(), page, height)
    except pdfium.PdfiumError:
        # A broken outline costs its headings, not the text.
        return


def _document(pages: Sequence[Sequence[Line]], outline: Sequence[Entry], title: str, origin: Origin) -> Document:
    pages = without_furniture(pages)
    layout = measure(pages)
    found = by_outline(outline, pages) or by_size(layout, pages)
    joiner = Joiner(pages)
    builder = DocumentBuilder()
    group = 0
    for piece in pieces(layout, pages, set(found)):
        lines = piece.lines
        if piece.grid is not None:
            grid.add(builder, piece.grid.rows)
        elif piece.kind == "heading":
            if heading := found[id(lines[0])]:
                builder.heading(heading.text, heading.level)
        elif piece.kind == "code":
            builder.code(code_text(lines))
        elif piece.kind == "item":
            group += not builder.ends_with_item()
            builder.item(without_mark(joiner.text(lines)), group)
        else:
            builder.paragraph(joiner.text(lines))
    return builder.build(source=origin.name, title=title, fallback=origin.stem, licence=origin.licence)
