import json
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core.errors import DataError
from golongrl.core.records import (
    GroundTruth,
    Record,
    Score,
    existing_file,
    parse_record,
    read_record_rows,
    read_records,
    write_parquet,
)


def row(ground_truth, **changes):
    """A row of the disk schema."""
    return {
        "data_source": "EM",
        "prompt": [{"role": "user", "content": "Where?"}],
        "ability": "precise long-range information retrieval",
        "reward_model": {"style": "rule", "ground_truth": ground_truth},
        "extra_info": {"index": 0, "reward_mode": "EM", "question": "Where?"},
        **changes,
    }


def gold(ground_truth) -> GroundTruth:
    return parse_record(row(ground_truth)).gold


# --- the published forms of the ground truth ---

FULL = {"golden_label": "Paris", "doc_ids": ["a", "b"], "summary": "English"}


@pytest.mark.parametrize(
    "form",
    [
        FULL,
        [FULL],
        [{"golden_label": "Rome"}, FULL],
        json.dumps(FULL),
        json.dumps([{"golden_label": "Rome"}, FULL]),
        [json.dumps(FULL)],
        "\n" + json.dumps(FULL, indent=1),
    ],
)
def test_every_wrapping_of_a_ground_truth_is_the_same_ground_truth(form):
    assert gold(form) == GroundTruth(golden_label="Paris", doc_ids=["a", "b"], summary="English")


@pytest.mark.parametrize(
    ("form", "label"),
    [
        ("Paris", "Paris"),
        (["Rome", "Paris"], "Paris"),
        ("", ""),
        (42, "42"),
        ([1, 2.5], "2.5"),
        ("[1, 2]", "[1, 2]"),
        ("[unclosed", "[unclosed"),
        ("[]", "[]"),
        ('{"data": [["a", 1]]}', '{"data": [["a", 1]]}'),
        ('["Rome", "Paris"]', '["Rome", "Paris"]'),
        ({"golden_label": 3}, "3"),
        ({"golden_label": None}, ""),
        ({"golden_label": {"data": [["中", 1]]}}, '{"data": [["中", 1]]}'),
        ([{"golden_label": "Rome"}, {"golden_label": "B"}], "B"),
    ],
)
def test_a_single_answer_is_the_golden_label(form, label):
    assert gold(form) == GroundTruth(golden_label=label)


def test_lists_of_gold_lines():
    assert gold({"doc_ids": "only"}).doc_ids == ["only"]
    assert gold({"doc_ids": None}).doc_ids == []
    assert gold({"doc_ids": ("a", 2)}).doc_ids == ["a", "2"]
    assert gold({"doc_ids": []}).doc_ids == []


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ([], "is an empty list"),
        ({"doc_ids": 5}, "expected a list of strings, got int"),
        ({"doc_ids": {"a": 1}}, "expected a list of strings, got dict"),
        ({"doc_ids": ["a", None]}, "holds an empty item"),
        ({"golden_label": b"\xff"}, "ground_truth.golden_label"),
    ],
)
def test_a_ground_truth_that_cannot_be_read_is_refused(form, complaint):
    with pytest.raises(DataError) as caught:
        gold(form)
    assert "field reward_model.ground_truth" in str(caught.value)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("extra_info", "summary", "expected"),
    [
        ({}, "Chinese", "zh"),
        ({}, "English", "en"),
        ({}, "", "en"),
        ({}, "中文", "zh"),
        ({}, " chinese ", "zh"),
        ({"language": "zh"}, "English", "zh"),
        ({"language": "en"}, "Chinese", "en"),
        ({"language": None}, "Chinese", "zh"),
    ],
)
def test_language_is_named_or_hides_in_the_summary(extra_info, summary, expected):
    record = parse_record(row({"golden_label": "x", "summary": summary}, extra_info=extra_info))
    assert record.language == expected


