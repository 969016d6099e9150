"""Files of rows: streaming, splitting, the shapes that rows come in, and the rows that are refused."""

import contextlib
import json
import sys
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.core.documents import Document
from golongrl.pipeline.dataset.readers import Origin, Refusal, RefusedError, parquet, rows, shapes
from golongrl.pipeline.dataset.reading import read_part, split_rows
from golongrl.pipeline.dataset.source_file import Part, SourceFile

ORIGIN = Origin("a.jsonl", "a", ".jsonl", "CC0")


def source(path, name=None, start=0, size=None):
    return SourceFile(
        str(path),
        name or path.name,
        "CC0",
        "",
        path.stat().st_size if size is None else size,
        path.stem,
        path.suffix,
        start,
    )


def outcomes(path, target=None, column=None, limit=40.0):
    file = source(path)
    found = []
    for part in [Part((file,))] if target is None else split_rows(file, target):
        found += read_part(part, text_column=column, max_document_mb=limit)
    return found


def documents(path, **options):
    return [found for found in outcomes(path, **options) if isinstance(found, Document)]


def refusals(path, **options):
    return {found.source: found.reason for found in outcomes(path, **options) if not isinstance(found, Document)}


def shaped(row, column=None):
    return shapes.document(row, "a.jsonl#1", 1, Origin("a.jsonl", "a", ".jsonl", "CC0", column))


def blocks(document):
    return [(b.kind, b.speaker, document.slice(b.content)) for b in document.blocks if b.table is None]


def test_bad_lines_are_refused_alone(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"title": "One", "text": "Some text here."}\r\n'
        b"not json\n"
        b"[1]\n"
        b"\n"
        b'{"text": "NUL \x00 byte"}\n'
        b'{"text": "\xff\xfe"}\n'
        b'{"x": 1, "y": 2}\n'
        b'{"text": ""}\n' + b"[" * 100_000 + b"\n" + b'{"text": "The last has no newline."}'
    )
    assert [(d.source, d.title) for d in documents(path)] == [("a.jsonl#1", "One"), ("a.jsonl#10", "a 10")]
    reasons = refusals(path)
    expected = {
        2: "not JSON",
        3: "a JSON list",
        5: "NUL",
        6: "not UTF-8",
        7: "its columns: x, y",
        8: "no text",
        9: "deeply",
    }
    assert set(reasons) == {f"a.jsonl#{number}" for number in expected}
    for number, words in expected.items():
        assert words in reasons[f"a.jsonl#{number}"]


