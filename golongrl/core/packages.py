"""Which package versions training was checked with. Reads package metadata; imports none of them.

"Works" is what the packages' own requirements allow together with verl 0.9.1, whose internals golongrl uses; outside
of it a run is refused. "Checked" was run: on a CPU where the rollout engine is transformers; for SGLang and vLLM the
set installs, imports, and its interfaces match verl's calls. To test a new version, run the tests with it and add it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec


@dataclass(frozen=True)
class Pin:
    """Versions of one package: `works` is a PEP 440 specifier, `checked` the versions that were run."""

    works: str
    checked: tuple[str, ...]


COMMON: dict[str, Pin] = {
    "verl": Pin("==0.9.1", ("0.9.1",)),
    "ray": Pin(">=2.41", ("2.60.0",)),
    "tensordict": Pin(">=0.8.0,!=0.9.0,<=0.10.0", ("0.10.0",)),
    "TransferQueue": Pin(">=0.1.10,<0.2", ("0.1.11",)),
    "numpy": Pin(">=2.0.0", ("2.3.5", "2.4.6")),
}
"""Whatever generates the rollouts."""

ENGINES: dict[str, dict[str, Pin]] = {
    "transformers": {
        "torch": Pin(">=2.11", ("2.13.0",)),
        # verl caps transformers below 5.11 in its metadata; the CPU path runs with 5.19.0 all the same.
        "transformers": Pin(">=5.5.3,!=5.6.0", ("5.10.4", "5.19.0")),
    },
    "sglang": {
        "sglang": Pin(">=0.5.13,<0.5.15", ("0.5.14",)),
        "torch": Pin("==2.11.0", ("2.11.0",)),
        "transformers": Pin("==5.8.1", ("5.8.1",)),
    },
    "vllm": {
        "vllm": Pin("==0.24.0", ("0.24.0",)),
        "torch": Pin("==2.11.0", ("2.11.0",)),
        "transformers": Pin(">=5.5.3,<5.11,!=5.6.0", ("5.10.4",)),
    },
}
"""Rollout engine -> what it adds."""

KNOWN_BAD: tuple[tuple[str, str, str], ...] = (
    ("verl", "<0.9", "it has no platform plug-ins, and 0.7 and 0.8 pin numpy below 2"),
    ("sglang", "<0.5.13", "it pins transformers to 5.6.0 or older, which verl 0.9.1 excludes"),
    ("sglang", ">=0.5.15", "it pins transformers to 5.12.1 or newer, and verl 0.9.1 needs one below 5.11"),
    ("vllm", ">=0.33", "it needs torch 2.14 and transformers 5.16.1 or newer, and verl 0.9.1 one below 5.11"),
    ("transformers", "==5.6.0", "verl 0.9.1 excludes it"),
    ("tensordict", "==0.9.0", "verl 0.9.1 excludes it"),
    ("TransferQueue", "<0.1.10", "verl 0.9.1's trainer calls functions it does not have"),
)
"""(package, versions, why): what is known about versions that do not work."""

MODULES: dict[str, tuple[str, ...]] = {
    "transformers": ("verl", "torch", "ray", "transfer_queue", "cachetools"),
    "sglang": ("verl", "torch", "ray", "transfer_queue", "cachetools", "sglang"),
    "vllm": ("verl", "torch", "ray", "transfer_queue", "cachetools", "vllm"),
}
"""Rollout engine -> modules that must be importable."""


def importable(module: str) -> bool:
    """Whether a module is there, without importing it; of a dotted one only the package above is looked into."""
    parent, _, _ = module.rpartition(".")
    return (not parent or importable(parent)) and find_spec(module) is not None


def table(engine: str) -> dict[str, Pin]:
    """Package -> versions for one rollout engine."""
    return COMMON | ENGINES[engine]


def installed(engine: str) -> dict[str, str]:
    """Package -> version here, for the packages of `table` that are installed."""
    found = {}
    for name in table(engine):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def compare(found: Mapping[str, str], engine: str, device: str) -> tuple[list[str], list[str]]:
    """(what cannot work, what was never checked) of installed versions against the table.

    A package that is not installed is nothing to say here: `check_packages` names it.
    """
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    broken, unchecked = [], []
    for name, pin in table(engine).items():
        if name not in found:
            continue
        have = Version(found[name])
        if have not in SpecifierSet(pin.works, prereleases=True):
            why = why_bad(name, found[name])
            broken.append(f"{name} {found[name]} does not work here, {name}{pin.works} does" + (why and f": {why}"))
        elif have.public not in pin.checked:
            unchecked.append(f"{name} {found[name]} was not checked with golongrl, {' and '.join(pin.checked)} was")
    if device == "cuda" and (Version(found["torch"]).local if "torch" in found else "") == "cpu":
        broken.append(f"torch {found['torch']} is built for the CPU and device = 'cuda' needs a CUDA build")
    return broken, unchecked


def why_bad(name: str, text: str) -> str:
    """What is known about a version that does not work, empty where nothing is."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    have = Version(text)
    return next((why for package, bad, why in KNOWN_BAD if package == name and have in SpecifierSet(bad)), "")
