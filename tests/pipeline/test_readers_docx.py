"""The Word reader and the limits on zip files, on documents written here as XML parts."""

import io
import sys
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.core.errors import MissingPackageError
from golongrl.pipeline.dataset.readers import Origin, RefusedError, archive_limits, docx

ORIGIN = Origin("a.docx", "a", ".docx", "CC0")
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"
TYPES = f"""<Types xmlns="{PACKAGE}/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/word/document.xml" ContentType="{WORD}.document.main+xml"/>
<Override PartName="/word/styles.xml" ContentType="{WORD}.styles+xml"/>
<Override PartName="/word/footnotes.xml" ContentType="{WORD}.footnotes+xml"/>
<Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/>
</Types>"""
RELATIONS = f"""<Relationships xmlns="{PACKAGE}/relationships">
<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="word/document.xml"/>
<Relationship Id="r2" Type="{PACKAGE}/relationships/metadata/core-properties" Target="docProps/core.xml"/>
</Relationships>"""
PARTS = f"""<Relationships xmlns="{PACKAGE}/relationships">
<Relationship Id="r1" Type="{OFFICE}/styles" Target="styles.xml"/>
<Relationship Id="r2" Type="{OFFICE}/footnotes" Target="footnotes.xml"/>
</Relationships>"""
STYLES = f"""<w:styles {W}>
<w:style w:type="paragraph" w:styleId="Titel"><w:name w:val="Title"/></w:style>
<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
<w:style w:type="paragraph" w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style>
<w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="Mine"/><w:basedOn w:val="berschrift2"/></w:style>
<w:style w:type="paragraph" w:styleId="Listen"><w:name w:val="List Bullet"/>
<w:pPr><w:numPr><w:numId w:val="4"/></w:numPr></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="V1"><w:name w:val="toc 1"/></w:style>
</w:styles>"""
NOTES = f"""<w:footnotes {W}><w:footnote w:id="0" w:type="separator"><w:p/></w:footnote>
<w:footnote w:id="7"><w:p><w:r><w:t>As the chart of 1840 has it.</w:t></w:r></w:p></w:footnote></w:footnotes>"""


def run(words):
    return f'<w:r><w:t xml:space="preserve">{words}</w:t></w:r>'


def p(words, style="", inside=""):
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}{run(words) if words else ''}{inside}</w:p>"


def build(body, title="", extra=(), document=None):
    core = (
        '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></cp:coreProperties>'
    )
    parts = {
        "[Content_Types].xml": TYPES,
        "_rels/.rels": RELATIONS,
        "word/document.xml": document or f"<w:document {W}><w:body>{body}</w:body></w:document>",
        "word/_rels/document.xml.rels": PARTS,
        "word/styles.xml": STYLES,
        "word/footnotes.xml": NOTES,
        "docProps/core.xml": core,
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [*parts.items(), *extra]:
            archive.writestr(name, content)
    return out.getvalue()


def read(data):
    return next(docx.read_bytes(data, ORIGIN))


def kinds(document):
    return [(b.kind, document.slice(b.content)) for b in document.blocks if b.kind != "table"]


def test_headings_paragraphs_and_lists():
    body = (
        p("On Rivers", "Titel")
        + p("Sources", "berschrift1")
        + p("The spring ", inside=run("is small."))
        + p("boats", "Listen")
        + p("nets", "Listen")
        + p("Mouths", "berschrift1")
        + p("The bay", "Mine")
        + p("", inside=f"{run('1.')}<w:r><w:tab/></w:r>{run('row out')}")
    )
    document = read(build(body, title="Rivers"))
    assert document.title == "Rivers"
    assert kinds(document) == [
        ("heading", "On Rivers"),
        ("heading", "Sources"),
        ("paragraph", "The spring is small."),
        ("item", "boats"),
        ("item", "nets"),
        ("heading", "Mouths"),
        ("heading", "The bay"),
        ("item", "row out"),
    ]
    assert [b.level for b in document.blocks if b.kind == "heading"] == [1, 2, 2, 3]


def test_one_top_heading_is_the_title():
    document = read(build(p("On Rivers", "berschrift1") + p("Text.")))
    assert document.title == "On Rivers"
    assert document.blocks[0].level == 1


def test_deleted_text_and_field_codes_go_and_inserted_text_stays():
    inside = (
        f"<w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:ins>{run('new')}</w:ins>"
        f"<w:r><w:instrText>PAGEREF x</w:instrText></w:r><w:hyperlink>{run(' link')}</w:hyperlink>"
    )
    assert read(build(p("The ", inside=inside))).text == "The new link"


def test_footnotes_follow_their_paragraph():
    mark = '<w:r><w:footnoteReference w:id="7"/></w:r>'
    document = read(build(p("The bay is deep.", inside=mark) + p("So they say.")))
    assert [said for _, said in kinds(document)] == [
        "The bay is deep. [1]",
        "[1] As the chart of 1840 has it.",
        "So they say.",
    ]


def test_text_boxes_are_read_once():
    box = f"<w:txbxContent>{p('In the box.')}</w:txbxContent>"
    mc = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    inside = (
        f"<w:r><mc:AlternateContent {mc}><mc:Choice>{box}</mc:Choice>"
        f"<mc:Fallback>{box}</mc:Fallback></mc:AlternateContent></w:r>"
    )
    assert [said for _, said in kinds(read(build(p("Beside it.", inside=inside))))] == ["Beside it.", "In the box."]


def cell(words, properties=""):
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(words)}</w:tc>"


