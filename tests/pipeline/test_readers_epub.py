"""The EPUB reader, on books written here."""

import io
import zipfile

import pytest

from golongrl.pipeline.dataset.readers import Origin, RefusedError, epub

ORIGIN = Origin("a.epub", "a", ".epub", "unknown")
CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
HTML = 'xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"'


def page(body, kind=""):
    kind = f' epub:type="{kind}"' if kind else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html>'
        f"<html {HTML}><head><title>no title</title></head><body{kind}>{body}</body></html>"
    )


def build(chapters, metadata="", order=None, extra=(), container=CONTAINER):
    """A book of (file name, page, attributes of its spine entry); `order` changes the spine's."""
    items = "".join(
        f'<item id="i{at}" href="{name.replace(" ", "%20")}" media-type="application/xhtml+xml" {facts}/>'
        for at, (name, _, facts) in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="i{at}"/>' for at in order or range(len(chapters)))
    package = (
        f'<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"{metadata}</metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("OEBPS/book.opf", package)
        for name, content, _ in chapters:
            archive.writestr(f"OEBPS/{name}", content)
        for name, content in extra:
            archive.writestr(name, content)
    return out.getvalue()


def read(data, origin=ORIGIN):
    return next(epub.read_bytes(data, origin))


def kinds(document):
    return [(b.kind, b.level, document.slice(b.content)) for b in document.blocks if b.kind != "table"]


def test_chapters_in_reading_order_with_metadata():
    chapters = [
        ("two b.xhtml", page("<h1>Mouths</h1><p>The bay &amp; the sea&nbsp;meet.</p>"), ""),
        ("one.xhtml", page("<h1>Sources</h1><h2>Rain</h2><ul><li>boats</li><li>nets</li></ul>"), ""),
        ("nav.xhtml", page("<p>contents</p>"), 'properties="nav"'),
        ("front.xhtml", page("<p>Printed in Ghent.</p>", "copyright-page"), ""),
    ]
    metadata = "<dc:title>On  Rivers</dc:title><dc:rights>CC BY 4.0</dc:rights>"
    document = read(build(chapters, metadata, order=[3, 2, 1, 0]))
    assert (document.title, document.licence) == ("On Rivers", "CC BY 4.0")
    assert kinds(document) == [
        ("heading", 2, "Sources"),
        ("heading", 3, "Rain"),
        ("item", 0, "boats"),
        ("item", 0, "nets"),
        ("heading", 2, "Mouths"),
        ("paragraph", 0, "The bay & the sea meet."),
    ]


def test_a_known_licence_stays_and_one_top_heading_is_the_title():
    data = build([("a.xhtml", page("<h1>Rivers</h1><p>Text.</p>"), "")], "<dc:rights>all rights reserved</dc:rights>")
    document = read(data, Origin("a.epub", "a", ".epub", "CC0"))
    assert (document.title, document.licence) == ("Rivers", "CC0")
    assert document.blocks[0].level == 1


@pytest.mark.parametrize(
    ("rights", "licence"),
    [
        ("Copyright © 2020 The Press. All rights reserved.", "unknown"),
        ("No part of this book is permitted elsewhere.", "unknown"),
        ("© 2020 A. Writer. Licensed under CC BY-SA 4.0. Ask first.", "Licensed under CC BY-SA 4.0."),
        ("Public domain in the USA.", "Public domain in the USA."),
        ("Creative Commons " + "x" * 200, "Creative Commons " + "x" * 103),
    ],
)
def test_only_rights_that_name_a_licence_are_one(rights, licence):
    data = build([("a.xhtml", page("<h1>Rivers</h1><p>Text.</p>"), "")], f"<dc:rights>{rights}</dc:rights>")
    assert read(data).licence == licence


def test_note_marks_stand_in_brackets_and_empty_anchors_end_where_they_should():
    body = '<p><a id="x"/>Deep.<a epub:type="noteref" href="#n">3</a></p><p>Next.</p>'
    assert [said for *_, said in kinds(read(build([("a.xhtml", page(body), "")])))] == ["Deep.[3]", "Next."]


def test_tables():
    body = (
        "<table><tr><th>Port</th><th>Boats</th></tr><tr><td>Ald</td><td>4</td></tr><tr><td>Brack</td><td>6</td></tr>"
    )
    table = read(build([("a.xhtml", page(body + "</table>"), "")])).blocks[0].table
    assert table.columns == ("Port", "Boats")
    assert [row.cells for row in table.rows] == [("Ald", "4"), ("Brack", "6")]


def test_broken_markup_costs_little_and_entities_read_nothing(tmp_path):
    (tmp_path / "secret.txt").write_text("the secret")
    broken = page("<p>One.<p>Two</p>").replace("</body></html>", "")
    hostile = page("<p>It is &x;.</p>").replace(
        "<!DOCTYPE html>", f'<!DOCTYPE html [<!ENTITY x SYSTEM "{(tmp_path / "secret.txt").as_uri()}">]>'
    )
    document = read(build([("a.xhtml", broken, ""), ("b.xhtml", hostile, "")]))
    assert "One." in document.text
    assert "Two" in document.text
    assert "secret" not in document.text


DRM = (
    '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData '
    'xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod Algorithm="{}"/></EncryptedData></encryption>'
)


def test_garbled_fonts_are_no_protection():
    fonts = ("META-INF/encryption.xml", DRM.format("http://www.idpf.org/2008/embedding"))
    assert read(build([("a.xhtml", page("<p>Text.</p>"), "")], extra=[fonts])).text == "Text."


CHAPTER = ("a.xhtml", page("<p>Text.</p>"), "")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            build(
                [CHAPTER],
                extra=[("META-INF/encryption.xml", DRM.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc"))],
            ),
            "protected",
        ),
        (build([CHAPTER])[:-80], "damaged or truncated EPUB"),
        (build([CHAPTER], container="<container/>"), "names no package file"),
        (build([]), "names no chapter"),
        (build([CHAPTER], extra=[("/etc/passwd", "x")]), "leads out of the archive"),
        (build([CHAPTER], extra=[("a.bin", bytes(20 * 1024**2))]), "zip bomb"),
    ],
)
def test_refusals_say_why(data, words):
    with pytest.raises(RefusedError, match=words):
        read(data)


def outcomes(data):
    return list(epub.read_bytes(data, ORIGIN))


def test_chapters_that_are_missing_or_no_markup_are_named():
    chapters = [
        ("a.xhtml", page("<p>one</p>"), ""),
        ("b.xhtml", "no markup", ""),
        ("c.xhtml", page("<p>two</p>"), ""),
    ]
    data = build(chapters)
    without = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(without, "w") as new:
        for name in old.namelist():
            if not name.endswith("a.xhtml"):
                new.writestr(name, old.read(name))
    missing, broken, document = outcomes(without.getvalue())
    assert missing.source == "a.epub!OEBPS/a.xhtml"
    assert missing.reason.endswith("not in the file, though its reading order names it")
    assert (broken.source, broken.reason) == ("a.epub!OEBPS/b.xhtml", "damaged EPUB: the chapter is no XHTML")
    assert document.text == "two"


def test_deep_nesting_and_huge_paragraphs_lose_nothing():
    deep = page("<div>" * 400 + "deep" + "</div>" * 400 + "<p>after</p>")
    huge = page(f"<p>{' '.join(map(str, range(1_500_000)))}</p><p>after</p>")
    document = read(build([("a.xhtml", deep, ""), ("b.xhtml", huge, "")]))
    assert len(document.text) > 10_000_000
    assert [document.slice(b.content)[-7:] for b in document.blocks] == ["deep", "after", "1499999", "after"]
    with pytest.raises(RefusedError, match="beyond the limits of the XML parser"):
        read(build([("a.xhtml", page("<div>" * 4000 + "deep" + "</div>" * 4000), "")]))


def test_a_chapter_without_a_body_is_read():
    assert read(build([("a.xhtml", f"<html {HTML}><p>one</p></html>", "")])).text == "one"
