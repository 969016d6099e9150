import json
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, model_validator

from golongrl.core.config import Config, build, command_table, parse_set, read_toml
from golongrl.core.errors import ConfigError


class Sample(Config):
    """A configuration with every kind of field the commands use."""

    algo: str = "tmn"
    """Advantage algorithm."""
    steps: int = Field(10, ge=1)
    rate: float = 1e-6
    names: list[str] = Field(default_factory=list)
    limit: int | None = None
    think: bool = False

    @model_validator(mode="after")
    def _together(self) -> "Sample":
        if self.limit is not None and self.limit < self.steps:
            raise ValueError("limit must reach steps")
        return self


def test_flags_win_over_set_wins_over_the_table_wins_over_defaults():
    table = {"algo": "grpo", "steps": 20, "rate": 0.1}
    config = build(Sample, table, {"steps": 30, "rate": 0.2}, {"rate": 0.3, "algo": None})
    assert (config.algo, config.steps, config.rate, config.think) == ("grpo", 30, 0.3, False)
    assert table == {"algo": "grpo", "steps": 20, "rate": 0.1}


def test_false_and_zero_are_given_values():
    assert build(Sample, {"think": True}, None, {"think": False}).think is False
    with pytest.raises(ConfigError, match="steps = 0 should be greater than or equal to 1"):
        build(Sample, {}, None, {"steps": 0})


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("step", "did you mean 'steps'?"),
        ("ALGO", "known keys: algo, steps, rate, names, limit, think"),
        ("thinks", "did you mean 'think'?"),
        ("zzz", "known keys: algo, steps, rate, names, limit, think"),
    ],
)
def test_an_unknown_key_gets_a_suggestion(key, hint):
    with pytest.raises(ConfigError) as caught:
        build(Sample, {key: 1}, where="train.toml [train]")
    assert str(caught.value) == f"train.toml [train]: unknown key {key!r}; {hint}"


def test_every_wrong_value_is_named():
    with pytest.raises(ConfigError) as caught:
        build(Sample, {"steps": "many", "names": [1], "rate": None}, where="here")
    message = str(caught.value)
    assert message.startswith("here: steps = 'many' should be a valid integer")
    assert re.search(r"; rate = .* should be a valid number; names.0 = .* should be a valid string", message)
    with pytest.raises(ConfigError, match="configuration: limit must reach steps"):
        build(Sample, {"limit": 3})


@pytest.mark.parametrize(
    ("table", "given_by_set", "flags", "expected"),
    [
        ({"steps": 5}, {}, {"steps": 0}, "command line: steps = 0 should"),
        ({"steps": 5}, {"steps": 0}, {}, "--set: steps = 0 should"),
        ({"steps": 0}, {"rate": 1}, {"algo": "x"}, "a.toml: steps = 0 should"),
        # The last one that gave it is to blame, whatever the others said.
        ({"steps": 0}, {"steps": 0}, {"steps": 0}, "command line: steps = 0 should"),
        ({"names": ["a"]}, {}, {"names": [1]}, "command line: names.0 = 1 should"),
        ({"algo": "x"}, {"nosuch": 1}, {}, "--set: unknown key 'nosuch'"),
        ({"algo": "x"}, {}, {"nosuch.a": 1}, "command line: unknown key 'nosuch.a'"),
        # What belongs together may come from everywhere.
        ({"algo": "x"}, {"steps": 5}, {"limit": 3}, "a.toml and --set and command line: limit must reach steps"),
        ({}, {"steps": 5}, {"limit": 3}, "--set and command line: limit must reach steps"),
        (
            {"rate": "x"},
            {},
            {"steps": 0, "names": 1},
            "command line: steps = 0 should be greater than or equal to 1; names = 1 should",
        ),
    ],
)
def test_an_error_names_who_gave_the_value(table, given_by_set, flags, expected):
    with pytest.raises(ConfigError) as caught:
        build(Sample, table, given_by_set, flags, "a.toml")
    message = str(caught.value)
    assert message.startswith(expected)
    # Two of one origin are said together, those of others apart.
    assert ("; a.toml: rate = 'x' should" in message) == ("rate" in table)


def test_a_text_that_no_file_takes_is_refused():
    # How Python gives the bytes of a command line that are no UTF-8.
    for value, where in (("d\udcfa", "algo"), (["a", "\ud800"], "names.1"), ({"k\udcfa": 1}, "verl.k\udcfa")):
        table = {where.partition(".")[0]: value}
        with pytest.raises(ConfigError, match=r"^command line: \S+ holds characters that are no UTF-8") as caught:
            build(Loose, {}, None, table)
        assert where in str(caught.value)


class Loose(Config):
    algo: object = None
    names: object = None
    verl: object = None