# --- rows ---


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"prompt": []}, "field prompt: "),
        ({"prompt": None}, "field prompt: Field required"),
        ({"prompt": "Where?"}, "field prompt: "),
        ({"prompt": [{"role": "user"}]}, "field prompt.0.content: Field required"),
        ({"data_source": None}, "field data_source: Field required"),
        ({"reward_model": {"style": "rule"}}, "field reward_model.ground_truth: Field required"),
        ({"extra_info": "{broken"}, "field extra_info: not a JSON object"),
        ({"extra_info": "[1]"}, "field extra_info: "),
        ({"data_source": "nowhere", "extra_info": {}}, "no metric is known for data_source 'nowhere'"),
        ({"extra_info": {"metric": "bleu"}}, "set extra_info.metric to one of em, choice, f1, math,"),
    ],
)
def test_a_bad_row_names_file_row_and_field(tmp_path, changes, complaint):
    file = tmp_path / "data.jsonl"
    file.write_text(json.dumps(row("x")) + "\n" + json.dumps({**row("x"), **changes}) + "\n")
    with pytest.raises(DataError) as caught:
        list(read_records(file))
    assert str(caught.value).startswith(f"{file} row 2")
    assert complaint in str(caught.value)


def test_extra_info_may_be_json_text():
    record = parse_record(row("x", extra_info='{"metric": "f1", "index": 7}'))
    assert (record.metric, record.extra_info["index"]) == ("f1", 7)


def test_a_score_keeps_none_apart_from_zero():
    assert Score(value=None, reason="malformed_gold").value is None
    assert Score(value=0.0) == Score(value=0.0, reason="ok", details={})
    with pytest.raises(ValueError, match="reason"):
        Score(value=0.0, reason="whatever")


# --- files ---


def test_jsonl_rows_end_at_newlines_only(tmp_path):
    file = tmp_path / "data.jsonl"
    text = "one\u2028two\u0085three"
    file.write_text(json.dumps(row(text), ensure_ascii=False) + "\n" + json.dumps(row("x")) + "\n", encoding="utf-8")
    assert [record.gold.golden_label for record in read_records(file)] == [text, "x"]


def test_parquet_gives_back_every_field(tmp_path):
    extra = {
        **{"index": 3, "reward_mode": "EM", "question": "Where?", "capability": "T1", "metric": "em"},
        **{"task_form": "key", "language": "zh", "options": ["a", "b"], "n_tokens": 12, "tokenizer": "approx"},
        **{"doc_sha256": ["00"], "doc_source": ["x.txt"], "licence": ["CC0"], "generator": "rules"},
        **{"evidence": [{"doc": "00", "start": 1, "end": 5}], "verifier_votes": [1.0, 0.0], "pass_rate": 0.5},
        **{"evidence_in_prompt": [{"start": 3, "end": 7}], "evidence_depth": 0.25, "question_position": "after"},
        **{"item_source": "set.json#3", "verifiers": ["m"], "closed_book": [0.0], "without_evidence": [0.0]},
        **{"evidence_only": [1.0], "pass_interval": [0.2, 0.8], "rollouts": [1.0, 0.0], "calibrated_by": "m"},
        **{"document_kind": "prose", "template": "key/1", "listed": ["a"], "length_bin": "4k", "slot": 7},
        **{
            "seed": "f0",
            "difficulty": "easy",
            "pipeline_version": "1",
            "strict_prefix": "x7Qa",
            "relevance": [3.0, 0.5],
            "tolerance": 0.01,
        },
    }
    record = parse_record(
        row({"golden_label": "中\u2028\x00x", "doc_ids": ["a\n", ""], "summary": ""}, extra_info=extra)
    )
    assert write_parquet(tmp_path / "d" / "t.parquet", [record]) == 1
    assert list(read_records(tmp_path / "d" / "t.parquet")) == [record]
    assert os.listdir(tmp_path / "d") == ["t.parquet"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda content, label, ids, index: Record.model_validate(
                row(
                    {"golden_label": label, "doc_ids": ids},
                    prompt=[{"role": "user", "content": content}],
                    extra_info={"index": index, "metric": "em"},
                )
            ),
            *(st.text(), st.text(), st.lists(st.text(), max_size=3), st.integers(-(2**63), 2**63 - 1)),
        ),
        max_size=5,
    )
)
def test_what_is_written_to_parquet_is_read_again(tmp_path_factory, records):
    file = tmp_path_factory.mktemp("round") / "t.parquet"
    assert write_parquet(file, records) == len(records)
    again = list(read_records(file))
    assert [r.model_dump(exclude={"extra_info"}) for r in again] == [
        r.model_dump(exclude={"extra_info"}) for r in records
    ]
    # Columns that a record has no value for come back as None.
    assert [{k: v for k, v in r.extra_info.items() if v is not None} for r in again] == [
        r.extra_info for r in records
    ]


