"""Whatever is wrong with a JSON text is one kind of error."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.core import json_text
from golongrl.core.errors import DataError
from golongrl.core.store import write_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_what_json_writes_is_read_as_json_reads_it(value):
    assert json_text.loads(json.dumps(value)) == value
    assert json_text.loads(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("9" * 5000, "too many digits"),
        ("[1,", "Expecting value"),
        ("", "Expecting value"),
    ],
)
def test_every_fault_is_a_decode_error(text, problem):
    with pytest.raises(json.JSONDecodeError, match=problem):
        json_text.loads(text)
    with pytest.raises(json.JSONDecodeError, match=problem):
        json_text.loads(text.encode())


def test_an_object_may_be_made_of_all_its_pairs():
    assert json_text.loads('{"a": {"b": 1, "b": 2}}', lambda pairs: pairs) == [("a", [("b", 1), ("b", 2)])]
    assert json_text.loads('{"b": 1, "b": 2}') == {"b": 2}


def test_bytes_that_are_no_utf_8_stay_a_unicode_error():
    with pytest.raises(UnicodeDecodeError):
        json_text.loads(b'"\xff\xff\xff"')


def test_half_of_a_surrogate_pair_is_written_as_an_escape(tmp_path):
    write_json(tmp_path / "a.json", {"text": "half \ud83d, 北京 😀"})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"text": "half \ud83d, 北京 😀"}
    assert "北京 😀" in (tmp_path / "a.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "a.json is not JSON; copy it"),
        (b'"\xff"', "a.json is not JSON; copy it"),
        (b"[1]", "a.json is not a JSON object but a list; copy it"),
    ],
)
def test_a_file_without_an_object_is_refused_with_what_to_do(tmp_path, content, problem):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=problem):
        json_text.read_object(path, "copy it")
    path.write_bytes(b'{"a": 1}')
    assert json_text.read_object(path, "copy it") == {"a": 1}
    with pytest.raises(FileNotFoundError):
        json_text.read_object(tmp_path / "b.json", "copy it")
