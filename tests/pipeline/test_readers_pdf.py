"""The PDF reader, on small files written here byte by byte."""

import hashlib
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core.documents import Document
from golongrl.core.errors import MissingPackageError
from golongrl.pipeline.dataset.readers import Origin, RefusedError, pdf

ORIGIN = Origin("a.pdf", "a", ".pdf", "CC0")
FONTS = {"roman": "Helvetica", "bold": "Helvetica-Bold", "mono": "Courier"}
PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
FILE_ID = b"0123456789abcdef"
PICTURE = "100 100 200 200 re f"


def text(x, y, words, size=10, font="roman"):
    escaped = words.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"BT /{font} {size} Tf {x} {y} Td ({escaped}) Tj ET"


def paragraph(top, lines, x=72, size=10, font="roman"):
    return [text(x, top - 12 * at, line, size, font) for at, line in enumerate(lines)]


def rc4(key, data):
    state, j, out = list(range(256)), 0, bytearray()
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def build(pages, title="", outline=(), password=None):
    """A PDF of pages of drawing commands; `outline` holds (title, page, height); with a password, even an empty one,
    its streams are encrypted by the standard handler, revision 2."""
    bodies = {1: b"", 2: b"", 3: b""}
    for number, (name, font) in enumerate(FONTS.items(), 4):
        bodies[number] = f"<< /Type /Font /Subtype /Type1 /BaseFont /{font} /Name /{name} >>".encode()
    key = entry = b""
    if password is not None:
        padded = (password.encode() + PADDING)[:32]
        owner = rc4(hashlib.md5(padded).digest()[:5], padded)
        key = hashlib.md5(padded + owner + (0xFFFFFFFC).to_bytes(4, "little") + FILE_ID).digest()[:5]
        user = rc4(key, PADDING)
        entry = f"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <{owner.hex()}> /U <{user.hex()}> >>".encode()
    kids = []
    for commands in pages:
        number = len(bodies) + 1
        kids.append(number)
        stream = "\n".join(commands).encode("latin-1")
        if key:
            part = key + (number + 1).to_bytes(3, "little") + b"\0\0"
            stream = rc4(hashlib.md5(part).digest()[:10], stream)
        fonts = " ".join(f"/{name} {at} 0 R" for at, name in enumerate(FONTS, 4))
        bodies[number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {number + 1} 0 R "
            f"/Resources << /Font << {fonts} >> >> >>"
        ).encode()
        bodies[number + 1] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)
    root = len(bodies) + 1
    for at, (name, page, height) in enumerate(outline, root + 1):
        following = f"/Next {at + 1} 0 R" if at < root + len(outline) else ""
        bodies[at] = (
            f"<< /Title ({name}) /Parent {root} 0 R {following} /Dest [{kids[page]} 0 R /XYZ 72 {height} 0] >>"
        ).encode()
    if outline:
        bodies[root] = (
            f"<< /Type /Outlines /First {root + 1} 0 R /Last {root + len(outline)} 0 R /Count {len(outline)} >>"
        ).encode()
    tree = f"/Outlines {root} 0 R" if outline else ""
    bodies[1] = f"<< /Type /Catalog /Pages 2 0 R {tree} >>".encode()
    bodies[2] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{k} 0 R' for k in kids)}] >>".encode()
    bodies[3] = f"<< /Title ({title}) >>".encode() if password is None else b"<< >>"
    out, places = b"%PDF-1.4\n", []
    for number in sorted(bodies):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, bodies[number])
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = b"<< /Size %d /Root 1 0 R /Info 3 0 R /ID [<%s> <%s>] %s >>" % (
        len(bodies) + 1,
        FILE_ID.hex().encode(),
        FILE_ID.hex().encode(),
        entry,
    )
    head = f"xref\n0 {len(bodies) + 1}\n0000000000 65535 f \n{table}trailer\n".encode()
    return out + head + trailer + f"\nstartxref\n{len(out)}\n%%EOF\n".encode()


def read(data):
    document = next(pdf.read_bytes(data, ORIGIN))
    assert isinstance(document, Document)
    return document


