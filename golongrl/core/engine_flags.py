"""The command line that starts a server of each engine, exact for its version, with YaRN where it is wanted.

What differs, read in the sources of the versions named below:

vLLM. `--hf-overrides` came in 0.6.4, before it there were `--rope-scaling` and `--rope-theta` (gone in 0.11.2).
Until 0.11 the models read `rope_scaling` and `rope_theta`, from 0.12 on `rope_parameters`; the other name is accepted
and changes nothing. 0.11.2 overrides keys of `text_config`, 0.11.0 replaces all of it by the dict. The rope dict
replaces the model's, so one without rope_theta means a theta of 10,000. Older versions take the length to be original
length times factor, newer ones max_position_embeddings; both are given.

SGLang. `--json-model-override-args` replaces the rope dict, since 0.5.23 it merges; `text_config` is understood since
0.5.23. Its length is max_position_embeddings.

transformers serve takes no override. There, and where an engine would misread one, the server gets a folder whose
config.json holds YaRN (rope.link_with_yarn).
"""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from golongrl.core.errors import UsageError
from golongrl.core.rope import Override

HOST = "127.0.0.1"

Version = tuple[int, ...]
Form = Literal["rope_parameters", "rope_scaling", "options", "folder"]
"""How YaRN is handed over: an override with either name, the old options, or a folder with a changed config.json."""

FORMS: dict[str, list[tuple[Version, Form, Form]]] = {
    "transformers": [((0,), "folder", "folder")],
    "vllm": [
        ((0,), "options", "folder"),
        ((0, 6, 4), "rope_scaling", "folder"),
        ((0, 11, 2), "rope_scaling", "rope_scaling"),
        ((0, 12), "rope_parameters", "rope_parameters"),
    ],
    "sglang": [((0,), "rope_scaling", "folder"), ((0, 5, 23), "rope_scaling", "rope_scaling")],
}
"""Per engine: from which version on, the form for a plain config, and for one with a `text_config`."""

CHECKED: dict[str, Version] = {"vllm": (0, 33), "sglang": (0, 5, 23), "transformers": (5, 23)}
"""The newest version whose handling of YaRN was read or run."""

_ASK = """
import importlib.metadata as metadata, sys
for name in (sys.argv[1], sys.argv[1] + "-cpu"):
    try:
        print(metadata.version(name))
        break
    except metadata.PackageNotFoundError:
        pass
else:
    print(metadata.version(metadata.packages_distributions()[sys.argv[1]][0]))
"""


@dataclass(frozen=True)
class Launch:
    """A command line and the environment variables that belong to it."""

    command: list[str]
    env: dict[str, str] = field(default_factory=dict)


def installed_version(engine: str, python: str) -> str | None:
    """The version of an engine in an interpreter, without importing it; None when it cannot be told."""
    try:
        found = subprocess.run([python, "-c", _ASK, engine], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None


def parse_version(version: str | None) -> Version | None:
    """The release numbers of a version; None for an unknown one, or a build outside any release (0.1.dev)."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", version or "")
    if match is None:
        return None
    numbers = tuple(map(int, match[1].split(".")))
    return None if numbers[:2] == (0, 1) and ".dev" in (version or "") else numbers


def yarn_form(engine: str, version: str | None, nested: bool) -> Form:
    """How this version is told about YaRN; an unknown one like the newest."""
    numbers = parse_version(version)
    known = FORMS[engine]
    entry = known[-1] if numbers is None else [entry for entry in known if entry[0] <= numbers][-1]
    return entry[2] if nested else entry[1]


def doubt(engine: str, version: str | None) -> str | None:
    """What people should know about a version whose flags were not checked; None when there is nothing to say."""
    newest = ".".join(map(str, CHECKED[engine]))
    numbers = parse_version(version)
    if numbers is None:
        return f"the version of {engine} cannot be told; YaRN is set as for {newest}"
    if numbers[: len(CHECKED[engine])] > CHECKED[engine]:
        return f"{engine} {version} is newer than the versions known here; YaRN is set as for {newest}"
    return None


def yarn_launch(engine: str, version: str | None, yarn: Override) -> Launch:
    """The options and variables that put YaRN on a model; none where the form is "folder"."""
    form = yarn_form(engine, version, yarn.nested)
    if form == "folder":
        return Launch([])
    if form == "options":
        theta = str(yarn.parameters["rope_theta"])
        return Launch(["--rope-scaling", json.dumps(dict(yarn.parameters)), "--rope-theta", theta])
    changes: dict[str, Any] = {form: dict(yarn.parameters), "max_position_embeddings": yarn.length}
    if form == "rope_scaling":
        # Where the models read it, when the config is one of transformers 4.
        changes["rope_theta"] = yarn.parameters["rope_theta"]
    text = json.dumps({"text_config": changes} if yarn.nested else changes)
    if engine == "vllm":
        return Launch(["--hf-overrides", text])
    # The override does not reach a draft model, whose shorter length would stop the server.
    return Launch(["--json-model-override-args", text], {"SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN": "1"})


def _transformers(python: str, model: str, name: str, port: int, max_model_len: int | None) -> list[str]:
    if "@" in model:
        raise UsageError(f"transformers serve reads '@' in {model} as a revision; move it to a path without '@'")
    command = [python, "-m", "transformers.cli.transformers", "serve", model]
    return [*command, "--host", HOST, "--port", str(port)]


def _vllm(python: str, model: str, name: str, port: int, max_model_len: int | None) -> list[str]:
    command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--served-model-name", name]
    command += ["--host", HOST, "--port", str(port)]
    return command + (["--max-model-len", str(max_model_len)] if max_model_len else [])


def _sglang(python: str, model: str, name: str, port: int, max_model_len: int | None) -> list[str]:
    command = [python, "-m", "sglang.launch_server", "--model-path", model, "--served-model-name", name]
    command += ["--host", HOST, "--port", str(port)]
    return command + (["--context-length", str(max_model_len)] if max_model_len else [])


ENGINES: dict[str, Callable[[str, str, str, int, int | None], list[str]]] = {
    "transformers": _transformers,
    "vllm": _vllm,
    "sglang": _sglang,
}


def launch(
    engine: str,
    *,
    python: str,
    model: str,
    name: str,
    port: int,
    max_model_len: int | None = None,
    version: str | None = None,
    yarn: Override | None = None,
) -> Launch:
    """The whole command that serves a model folder or hub id on 127.0.0.1 under `name`.

    `transformers serve` knows a model by its path only, so there `name` must be `model`. `max_model_len` is prompt
    and answer in tokens. Raises UsageError for paths that the engine misreads.
    """
    command = ENGINES[engine](python, model, name, port, max_model_len)
    if yarn is None:
        return Launch(command)
    added = yarn_launch(engine, version, yarn)
    return Launch([*command, *added.command], added.env)