def test_tables_with_merged_cells():
    rows = [
        "<w:trPr><w:tblHeader/></w:trPr>" + cell("Port") + cell("Boat") + cell("Crew"),
        cell("Aldmouth", '<w:vMerge w:val="restart"/>') + cell("Ann") + cell("4"),
        cell("", "<w:vMerge/>") + cell("Bea") + cell("6"),
    ]
    table = "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in rows) + "</w:tbl>"
    found = read(build(p("Before.") + table)).blocks[1].table
    assert found.columns == ("Port", "Boat", "Crew")
    assert [row.cells for row in found.rows] == [("Aldmouth", "Ann", "4"), ("Aldmouth", "Bea", "6")]
    assert found.regular


def test_a_table_of_one_column_is_text():
    table = f"<w:tbl><w:tr>{cell('Only this.')}</w:tr><w:tr>{cell('And this.')}</w:tr></w:tbl>"
    assert kinds(read(build(table))) == [("paragraph", "Only this."), ("paragraph", "And this.")]


def test_tables_of_contents_go():
    typed = "".join(p(f"Chapter {at}", inside=f"<w:r><w:tab/></w:r>{run(str(at))}") for at in range(6))
    assert read(build(p("Sources 1", "V1") + typed + p("Text."))).text == "Text."


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (build(p("x"), extra=[("word/vbaProject.bin", b"x")]), "macros"),
        (build(p("x"))[:-300], "damaged or truncated"),
        (build(p("x"), document="<w:document"), "damaged Word document"),
        (build(p("x"), document="<x/>").replace(b"word/document.xml", b"word/documenx.xml"), "damaged"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "encrypted Word document, or an old"),
        (b"plain text", "damaged or truncated"),
        (build(p("x"), extra=[("../../evil.xml", b"x")]), "leads out of the archive"),
        (build(p("x"), extra=[("word/media/a.bin", bytes(20 * 1024**2))]), "zip bomb"),
    ],
)
def test_refusals_say_why(data, words):
    with pytest.raises(RefusedError, match=words):
        read(data)


def test_limits_on_members_and_total(monkeypatch):
    monkeypatch.setattr(archive_limits, "MAX_MEMBERS", 5)
    with pytest.raises(RefusedError, match="7 members, above the limit of 5"):
        read(build(p("x")))
    monkeypatch.setattr(archive_limits, "MAX_MEMBERS", 100)
    monkeypatch.setattr(archive_limits, "MAX_TOTAL_BYTES", 1024**2)
    with pytest.raises(RefusedError, match="above the limit of 1 MB"):
        read(build(p("x"), extra=[("word/a.txt", bytes(2 * 1024**2))]))


def test_encrypted_members_are_refused():
    data = bytearray(build(p("x")))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    with pytest.raises(RefusedError, match="needs a password"):
        read(bytes(data))


def test_the_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'golongrl\[docs\]'"):
        read(build(p("x")))


def test_entities_are_not_resolved(tmp_path):
    (tmp_path / "secret.txt").write_text("the secret")
    document = (
        f'<!DOCTYPE w:document [<!ENTITY x SYSTEM "{(tmp_path / "secret.txt").as_uri()}">]>'
        f"<w:document {W}><w:body><w:p><w:r><w:t>It is &x;.</w:t></w:r></w:p></w:body></w:document>"
    )
    assert "secret" not in read(build("", document=document)).text


WORDS = st.text(st.characters(categories=("Lu", "Ll", "Lo", "Nd")), min_size=1, max_size=12)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=6), min_size=1, max_size=6))
def test_every_paragraph_is_read_in_order(paragraphs):
    body = "".join(p("", inside="".join(run(f"{word} ") for word in words)) for words in paragraphs)
    assert [said for _, said in kinds(read(build(body)))] == [" ".join(words) for words in paragraphs]


def test_endnotes_and_notes_in_tables_are_read():
    mark = '<w:r><w:footnoteReference w:id="7"/></w:r>'
    end = '<w:r><w:endnoteReference w:id="3"/></w:r>'
    table = f"<w:tbl><w:tr><w:tc>{p('Boats', inside=mark)}</w:tc><w:tc>{p('3')}</w:tc></w:tr></w:tbl>"
    endnotes = f'<w:endnotes {W}><w:endnote w:id="3">{p("Told by her.")}</w:endnote></w:endnotes>'
    parts = PARTS.replace(
        "</Relationships>", f'<Relationship Id="r3" Type="{OFFICE}/endnotes" Target="endnotes.xml"/></Relationships>'
    )
    types = TYPES.replace(
        "</Types>", f'<Override PartName="/word/endnotes.xml" ContentType="{WORD}.endnotes+xml"/></Types>'
    )
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(build(table + table + p("So it was.", inside=end)))) as old:
        contents = {name: old.read(name) for name in old.namelist()}
    contents |= {"[Content_Types].xml": types, "word/_rels/document.xml.rels": parts, "word/endnotes.xml": endnotes}
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    assert kinds(read(out.getvalue())) == [
        ("paragraph", "[1] As the chart of 1840 has it."),
        ("paragraph", "[2] As the chart of 1840 has it."),
        ("paragraph", "So it was. [3]"),
        ("paragraph", "[3] Told by her."),
    ]