def kinds(document):
    return [(b.kind, document.slice(b.content)) for b in document.blocks if b.kind != "table"]


def headings(document):
    return [(b.level, document.slice(b.content)) for b in document.blocks if b.kind == "heading"]


PROSE = [
    "The river rises in the hills above the town and runs for forty miles through open",
    "country before it meets the sea at a broad and shallow bay of grey sand.",
]


def test_lines_become_paragraphs_by_gap_and_by_room():
    short = ["A short line.", "Another paragraph, whose first word had room above."]
    document = read(build([[*paragraph(700, PROSE), *paragraph(640, PROSE), *paragraph(580, short)]]))
    whole = " ".join(PROSE)
    assert [said for _, said in kinds(document)] == [whole, whole, *short]
    assert (document.title, document.licence, document.source) == ("a", "CC0", "a.pdf")


def test_indented_first_lines_begin_paragraphs():
    commands = []
    for at in range(8):
        commands += paragraph(740 - 24 * at, PROSE[:1], x=87) + paragraph(728 - 24 * at, PROSE[1:])
    assert [said for _, said in kinds(read(build([commands])))] == [" ".join(PROSE)] * 8


def test_hyphens_at_line_ends_go_unless_the_word_has_one():
    lines = [
        "The committee met in the long room of the old town hall and asked for an exten-",
        "sion of the time in which the well-known painter was to hand in that well-",
        "known picture of the harbour.",
    ]
    assert kinds(read(build([paragraph(700, lines)])))[0][1] == (
        "The committee met in the long room of the old town hall and asked for an extension of the time in which "
        "the well-known painter was to hand in that well-known picture of the harbour."
    )


def test_running_heads_and_page_numbers_go_and_paragraphs_run_over_pages():
    places = ("hills", "woods", "marshes", "rocks", "fields")
    pages = []
    for number, place in enumerate(places, 7):
        first = f"{place.title()} stand above the town and the road runs forty miles through the"
        body = [
            first,
            "open country before it meets the sea.",
            f"Beyond the {place} the road was never mended by the people who lived there, and he",
        ]
        pages.append([text(72, 770, "The Annual Report"), *paragraph(700, body), text(300, 30, str(number))])
    pages.append(["q Q", *paragraph(700, ["who keeps it up is paid by the county."])])
    document = read(build(pages))
    assert "Annual Report" not in document.text
    assert not any(character.isdigit() for character in document.text)
    assert kinds(document)[-1][1] == (
        "Beyond the fields the road was never mended by the people who lived there, and he who keeps it up is paid "
        "by the county."
    )


def test_headings_from_font_sizes():
    commands = [
        text(72, 740, "On Rivers", 24),
        *(text(72, 690 - 90 * at, f"{at + 1} Part the next", 16, "bold") for at in range(3)),
        *(command for at in range(3) for command in paragraph(660 - 90 * at, PROSE)),
    ]
    order = [commands[0]]
    for at in range(3):
        order += [commands[1 + at], *commands[4 + 2 * at : 6 + 2 * at]]
    document = read(build([order], title="Microsoft Word - draft.doc"))
    assert headings(document) == [(1, "On Rivers"), *((2, f"{at} Part the next") for at in (1, 2, 3))]
    assert document.title == "On Rivers"


def test_headings_from_the_outline_keep_their_numbers():
    page = [text(72, 720, "1.1 Sources", 10, "bold"), *paragraph(700, PROSE)]
    page += [text(72, 640, "1.2 The long way down", 10, "bold"), *paragraph(620, PROSE)]
    outline = [("Sources", 0, 730), ("The long way down", 0, 650)]
    document = read(build([page], title="Rivers", outline=outline))
    assert headings(document) == [(2, "1.1 Sources"), (2, "1.2 The long way down")]
    assert document.title == "Rivers"


