"""Configuration: TOML written by people, dotted `--set` overrides, one resolved JSON written by the machine."""

import difflib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from golongrl.core import json_text
from golongrl.core.errors import ConfigError
from golongrl.core.text import is_whole

PROJECT_FILE = "golongrl.toml"
NO_FILE, SET, COMMAND_LINE = "configuration", "--set", "command line"
"""Names of what settings come from in errors, beside those of files."""


class Config(BaseModel):
    """Base of every command's configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())


ConfigT = TypeVar("ConfigT", bound=Config)


def read_toml(path: str | Path) -> dict[str, Any]:
    """A TOML file as a dict; ConfigError with line and column when it does not parse."""
    try:
        with open(path, "rb") as handle:
            return tomllib.load(handle)
    except FileNotFoundError as error:
        raise ConfigError(f"no such configuration file: {path}; check --config") from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path} is a folder; --config wants a TOML file") from error
    except PermissionError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}; check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid TOML ({error}); mend the file") from error


def parse_set(items: Iterable[str]) -> dict[str, Any]:
    """`["a.b=1", "c=x"]` as {"a.b": 1, "c": "x"}; values are read as JSON where they are JSON, else as text."""
    values: dict[str, Any] = {}
    for item in items:
        key, equals, text = item.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {item!r}: expected KEY=VALUE")
        try:
            values[key.strip()] = json_text.loads(text)
        except json.JSONDecodeError:
            values[key.strip()] = text
    return values


def build(
    schema: type[ConfigT],
    table: Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    flags: Mapping[str, Any] | None = None,
    where: str = NO_FILE,
) -> ConfigT:
    """Merge a TOML table, `--set` overrides and flags that were given (not None), in rising order, and check them.

    `where` names the table. A ConfigError names whoever gave the wrong value: the table, `--set`, the command line.
    """
    overrides, flags = dict(overrides or {}), {k: v for k, v in (flags or {}).items() if v is not None}
    refuse_unknown_keys(schema, table, where)
    for origin, layer in ((SET, overrides), (COMMAND_LINE, flags)):
        # The first part of a dotted key names the field whose table it reaches into.
        unknown = [key for key in layer if key.partition(".")[0] not in schema.model_fields]
        refuse_unknown_keys(schema, unknown, origin)
    merged = dict(table)
    for key, value in {**overrides, **flags}.items():
        _put(merged, key, value)
    layers = [(where, table), (SET, overrides), (COMMAND_LINE, flags)]
    for loc in _halves_in(merged):
        raise ConfigError(
            f"{_origin(loc, layers, where)}: {'.'.join(loc)} holds characters that are no UTF-8; rename the file, or "
            "mend the text"
        )
    try:
        return schema.model_validate(merged)
    except ValidationError as error:
        problems: dict[str, list[str]] = {}
        for found in error.errors():
            problems.setdefault(_origin(found["loc"], layers, where), []).append(_problem(dict(found)))
        raise ConfigError("; ".join(f"{origin}: {'; '.join(said)}" for origin, said in problems.items())) from error


def _halves_in(value: Any, loc: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where texts hold halves of surrogate pairs: bytes of a command line that are no UTF-8, which no file takes."""
    if isinstance(value, str):
        if not is_whole(value):
            yield loc
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _halves_in(key, (*loc, str(key)))
            yield from _halves_in(inner, (*loc, str(key)))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _halves_in(inner, (*loc, str(number)))


def _origin(loc: tuple[int | str, ...], layers: list[tuple[str, Mapping[str, Any]]], where: str) -> str:
    """Who gave the value at `loc`, or the parts of it; `layers` are in rising order, the last one wins."""
    path = tuple(map(str, loc))
    givers: list[str] = []
    for origin, layer in reversed(layers):
        keys = [tuple(key.split(".")) for key in layer]
        whole = any(key == path[: len(key)] for key in keys)
        if whole or any(path == key[: len(path)] for key in keys):
            givers.insert(0, origin)
        if whole:
            break
    return " and ".join([one for one in givers if one != NO_FILE] or [where])


def _problem(found: Mapping[str, Any]) -> str:
    """One finding of pydantic in words: the key, the value that was given, and what it should be."""
    key, text = ".".join(map(str, found["loc"])), str(found["msg"]).removeprefix("Value error, ")
    if not key:
        return text
    if found["type"] == "missing":
        return f"{key} is missing; pass --{key.replace('_', '-')}, or set it in the command's table"
    if text.startswith("Input should "):
        return f"{key} = {found['input']!r} should {text.removeprefix('Input should ')}"
    return f"{key}: {text}"


def _put(table: dict[str, Any], key: str, value: Any) -> None:
    """Set `a.b` inside the table `a`, leaving the table that was given as it is."""
    first, dot, rest = key.partition(".")
    if not dot:
        table[first] = value
        return
    inner = table.get(first)
    table[first] = dict(inner) if isinstance(inner, Mapping) else {}
    _put(table[first], rest, value)


def refuse_unknown_keys(schema: type[Config], table: Iterable[str], where: str) -> None:
    """ConfigError naming the first key the schema does not have, and the likely intended one."""
    known = list(schema.model_fields)
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known keys: {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key {key!r}{hint}")


def command_table(command: str, config: str | Path | None) -> tuple[dict[str, Any], str]:
    """The `[command]` table of --config, or of ./golongrl.toml, or nothing; and where it came from.

    A --config file without any table is taken whole, so that a short `train.toml` needs no header; one that has
    tables but not this command's is an error.
    """
    path = Path(config) if config else Path(PROJECT_FILE)
    if not config and not path.exists():
        return {}, NO_FILE
    document = read_toml(path)
    if command in document:
        table = document[command]
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: [{command}] must be a table")
        return dict(table), f"{path} [{command}]"
    if not config:
        return {}, str(path)
    tables = [f"[{key}]" for key, value in document.items() if isinstance(value, dict)]
    if tables:
        raise ConfigError(
            f"{path} has no table [{command}], only {', '.join(tables)}; add it, or pass another --config"
        )
    return document, str(path)