def test_a_long_line_is_refused_without_being_held(tmp_path):
    path = tmp_path / "a.jsonl"
    with open(path, "wb") as handle:
        handle.write(b'{"text": "first"}\n{"text": "')
        for _ in range(30):
            handle.write(b"x" * 1024**2)
        handle.write(b'"}\n{"text": "last"}\n')
    tracemalloc.start()
    found = outcomes(path, limit=1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 1024**2
    assert [f.source for f in found] == ["a.jsonl#1", "a.jsonl#2", "a.jsonl#3"]
    assert found[1].reason.startswith("line 2 has 30.0 MB, above max_document_mb = 1")
    assert [d.text for d in found[::2]] == ["first", "last"]


LINE = st.one_of(
    st.just(b""),
    st.just(b"not json"),
    st.text(max_size=40).map(
        lambda text: json.dumps({"text": text or "x"}, ensure_ascii=False).encode("utf-8", "replace")
    ),
)


@given(st.lists(LINE, max_size=25), st.integers(1, 200), st.booleans())
def test_line_numbers_do_not_depend_on_the_split(tmp_path_factory, lines, target, closed):
    path = tmp_path_factory.getbasetemp() / "split.jsonl"
    path.write_bytes(b"\n".join(lines) + (b"\n" if closed else b""))
    whole = outcomes(path)
    assert outcomes(path, target=target) == whole
    parts = split_rows(source(path), target)
    assert parts[0].start == 0
    # A file of blank lines is one part, which says so.
    assert parts[-1].end == (path.stat().st_size if path.read_bytes().strip() else -1)
    assert [a.end for a in parts[:-1]] == [b.start for b in parts[1:]]
    assert all(len(path.read_bytes()[p.start : p.end].splitlines()) or p is parts[-1] for p in parts)


def test_a_large_file_is_split_at_lines_whatever_the_block(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "BLOCK", 50)
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": f"row {n} " + "x" * (n % 90)}) + "\n" for n in range(300)))
    parts = split_rows(source(path), 1000)
    assert all(1000 <= part.end - part.start < 1130 for part in parts[:-1])
    assert [d.source for d in documents(path, target=1000)] == [f"a.jsonl#{n}" for n in range(1, 301)]


def test_rows_inside_a_region_of_another_file(tmp_path):
    path = tmp_path / "store"
    inside = b'{"text": "one"}\n{"text": "two"}\n'
    path.write_bytes(b"before\n" + inside + b'{"text": "not mine"}\n')
    file = SourceFile(str(path), "z.zip!a.jsonl", "u", "", len(inside), "a", ".jsonl", 7)
    for parts in ([Part((file,))], split_rows(file, 5)):
        found = [d for part in parts for d in read_part(part, text_column=None, max_document_mb=1)]
        assert [(d.source, d.text) for d in found] == [("z.zip!a.jsonl#1", "one"), ("z.zip!a.jsonl#2", "two")]


def test_utf16_lines_are_refused_with_advice(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"text": "x"}\n'.encode("utf-16"))
    assert "convert" in refusals(path)["a.jsonl"]


TURNS = [{"speaker": "Ann", "content": "Hello there."}, {"speaker": "Bo", "content": "Hi."}]
SAID = [("turn", "Ann", "Hello there."), ("turn", "Bo", "Hi.")]


@pytest.mark.parametrize(
    "row",
    [
        {"turns": TURNS},
        {"meeting_transcripts": TURNS, "general_query_list": [{"query": "q", "answer": "a"}]},
        {"question": [[TURNS[0]], [TURNS[1]]], "topic": "Greetings"},
        {"anything": [{"role": turn["speaker"], "content": turn["content"]} for turn in TURNS]},
        {"prompt": json.dumps([{"role": turn["speaker"], "content": turn["content"]} for turn in TURNS])},
        {"conversations": [{"from": turn["speaker"], "value": turn["content"]} for turn in TURNS], "text": "no"},
    ],
)
def test_dialogues(row):
    assert blocks(shaped(row)) == SAID


def test_sessions_have_their_dates_as_headings():
    document = shaped({"haystack_dates": ["May 1", "May 2"], "haystack_sessions": [TURNS, TURNS[:1]]})
    assert blocks(document) == [("heading", "", "May 1"), *SAID, ("heading", "", "May 2"), SAID[0]]


def test_one_turn_is_no_dialogue():
    with pytest.raises(RefusedError, match="its columns: id, question"):
        shaped({"id": 1, "question": [[{"role": "user", "content": "What is my name?"}]]})


@pytest.mark.parametrize(
    "context",
    [
        [["Ants", ["Ants are small.", " They work."]], ["Bees", ["Bees fly."]]],
        {"title": ["Ants", "Bees"], "sentences": [["Ants are small.", " They work."], ["Bees fly."]]},
        [{"title": "Ants", "text": "Ants are small. They work."}, {"title": "Bees", "text": "Bees fly."}],
    ],
)
def test_titled_passages_are_sections_of_one_document(context):
    assert blocks(shaped({"question": "q", "context": context})) == [
        ("heading", "", "Ants"),
        ("paragraph", "", "Ants are small. They work."),
        ("heading", "", "Bees"),
        ("paragraph", "", "Bees fly."),
    ]


def test_numbered_passages_in_one_text_are_sections():
    document = shaped({"context": "段落1：蚂蚁很小。\n段落2：蜜蜂会飞。", "input": "哪一段？"})
    assert blocks(document) == [
        ("heading", "", "段落1"),
        ("paragraph", "", "蚂蚁很小。"),
        ("heading", "", "段落2"),
        ("paragraph", "", "蜜蜂会飞。"),
    ]
    news = shaped({"context": "Passage 1:\nOne. NEWLINE_CHAR NEWLINE_CHAR Two.\nPassage 2:\nThree."})
    assert [text for _, _, text in blocks(news)] == ["Passage 1", "One.", "Two.", "Passage 2", "Three."]
    assert blocks(shaped({"text": "Document 2: the second alone."}))[0][0] == "paragraph"


def test_a_table_with_paragraphs_beside_it():
    row = {
        "table": {
            "uid": "t",
            "table": [["", "Years ended", ""], ["", "2019", "2018"], ["Sales", "$1", "2"], ["Cost", "3", "4"]],
        },
        "paragraphs": [{"uid": "b", "order": 2, "text": "Second."}, {"uid": "a", "order": 1, "text": "First."}],
        "questions": [{"question": "q"}],
    }
    document = shaped(row)
    table = document.blocks[0].table
    assert table.columns == ("Name", "Years ended 2019", "Years ended 2018")
    assert table.regular
    assert [r.cells for r in table.rows] == [("Sales", "$1", "2"), ("Cost", "3", "4")]
    assert blocks(document) == [("paragraph", "", "First."), ("paragraph", "", "Second.")]
    wiki = shaped({"table": {"header": ["Year", "City"], "rows": [["1900", "Paris"], [1904, None]]}})
    assert [r.cells for r in wiki.blocks[0].table.rows] == [("1900", "Paris"), ("1904", "")]


def test_metadata_columns():
    document = shaped(
        {"title": "Ants", "license": "MIT", "language": "zh-CN", "abstract": "About ants.", "text": "Ants are small."}
    )
    assert (document.title, document.licence, document.language) == ("Ants", "MIT", "zh")
    assert document.text == "## Abstract\n\nAbout ants.\n\nAnts are small."
    assert shaped({"source": "wiki", "text": "x y"}).title == "wiki 1"
    assert shaped({"source": "https://x.org/1", "text": "x y"}).title == "a 1"
    assert shaped({"text": "x y"}).licence == "CC0"
    assert shaped({"abstract": "Same.", "text": "Same. And more."}).text == "Same. And more."


def test_text_columns():
    long = "A long text. " * 100
    assert shaped({"input": long, "qa_pairs": "q"}).text == long.strip()
    assert shaped({"input": "a question", "context": "the text"}).text == "the text"
    assert shaped({"document": {"text": "inner"}}).text == "inner"
    assert shaped({"article": ["one", "two"]}).text == "one\n\ntwo"
    assert shaped({"text": "no", "own": "yes"}, column="own").text == "yes"
    assert shaped({"pred": "no", "own": "yes"}, column="own").text == "yes"
    with pytest.raises(RefusedError, match=r"no text in column 'other' \(text_column\); its columns: text"):
        shaped({"text": "no"}, column="other")


@pytest.mark.parametrize("key", ["pred", "prediction", "model_response", "hypothesis", "llm_output"])
def test_predictions_are_no_documents(key):
    with pytest.raises(RefusedError, match=f"a model's answer \\(column {key}\\).*its columns: {key}, context"):
        shaped({key: "B", "context": "cut off"})


def test_odd_characters(tmp_path):
    path = tmp_path / "a.jsonl"
    row = {"title": "t" * 500, "text": "A \ud800 lone\x05 surrogate.", "licence": "\ud800"}
    path.write_text(json.dumps(row) + "\n" + '{"text": ' + "9" * 5000 + "}\n")
    (document,) = documents(path)
    assert document.text == "A lone surrogate."
    assert len(document.title) == 200
    assert document.licence == "unknown"
    assert list(refusals(path)) == ["a.jsonl#2"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('[{"text": "one"}, {"text": "two"}]', ["a.json#1", "a.json#2"]),
        ('\ufeff [ {"text": "one"},\n{"x": 1}\n]\n', ["a.json#1"]),
        ('{"version": 1, "data": [{"title": "T", "paragraphs": [{"context": "one", "qas": []}]}]}', ["a.json#1"]),
        ('{"name": "n", "rows_here": [{"text": "one"}], "more": [1]}', ["a.json#1"]),
        ('{"first": {"text": "one"}, "second": {"text": "two"}}', ["a.json#1", "a.json#2"]),
        ('{"title": "T", "text": "one"}', ["a.json"]),
        ('{\n "title": "T",\n "text": "one"\n}', ["a.json"]),
        ('{"text": "one"}\n{"text": "two"}\n', ["a.json#1", "a.json#2"]),
    ],
)
def test_json_files(tmp_path, text, names):
    path = tmp_path / "a.json"
    path.write_text(text)
    found = documents(path)
    assert [d.source for d in found] == names
    assert found[0].text == "one"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"text": "one"}, {"text": ', "row 2 is not JSON"),
        ('[{"text": "one"},', "does not end"),
        ('{"text": ', "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"scores": 1, "mean": 2}', "its columns: scores, mean"),
    ],
)
def test_broken_json_files(tmp_path, text, words):
    path = tmp_path / "a.json"
    path.write_text(text)
    assert words in refusals(path)["a.json"]