def test_without_a_file_nothing_blames_one():
    with pytest.raises(ConfigError, match=r"^command line: limit must reach steps"):
        build(Sample, {}, None, {"limit": 3})
    with pytest.raises(ConfigError, match=r"^configuration: limit must reach steps"):
        build(Sample, {"limit": 3})


def test_a_built_configuration_never_changes():
    with pytest.raises(ValidationError):
        build(Sample, {}).steps = 3
    assert Sample.model_fields["algo"].description == "Advantage algorithm."


def test_set_reads_json_where_it_is_json_and_text_otherwise():
    given_items = [
        *("a=1", "b=1.5", "c=true", "d=null", 'e="1"', "f=[1, 2]", 'g={"x": 1}', "h=text", "i=a=b", "j=", "k=1e-6"),
        *(" l =x", "verl.actor.lr=1e-6"),
    ]
    assert parse_set(given_items) == {
        **{"a": 1, "b": 1.5, "c": True, "d": None, "e": "1", "f": [1, 2], "g": {"x": 1}, "h": "text", "i": "a=b"},
        **{"j": "", "k": 1e-6, "l": "x", "verl.actor.lr": 1e-6},
    }
    assert parse_set(["a=1", "a=2"]) == {"a": 2}


@pytest.mark.parametrize("item", ["a", "=1", " =1", ""])
def test_set_without_key_or_value_is_refused(item):
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        parse_set([item])


@given(
    st.dictionaries(st.from_regex(r"[a-z]([a-z.]*[a-z])?", fullmatch=True), st.integers() | st.booleans() | st.text())
)
def test_set_gives_back_any_value_written_as_json(values):
    assert parse_set([f"{key}={json.dumps(value)}" for key, value in values.items()]) == values


def test_what_toml_says(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text('name = "长"\n[train]\nsteps = 3\n', encoding="utf-8")
    assert read_toml(file) == {"name": "长", "train": {"steps": 3}}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a = \n", "is not valid TOML (Invalid value (at line 1, column 5)); mend the file"),
        (b"a = 1\na = 2\n", "line 2"),
        (b'a = "\xff"\n', "is not valid TOML"),
    ],
)
def test_bad_toml_is_named_with_its_place(tmp_path, data, expected):
    file = tmp_path / "a.toml"
    file.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        read_toml(file)
    assert str(file) in str(caught.value)
    assert expected in str(caught.value)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no such configuration file: .*x.toml; check --config"):
        read_toml(tmp_path / "x.toml")
    with pytest.raises(ConfigError, match="is a folder; --config wants a TOML file"):
        read_toml(tmp_path)


def test_the_commands_table_of_the_project_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command_table("train", None) == ({}, "configuration")
    (tmp_path / "golongrl.toml").write_text("[train]\nsteps = 3\n[eval]\nlimit = 1\n")
    assert command_table("train", None) == ({"steps": 3}, "golongrl.toml [train]")
    assert command_table("build-dataset", None) == ({}, "golongrl.toml")


def test_a_config_file_with_or_without_a_header(tmp_path):
    flat, tables = tmp_path / "flat.toml", tmp_path / "tables.toml"
    flat.write_text("steps = 3\n")
    tables.write_text("[train]\nsteps = 4\n")
    assert command_table("train", flat) == ({"steps": 3}, str(flat))
    assert command_table("train", tables) == ({"steps": 4}, f"{tables} [train]")
    with pytest.raises(ConfigError, match=r"tables.toml has no table \[eval\], only \[train\]; add it"):
        command_table("eval", tables)
    flat.write_text("train = 3\n")
    with pytest.raises(ConfigError, match=r"\[train\] must be a table"):
        command_table("train", flat)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(tmp_path):
    (tmp_path / "a.toml").touch(mode=0)
    with pytest.raises(ConfigError, match=r"cannot read .*a.toml: Permission denied"):
        read_toml(tmp_path / "a.toml")


class Inner(Config):
    depth: int = 1
    name: str = "a"


class Outer(Config):
    inner: Inner = Inner()
    tables: dict[str, Inner] = Field(default_factory=dict)


def test_dotted_keys_reach_into_tables():
    table = {"inner": {"name": "b"}, "tables": {"x": {"depth": 3}}}
    built = build(Outer, table, parse_set(["inner.depth=2", "tables.x.name=c", "tables.y.depth=5"]))
    assert built.inner == Inner(depth=2, name="b")
    assert built.tables == {"x": Inner(depth=3, name="c"), "y": Inner(depth=5)}
    assert table == {"inner": {"name": "b"}, "tables": {"x": {"depth": 3}}}


def test_a_wrong_key_inside_a_table_is_named():
    with pytest.raises(ConfigError, match=r"^--set: inner\.dept: "):
        build(Outer, {}, {"inner.dept": 2})
    with pytest.raises(ConfigError, match=r"^a\.toml: inner\.dept: "):
        build(Outer, {"inner": {"dept": 2}}, {"inner.depth": 2}, where="a.toml")