def test_lists_code_and_footnote_marks():
    commands = [
        *paragraph(700, PROSE),
        text(80, 660, "1. first of all, the boats"),
        text(80, 648, "2. then the nets"),
        *(text(72 + 12 * at, 610 - 11 * at, line, 9, "mono") for at, line in enumerate(["if rain:", "stay()"])),
        text(72, 570, "The bay is wide"),
        text(72 + 70, 574, "3", 6),
        text(72 + 76, 570, "and calm."),
    ]
    found = kinds(read(build([commands])))
    assert ("item", "first of all, the boats") in found
    assert ("item", "then the nets") in found
    assert ("code", "if rain:\n  stay()") in found
    assert found[-1] == ("paragraph", "The bay is wide [3] and calm.")


def test_aligned_cells_become_a_table_that_runs_over_pages():
    def row(y, *cells):
        return [text(x, y, cell) for x, cell in zip((72, 220, 340), cells, strict=True)]

    first = [*paragraph(700, PROSE), *row(650, "Port", "Boats", "Crew"), *row(638, "Aldmouth", "12", "40")]
    first += row(626, "Brackwater", "7", "21")
    second = [*row(740, "Port", "Boats", "Crew"), *row(728, "Cold Bay", "3", "9"), *row(716, "Dunhaven", "5", "16")]
    document = read(build([first, [*second, *paragraph(660, PROSE)]]))
    tables = [block.table for block in document.blocks if block.table]
    assert len(tables) == 1
    assert tables[0].columns == ("Port", "Boats", "Crew")
    assert [row.cells for row in tables[0].rows] == [
        ("Aldmouth", "12", "40"),
        ("Brackwater", "7", "21"),
        ("Cold Bay", "3", "9"),
        ("Dunhaven", "5", "16"),
    ]
    assert tables[0].regular


def test_lines_with_dot_leaders_go():
    leaders = [text(72, 700 - 12 * at, f"Chapter {at} . . . . . . . . . . . {at}7") for at in range(6)]
    document = read(build([leaders, paragraph(700, PROSE)]))
    assert document.text == " ".join(PROSE)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (build([paragraph(700, PROSE)], password="secret"), "needs a password"),
        (build([paragraph(700, PROSE)])[:-200], "truncated"),
        (build([[PICTURE], [PICTURE], [PICTURE], paragraph(700, PROSE)]), "3 of 4 pages are pictures"),
        (build([[PICTURE]]), "run text recognition first"),
        (b"PK\x03\x04", "does not begin with %PDF-"),
        (b"%PDF-1.4\nnothing\n%%EOF", "damaged"),
    ],
)
def test_refusals_say_why(data, words):
    with pytest.raises(RefusedError, match=words):
        read(data)


def test_an_owner_password_alone_keeps_nobody_from_reading():
    assert read(build([paragraph(700, PROSE)], password="")).text == " ".join(PROSE)


def test_more_pages_than_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(pdf, "MAX_PAGES", 2)
    with pytest.raises(RefusedError, match="3 pages, above the limit of 2"):
        read(build([paragraph(700, PROSE)] * 3))


def test_the_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'golongrl\[docs\]'"):
        read(build([paragraph(700, PROSE)]))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=30))
def test_damage_is_refused_or_read_but_never_anything_else(changes):
    data = bytearray(build([paragraph(700, PROSE), paragraph(500, PROSE)], title="Rivers"))
    for at, byte in changes:
        data[at % len(data)] = byte
    try:
        document = read(bytes(data))
    except RefusedError:
        return
    assert document.text
    assert all(0 <= b.span.start < b.span.end <= len(document.text) for b in document.blocks)


def turned(lines):
    return [f"BT /roman 10 Tf 0 1 -1 0 {100 + 12 * at} 100 Tm ({line}) Tj ET" for at, line in enumerate(lines)]


def test_pages_whose_text_is_turned_are_named():
    refusal, document = pdf.read_bytes(build([paragraph(700, ["Upright."]), turned(["Along", "the side"])]), ORIGIN)
    assert (refusal.source, refusal.reason[:36]) == ("a.pdf", "page 2: the text is turned and left ")
    assert document.text == "Upright."
    with pytest.raises(RefusedError, match="pages 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more: all text is turned"):
        read(build([turned(["Along"])] * 12))


def test_an_empty_page_is_no_scan():
    with pytest.raises(RefusedError, match="it holds no text"):
        read(build([[]]))