def test_a_json_list_is_read_as_a_stream(tmp_path):
    path = tmp_path / "a.json"
    # Long rows without a text column, so that memory goes into reading alone.
    long = "长" * 40_000
    path.write_text(
        json.dumps([{"text": f"row {n}"} if n % 9 == 0 else {"x": long} for n in range(100)], ensure_ascii=False)
    )
    assert path.stat().st_size > 10_000_000
    tracemalloc.start()
    found = outcomes(path, limit=0.2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * 1024**2
    assert [f.source for f in found] == [f"a.json#{n}" for n in range(1, 101)]
    assert [f.text for f in found if isinstance(f, Document)] == [f"row {n}" for n in range(0, 100, 9)]
    reasons = refusals(path, limit=0.1)
    assert reasons["a.json#2"] == "row 2 has 0.1 MB, above max_document_mb = 0.1; split it, or raise the limit"
    path.write_text(json.dumps([{"text": "x"}, {"text": "y" * 3_000_000}]))
    assert "larger than max_document_mb = 0.5" in refusals(path, limit=0.5)["a.json"]
    assert len(documents(path, limit=0.5)) == 1


def test_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "title": [f"T{n}" for n in range(10)],
            "text": [None if n == 3 else f"Text {n}." for n in range(10)],
            "image": [{"bytes": b"x" * 100}] * 10,
        }
    )
    pq.write_table(table, path, row_group_size=4)
    found = documents(path)
    assert [d.source for d in found] == [f"a.parquet#{n}" for n in range(1, 11) if n != 4]
    assert found[0].text == "Text 0."
    assert refusals(path)["a.parquet#4"].endswith("its columns: title, text; set text_column")
    parts = split_rows(source(path), 1)
    assert [(p.start, p.end, p.row) for p in parts] == [(0, 1, 1), (1, 2, 5), (2, 3, 9)]
    assert outcomes(path, target=1) == outcomes(path)
    dialogue = tmp_path / "d.parquet"
    pq.write_table(pa.table({"turns": [TURNS]}), dialogue)
    assert blocks(documents(dialogue)[0]) == SAID