def test_parquet_rows_stream_across_batches_and_are_numbered(tmp_path):
    file = tmp_path / "t.parquet"
    assert write_parquet(file, (parse_record(row(str(i))) for i in range(700))) == 700
    assert [(n, r["reward_model"]["ground_truth"]["golden_label"]) for n, r in read_record_rows(file)] == [
        (i + 1, str(i)) for i in range(700)
    ]


def test_parquet_written_by_other_hands(tmp_path):
    """The published layout: few extra_info columns, the ground truth as a list of structs."""
    import pyarrow
    import pyarrow.parquet

    rows = [row([{"golden_label": "Rome"}, {"golden_label": "Paris"}]), row([{"golden_label": "B"}])]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "t.parquet")
    assert [record.gold.golden_label for record in read_records(tmp_path / "t.parquet")] == ["Paris", "B"]


@pytest.mark.parametrize(
    ("extra_info", "complaint"),
    [
        ({"metric": "em", "colour": 1}, "record 3: extra_info keys ['colour'] have no column"),
        ({"metric": "em", "index": "seven"}, "among records 1 to 3: a value does not fit the parquet schema"),
        ({"metric": "em", "question": "\ud83d"}, "among records 1 to 3: a value does not fit the parquet schema"),
    ],
)
def test_a_record_that_does_not_fit_the_schema_stops_the_write_and_keeps_the_old_file(
    tmp_path, extra_info, complaint
):
    file = tmp_path / "t.parquet"
    write_parquet(file, [parse_record(row("old"))])
    with pytest.raises(DataError) as caught:
        write_parquet(
            file, [parse_record(row("a")), parse_record(row("b")), parse_record(row("c", extra_info=extra_info))]
        )
    assert complaint in str(caught.value)
    assert [record.gold.golden_label for record in read_records(file)] == ["old"]
    assert os.listdir(tmp_path) == ["t.parquet"]


def test_damaged_parquet_is_one_clear_error(tmp_path):
    file = tmp_path / "t.parquet"
    write_parquet(file, (parse_record(row(random.Random(i).randbytes(200).hex())) for i in range(300)))
    whole = file.read_bytes()
    file.write_bytes(b"PAR1" + b"\x07" * (len(whole) - 12) + whole[-8:])
    damaged = [whole[:0], b"hello", whole[:-100], whole[: len(whole) // 2], file.read_bytes()]
    middle = bytearray(whole)
    for at in range(100, len(whole) // 2, 50):
        middle[at] ^= 0xFF
    for data in [*damaged, bytes(middle)]:
        file.write_bytes(data)
        with pytest.raises(DataError, match=r"t.parquet is not a readable parquet file .*build or download it again"):
            list(read_record_rows(file))


def test_files_that_are_not_there_or_not_data(tmp_path):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "plain").touch()
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(DataError, match=r"no such data file: .*x.parquet; check the path"):
        list(read_record_rows(tmp_path / "x.parquet"))
    with pytest.raises(DataError, match="is a folder, expected a data file"):
        list(read_record_rows(tmp_path))
    with pytest.raises(DataError, match=r"data files end in .parquet or .jsonl, not .txt"):
        list(read_record_rows(tmp_path / "notes.txt"))
    with pytest.raises(DataError, match="not nothing"):
        list(read_record_rows(tmp_path / "plain"))
    assert list(read_record_rows(tmp_path / "empty.jsonl")) == []
    assert existing_file(tmp_path / "plain") == tmp_path / "plain"


def test_jsonl_in_another_encoding_is_named(tmp_path):
    file = tmp_path / "data.jsonl"
    file.write_bytes((json.dumps(row("中文"), ensure_ascii=False) + "\n").encode("gb18030"))
    with pytest.raises(DataError, match=r"data.jsonl line 1 is not UTF-8 .*convert the file to UTF-8"):
        list(read_records(file))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(tmp_path):
    (tmp_path / "data.jsonl").touch(mode=0)
    with pytest.raises(DataError, match=r"cannot read .*data.jsonl; check its permissions"):
        list(read_record_rows(tmp_path / "data.jsonl"))
