"""Everything bad at once: a build names what it cannot use, and uses the rest."""

import gzip
import io
import json
import zipfile

import pytest

from golongrl.core.store import read_jsonl
from golongrl.pipeline.dataset.build import build
from golongrl.pipeline.dataset.settings import BuildConfig

PLACES = {"bridge": "north", "chapel": "east", "mill": "south", "tower": "west"}
GOOD = "".join(
    f"## Part {number}: the {place}\n\nThe {place} was built by {number + 3} masons who came from the {side} side of "
    f"the river. Nobody remembers why they stopped {'working ' * number}before the winter of that year.\n\n"
    for number, (place, side) in enumerate(PLACES.items())
)
FRENCH = (
    "Le vieux moulin se trouve au bord de la rivière, et personne dans le village ne se souvient de son nom. " * 9
)


def zipped(members, comment=b""):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.comment = comment
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def encrypted(data):
    """The same archive with the flag of encryption set on every member."""
    marked = bytearray(data)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = marked.find(mark)
        while at >= 0:
            marked[at + offset] |= 1
            at = marked.find(mark, at + 4)
    return bytes(marked)


WORD = {"[Content_Types].xml": "<Types/>", "word/document.xml": "<w/>"}
BAD = {
    "bomb.zip": (zipped({"a.txt": "0" * 60_000_000}), "bomb.zip!a.txt", "57.2 MB, above"),
    "locked.zip": (encrypted(zipped({"a.txt": GOOD})), "locked.zip!a.txt", "encrypted"),
    "outside.zip": (zipped({"../../a.txt": GOOD}), "outside.zip!../../a.txt", "leads out of the archive"),
    "macros.docx": (zipped({**WORD, "word/vbaProject.bin": "x"}), "macros.docx", "macro"),
    "bomb.docx": (zipped({**WORD, "word/media/a.xml": "0" * 60_000_000}), "bomb.docx", "zip bomb"),
    "cut.pdf": (b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog", "cut.pdf", "truncated"),
    "cut.txt.gz": (gzip.compress(GOOD.encode())[:-20], "cut.txt.gz", "corrupt"),
    "mixed.txt": ("Café au lait. ".encode() * 9 + "Das war früher groß. ".encode("utf-16"), "mixed.txt", "NUL"),
    "nul.txt": (GOOD.encode() + b"\x00" * 40, "nul.txt", "NUL"),
    "ragged.csv": (b"a,b\n1,2\n3\n4,5,6\n", "ragged.csv", "row 3 has 1 fields"),
    "long.jsonl": (json.dumps({"text": "x" * 3_000_000}).encode() + b"\n", "long.jsonl#1", "max_document_mb"),
    "moulin.txt": (FRENCH.encode(), "moulin.txt", "language fr"),
    "binary.md": (bytes(range(256)) * 9, "binary.md", "binary"),
    "empty.zip": (zipped({}), "empty.zip", "holds no file"),
    "many.zip": (zipped({f"{n}.txt": "0" * 1_900_000 for n in range(40)}), "many.zip", "times its size"),
    "damaged.xlsx": (zipped({"xl/workbook.xml": "<", "[Content_Types].xml": "<"}), "damaged.xlsx", ""),
    "damaged.epub": (zipped({"META-INF/container.xml": "<x/>"})[:-9] + b"\xff" * 9, "damaged.epub", ""),
    "damaged.parquet": (b"PAR1" + b"\xff" * 60 + b"PAR1", "damaged.parquet", ""),
    "surrogate.jsonl": (b'{"\\ud800": 1, "b": 2}\n', "surrogate.jsonl#1", "no text"),
    "empty.html": (b"<html><script>alert(1)</script></html>", "empty.html", "no text"),
}


@pytest.fixture(scope="module")
def rejects(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    docs = folder / "docs"
    docs.mkdir()
    (docs / "good.md").write_text(GOOD)
    (docs / "page.html").write_text(
        "<html><head><script>document.write('stolen')</script><style>p{}</style></head><body onload='go()'>"
        + "".join(f"<h2>Room {n}</h2><p>In room {n} stands a loom with {n + 4} shuttles.</p>" for n in range(5))
        + "<script>alert('again')</script></body></html>"
    )
    for name, (data, _, _) in BAD.items():
        (docs / name).write_bytes(data)
    config = BuildConfig(
        sources=(str(docs),), target=4, capabilities=("T1", "T3"), length_bins=(512,), max_document_mb=2, val_share=0
    )
    result = build(config, folder / "out")
    assert result.facts["collect"]["documents"] == 2
    assert sum(result.facts["records"]["splits"].values()) == 4
    text = (folder / "out" / "documents.jsonl").read_text()
    assert "stolen" not in text
    assert "again" not in text
    return {row["source"]: row["reason"] for _, row in read_jsonl(folder / "out" / "rejects.jsonl")}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named_with_its_reason(rejects, name):
    _, source, words = BAD[name]
    assert words in rejects[source]