def test_parquet_limits_and_damage(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["short", "long " * 300_000]}), path)
    assert list(refusals(path, limit=1.0)) == ["a.parquet#2"]
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert "parquet" in refusals(path)["a.parquet"]
    assert split_rows(source(path), 10) == [Part((source(path),))]
    path.write_bytes(b"PAR1")
    with contextlib.suppress(KeyError):
        assert "parquet" in refusals(path)["a.parquet"]


CALL = {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"at": "bay"}'}}


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        (
            [
                {"role": "user", "content": "Boats?"},
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "content": "three"},
            ],
            ["user: Boats?", 'assistant: look({"at": "bay"})', "tool: three"],
        ),
        (
            [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "See:"}, {"type": "image_url", "image_url": {}}],
                },
                {
                    "role": "assistant",
                    "content": [
                        {"type": "text", "text": "I look."},
                        {"type": "tool_use", "name": "look", "input": {"at": "海"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "content": [{"type": "text", "text": "three"}]}],
                },
            ],
            ["user: See:", 'assistant: I look. look({"at": "海"})', "user: three"],
        ),
        (
            [
                {"role": "system", "content": ""},
                {"role": "user", "content": "Boats?"},
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [],
                    "function_call": {"name": "look", "arguments": "{}"},
                },
            ],
            ["user: Boats?", "assistant: look({})"],
        ),
    ],
)
def test_tool_calls_parts_and_empty_turns(turns, said):
    assert shaped({"messages": turns}).text.split("\n\n") == said


@pytest.mark.parametrize(
    "turns",
    [
        [{"role": "user"}, {"role": "assistant"}],
        [{"role": "user", "content": 3}, {"role": "assistant", "content": {}}],
        [{"role": "user", "content": None, "tool_calls": 5}, {"role": "a", "tool_calls": [5, {"function": 7}]}],
    ],
)
def test_turns_that_say_nothing_are_no_dialogue(turns):
    with pytest.raises(RefusedError, match="row 1 has no text"):
        shaped({"messages": turns})


def test_a_row_that_is_nested_too_deeply_is_refused_in_every_kind_of_file():
    deep = "x"
    for _ in range(sys.getrecursionlimit()):
        deep = [deep]
    row = {"messages": [{"role": "user", "content": deep}]}
    assert shapes.outcome(row, 7, ORIGIN) == Refusal("a.jsonl#7", "row 7 is nested too deeply to read; flatten it")


@pytest.mark.parametrize(("name", "data"), [("a.jsonl", b"\n \n"), ("a.json", b"[]"), ("a.parquet", None)])
def test_a_file_without_rows_is_named(tmp_path, name, data):
    path = tmp_path / name
    if data is None:
        pq.write_table(pa.table({"text": pa.array([], pa.string())}), path)
    else:
        path.write_bytes(data)
    assert [(r.source, r.reason) for r in outcomes(path)] == [(name, "it holds no rows")]


def test_parquet_texts_that_are_not_marked_as_texts(tmp_path):
    path = tmp_path / "a.parquet"
    table = {"text": pa.array([b"plain", b"\xff\xfe"]), "page": pa.array([b"asked for", b"too"])}
    pq.write_table(pa.table(table), path)
    first, second = outcomes(path)
    assert first.text == "plain"
    assert second.reason.startswith("row 2 has no text")
    assert [d.text for d in documents(path, column="page")] == ["asked for", "too"]


def test_long_parquet_rows_are_held_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "BATCH_BYTES", 3_000)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"{n} " + "x" * 1000 for n in range(20)]}), path, use_dictionary=False)
    groups = [parquet.opened_file(str(path)).metadata.row_group(0)]
    assert parquet._batch_rows(groups) == 2
    assert [d.text[:2].strip() for d in documents(path)] == [str(n) for n in range(20)]
