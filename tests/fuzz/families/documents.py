"""Documents of every suffix and archives of them: bytes become documents, or are refused by name."""

import csv
import io
import json
import zipfile

from families import scratch
from golongrl.core.documents import Document
from golongrl.core.errors import GolongrlError
from golongrl.core.tokens import load
from golongrl.pipeline.dataset import licences, near_duplicates
from golongrl.pipeline.dataset.collect import filtered
from golongrl.pipeline.dataset.readers import Refusal
from golongrl.pipeline.dataset.reading import parts, read_part
from golongrl.pipeline.dataset.sources import find_files

LIMIT_MB = 1.0
_SETTINGS = {"min_tokens": 1, "licences": []}
_TOKENIZER = load("approx")
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
_OPF = (
    '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<dc:title>A book</dc:title></metadata><manifest>"
    '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest>'
    '<spine><itemref idref="a"/></spine></package>'
)
_XHTML = "<html><body><h1>One</h1><p>Said <b>he</b>: &amp; &#x41; &nbsp;</p><ul><li>a<li>b</ul></body></html>"
_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/{0}" '
    'ContentType="application/vnd.openxmlformats-officedocument.{1}.main+xml"/></Types>'
)
_RELS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{1}" Target="{0}"/></Relationships>'
)
PACKAGES: dict[str, dict[str, str]] = {
    ".docx": {
        "word/document.xml": f'<w:document {_W}><w:body><w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>'
        "Title</w:t></w:r></w:p><w:p><w:r><w:t>Some text.</w:t><w:br/></w:r></w:p><w:tbl><w:tr><w:tc><w:tcPr>"
        '<w:gridSpan w:val="2"/></w:tcPr><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r>'
        "</w:p></w:tc></w:tr><w:tr><w:tc><w:p/></w:tc><w:tc><w:p/></w:tc></w:tr></w:tbl></w:body></w:document>",
        "[Content_Types].xml": _TYPES.format("word/document.xml", "wordprocessingml.document"),
        "_rels/.rels": _RELS.format("word/document.xml", "officeDocument"),
    },
    ".xlsx": {
        "xl/worksheets/sheet1.xml": '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        '<dimension ref="A1:B3"/><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>name</t></is></c><c r="B1" '
        't="inlineStr"><is><t>n</t></is></c></row><row r="2"><c r="A2" t="inlineStr"><is><t>ant</t></is></c>'
        '<c r="B2"><v>1.5</v></c></row><row r="3"><c r="A3" t="b"><v>1</v></c><c r="B3" t="e"><v>#N/A</v></c></row>'
        "</sheetData></worksheet>",
        "[Content_Types].xml": _TYPES.format("xl/workbook.xml", "spreadsheetml.sheet"),
        "_rels/.rels": _RELS.format("xl/workbook.xml", "officeDocument"),
        "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r='
        '"http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="S" sheetId="1" '
        'r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": _RELS.format("worksheets/sheet1.xml", "worksheet"),
    },
    ".epub": {
        "a.xhtml": _XHTML,
        "book.opf": _OPF,
        "META-INF/container.xml": _CONTAINER,
    },
}
"""The members of small packages; the first one is damaged most."""


