"""Readers: what a file's bytes become, and what is refused."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.core.documents import DocumentBuilder
from golongrl.pipeline.dataset.readers import Refusal
from golongrl.pipeline.dataset.reading import parts, read_part
from golongrl.pipeline.dataset.sources import find_files


def gather(*sources, limit=40.0, column=None):
    """(documents, refusals) of the sources."""
    files, refused = find_files([str(s) for s in sources], limit)
    found = [
        o for part in parts(files, 1_000_000) for o in read_part(part, text_column=column, max_document_mb=limit)
    ]
    documents = [outcome for outcome in found if not isinstance(outcome, Refusal)]
    return documents, [*refused, *(outcome for outcome in found if isinstance(outcome, Refusal))]


def parse(tmp_path, name, text, **options):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return gather(path, **options)[0][0]


def kinds(document):
    return [(b.kind, document.slice(b.content)) for b in document.blocks if b.kind != "table"]


def test_markdown_blocks_and_offsets(tmp_path):
    text = (
        "---\ntitle: x\n---\n# The *Guide*\n\nOne\nline.\n\n- first\n- second `code`\n  - inner\n\n"
        "| name | size |\n|---|---|\n| ant | 3 |\n| bee | 4 |\n\n```\nkeep  this\n```\n<!-- gone -->\n"
    )
    document = parse(tmp_path, "a.md", text)
    assert document.title == "The Guide"
    assert kinds(document) == [
        ("heading", "The Guide"),
        ("paragraph", "One line."),
        ("item", "first"),
        ("item", "second code"),
        ("item", "inner"),
        ("code", "keep  this"),
    ]
    table = next(b.table for b in document.blocks if b.table)
    assert table.columns == ("name", "size")
    assert table.regular
    assert [[document.slice(s) for s in row.cell_spans] for row in table.rows] == [["ant", "3"], ["bee", "4"]]
    assert document.text.startswith(
        "# The Guide\n\nOne line.\n\n- first\n- second code\n- inner\n\n| name | size |\n"
    )


def test_a_late_level_one_heading_is_no_title(tmp_path):
    document = parse(tmp_path, "tool.md", "a\n\nb\n\nc\n\nd\n\n# Changelog\n\ntext\n")
    assert document.title == "tool"


def test_rst_reads_nothing_from_disk(tmp_path):
    (tmp_path / "secret.txt").write_text("the secret")
    text = (
        "Title\n=====\n\n.. include:: secret.txt\n\n.. raw:: html\n   :file: secret.txt\n\nSee :ref:`there`.\n\n"
        "Part\n----\n\n* one\n* two\n\n::\n\n  x = 1\n"
    )
    document = parse(tmp_path, "a.rst", text)
    assert "secret" not in document.text
    assert kinds(document)[0] == ("heading", "Title")
    assert ("item", "two") in kinds(document)
    assert ("code", "x = 1") in kinds(document)


def test_plain_text_headings_lists_and_wrapping(tmp_path):
    text = "Intro\n=====\n\nA line that is\nbroken by hand.\n\n* one\n  more\n* two\n\nChapter 3\n\nThe end.\n"
    document = parse(tmp_path, "a.txt", text)
    assert kinds(document) == [
        ("heading", "Intro"),
        ("paragraph", "A line that is broken by hand."),
        ("item", "one more"),
        ("item", "two"),
        ("heading", "Chapter 3"),
        ("paragraph", "The end."),
    ]


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("She met her father-in-\nlaw.", "She met her father-in-law."),
        ("The pre-\nand postwar years.", "The pre- and postwar years."),
        ("It was he -\nand no other.", "It was he - and no other."),
        (
            "这是一本关于\n软件的手册，介绍 Debian\nreference 一书。",
            "这是一本关于软件的手册，介绍 Debian reference 一书。",
        ),
    ],
)
def test_lines_broken_by_hand_are_joined(tmp_path, text, joined):
    assert kinds(parse(tmp_path, "a.txt", text)) == [("paragraph", joined)]


def test_plain_chinese_lines_are_paragraphs(tmp_path):
    line = "却说曹操引兵追赶，" * 20 + "不在话下。"
    document = parse(
        tmp_path, "三国.txt", f"第一回 宴桃园豪杰三结义\n{line}\n{line[9:]}\n{line[18:]}\n".encode("gb18030")
    )
    assert document.language == "zh"
    assert [kind for kind, _ in kinds(document)] == ["heading", "paragraph", "paragraph", "paragraph"]


def test_bad_files_are_refused_with_a_reason(tmp_path):
    (tmp_path / "good.txt").write_text("Some text.")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "binary.md").write_bytes(b"\x00\x01\x02" * 50)
    (tmp_path / "broken.csv").write_text("a,b\n1,2\n3\n")
    (tmp_path / "quote.csv").write_text('a,b\n"1,2\n')
    (tmp_path / "paper.pdf").write_bytes(b"%PDF")
    (tmp_path / "large.txt").write_text("x" * 20_000)
    (tmp_path / "blank.md").write_text("\n\n")
    documents, refused = gather(tmp_path, limit=0.01)
    assert [d.source for d in documents] == ["good.txt"]
    reasons = {r.source: r.reason for r in refused}
    expected = {
        "empty.txt": "0 bytes",
        "binary.md": "binary",
        "broken.csv": "row 3 has 1 fields",
        "quote.csv": "unexpected end of data",
        "paper.pdf": "no PDF",
        "large.txt": "above max_document_mb",
        "blank.md": "no text",
    }
    assert set(reasons) == set(expected)
    for name, words in expected.items():
        assert words in reasons[name]


def test_odd_characters_and_odd_files_do_no_harm(tmp_path):
    row = {"title": "t" * 500, "text": "A \ud800 lone\x05 surrogate.", "licence": "\ud800"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n" + '{"text": ' + "9" * 5000 + "}\n")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere")
    documents, refused = gather(tmp_path)
    assert documents[0].text == "A lone surrogate."
    assert len(documents[0].title) == 200
    assert documents[0].licence == "unknown"
    reasons = {r.source: r.reason for r in refused}
    assert set(reasons) == {"a.jsonl#2", "pipe.txt", "gone.md"}
    assert reasons["pipe.txt"] == "not a plain file"


LINE = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)


@given(
    st.lists(st.tuples(st.sampled_from(["heading", "paragraph", "item", "code", "turn", "table"]), LINE), max_size=8)
)
def test_every_span_of_a_built_document_holds_what_was_added(parts):
    builder, said = DocumentBuilder(), []
    for kind, text in parts:
        before = len(builder)
        if kind == "heading":
            builder.heading(text, 2)
        elif kind == "item":
            builder.item(text, 1)
        elif kind == "turn":
            builder.turn("Ann", text)
        elif kind == "table":
            builder.table(["a", "b"], [[text, "1"], ["", ""], ["x", text]])
        elif kind == "code":
            builder.code(text)
        else:
            builder.paragraph(text)
        if len(builder) > before:
            said.append((kind, text))
    document = builder.build(source="s")
    end = 0
    for block, (kind, text) in zip(document.blocks, said, strict=True):
        assert end <= block.span.start <= block.content.start <= block.content.end <= block.span.end
        end = block.span.end
        if kind in ("heading", "paragraph", "item", "turn"):
            assert document.slice(block.content) == " ".join(text.split())
        if block.table:
            for row in block.table.rows:
                assert [document.slice(span) for span in row.cell_spans] == list(row.cells)
    assert end == len(document.text)