def package(suffix: str, **members: bytes) -> bytes:
    """A package in which some members are others."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in PACKAGES[suffix].items():
            archive.writestr(name, members.get(name, text.encode()))
    return stream.getvalue()


def _pdf() -> bytes:
    content = b"BT /F1 12 Tf 72 700 Td (A heading) Tj 0 -20 Td (Some text of a page.) Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body = b"%PDF-1.4\n" + b"".join(b"%d 0 obj%sendobj\n" % (n, one) for n, one in enumerate(objects, 1))
    return body + b"trailer<</Root 1 0 R/Size 6>>\n%%EOF\n"


def _csv() -> bytes:
    stream = io.StringIO()
    csv.writer(stream).writerows([["name", "weight, kg"], ["ant", "1"], ['a "bee"', "2.5"], ["x\ny", ""]])
    return stream.getvalue().encode()


_ROW = {"title": "T", "text": "Some text.", "dialogue": [{"speaker": "Ann", "text": "Hi."}], "license": "MIT"}
_TEXT = "# Title\n\nSome *text* with `code`.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\nx = 1\n```\n"
_LATEX = (
    "\\documentclass{article}\\newcommand{\\x}[2][a]{#1 and #2}\\begin{document}\\section{One}\\x{b} $a^2$ % no\n"
    "\\begin{itemize}\\item a\\item b\\end{itemize}\\begin{tabular}{ll}a&b\\\\\\multicolumn{2}{l}{c}\\end{tabular}"
    "\\ifx\\a\\b c\\else d\\fi \\verb|x| \\input{y}\\end{document}"
)
_RST = (
    "Title\n=====\n\nText with ``code``.\n\n* one\n* two\n\n"
    ".. table::\n\n   == ==\n   a  b\n   == ==\n   1  2\n   == ==\n"
)
_HTML = f'<!DOCTYPE html><meta charset="gb2312"><title>T</title><table><tr><th colspan=2>a<td>b</table>{_XHTML}<!--'
TEXTS = {
    ".txt": f"CHAPTER I\n\n{_TEXT}\nAnn: Hello.\nBen: Bye.\n\n  1. one\n  2. two\n",
    ".md": _TEXT,
    ".rst": _RST,
    ".html": _HTML,
    ".tex": _LATEX,
    ".json": json.dumps({"data": [_ROW, _ROW]}),
    ".jsonl": f"{json.dumps(_ROW)}\n{json.dumps({'table': {'header': ['a'], 'rows': [['1']]}})}\n",
}
READ_BY = {
    "all of it": [
        *(f"{suffix}\n{text}".encode() for suffix, text in TEXTS.items()),
        b".txt\n" + "第一章\n\n渡船于1931年建成。\n".encode("gb18030"),
        b".csv\n" + _csv(),
        b".tsv\n" + _csv().replace(b",", b"\t"),
        b".pdf\n" + _pdf(),
        *(b"%s\n%s" % (suffix.encode(), package(suffix)) for suffix in PACKAGES),
        *(f"{suffix} {name}\n{text}".encode() for suffix, parts in PACKAGES.items() for name, text in parts.items()),
    ]
}


def check(data: bytes) -> set[str]:
    """A suffix in the first line, and for a package perhaps the member that the rest is; all of it is read."""
    head, _, content = data.partition(b"\n")
    suffix, _, member = head.decode("utf-8", "replace").partition(" ")
    if suffix in PACKAGES and member in PACKAGES[suffix]:
        content = package(suffix, **{member: content})
    elif not suffix.startswith(".") or not suffix[1:].isalnum() or len(suffix) > 9:
        suffix = ".txt"
    return read(f"document{suffix}", content)


def read(name: str, content: bytes) -> set[str]:
    """Everything that a build makes of a file before it asks questions about it.

    Read by "all of it", or by "documents" where a part was refused.
    """
    try:
        files, refused = find_files([str(scratch.file(name, content))], LIMIT_MB)
    except GolongrlError as error:
        # An archive's own table of licences may be broken.
        if licences.FILE not in str(error):
            raise
        return set()
    outcomes = [one for part in parts(files, 1 << 12) for one in read_part(part, text_column=None, max_document_mb=1)]
    refused += [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
    for refusal in refused:
        assert refusal.reason
    documents = [outcome for outcome in outcomes if not isinstance(outcome, Refusal)]
    for found in documents:
        assert isinstance(found, Document)
        found.text.encode()
        document = filtered(found, _SETTINGS, _TOKENIZER).document
        near_duplicates.signature(document.text, document.language)
    return {"documents" if refused else "all of it"} if documents else set()
