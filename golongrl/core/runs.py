"""Run folders: what was asked (config.json), with what (manifest.json), and safe resuming."""

import contextlib
import fcntl
import importlib.metadata
import json
import platform
import shutil
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from golongrl.core import json_text, plugins
from golongrl.core.errors import DataError, RunConflictError
from golongrl.core.store import discard_temporaries, storage_errors, write_json

INPUTS = 5
"""Changed inputs that a refusal names."""

VERSIONED = ("golongrl", "verl", "torch", "ray", "transformers", "tokenizers", "datasets", "math-verify", "numpy")


def package_versions() -> dict[str, str]:
    """Versions of the packages that decide results, without importing them."""
    versions = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def git_sha(folder: str | Path = ".") -> str | None:
    """Commit of the git checkout that holds `folder`, or None."""
    if not shutil.which("git"):
        return None
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # In a repository without a commit git prints "HEAD" and fails.
    return done.stdout.strip() or None if done.returncode == 0 else None


def differing_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """ "key: old -> new" for every key whose value differs."""
    keys = sorted(set(old) | set(new))
    return [f"{key}: {old.get(key)!r} -> {new.get(key)!r}" for key in keys if old.get(key) != new.get(key)]


def _differing_inputs(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """One line for every input that came, went or has another content; its hashes would tell a person nothing."""
    kinds = {(True, False): "no longer read", (False, True): "not read before"}
    files = sorted(file for file in {*old, *new} if old.get(file) != new.get(file))
    lines = [f"{file}: {kinds.get((file in old, file in new), 'its content changed')}" for file in files[:INPUTS]]
    return lines + [f"and {len(files) - INPUTS} more inputs"] * (len(files) > INPUTS)


def is_finished(folder: str | Path) -> bool:
    """Whether a folder holds a run that was completed."""
    manifest = Path(folder) / "manifest.json"
    return manifest.exists() and _read_object(manifest).get("finished") is not None


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """The manifest of a run folder, finished or not; DataError when the folder holds no run."""
    manifest = Path(folder) / "manifest.json"
    if not manifest.exists():
        raise DataError(
            f"{folder} holds no manifest.json, so it is no run folder; name what --out of a command named"
        )
    return _read_object(manifest)


def read_config(folder: str | Path) -> dict[str, Any]:
    """The resolved configuration of a run folder; DataError when the folder holds no run."""
    config = Path(folder) / "config.json"
    if not config.exists():
        raise DataError(f"{folder} holds no config.json, so it is no run folder; name what --out of a command named")
    return _read_object(config)


def other_settings(folder: str | Path, config: Mapping[str, Any], *, free: Collection[str] = ()) -> list[str]:
    """The keys for which `open_run` would refuse this configuration in the folder; the inputs are not looked at."""
    path = Path(folder) / "config.json"
    if not path.exists():
        return []
    return _changed(_read_object(path), json_text.loads(json.dumps(config)), ("command", "inputs", *free))


def _changed(before: Mapping[str, Any], after: Mapping[str, Any], free: Collection[str]) -> list[str]:
    """What differs between two resolved configurations but for keys in `free`, their inputs file by file."""
    old, new = ({key: value for key, value in each.items() if key not in free} for each in (before, after))
    files = _differing_inputs(old.pop("inputs", {}), new.pop("inputs", {}))
    return [*differing_keys(old, new), *files]


class Run:
    """An open run folder; `finish` writes the manifest's end time last, so its presence means the run is complete."""

    def __init__(self, folder: Path, manifest: dict[str, Any], resumed: bool):
        self.folder = folder
        self.manifest = manifest
        self.resumed = resumed

    def path(self, name: str) -> Path:
        """A path inside the run folder."""
        return self.folder / name

    @property
    def finished(self) -> bool:
        """Whether an earlier run of the same configuration completed."""
        return self.manifest.get("finished") is not None

    def reopen(self) -> None:
        """Take a finished run for one that has more to do."""
        self.manifest["finished"] = None
        write_json(self.path("manifest.json"), self.manifest)

    def finish(self, **facts: Any) -> None:
        """Record facts about the result and the end time."""
        self.manifest.update(facts, finished=now())
        write_json(self.path("manifest.json"), self.manifest)


def _read_object(path: Path) -> dict[str, Any]:
    return json_text.read_object(path, "pass --fresh to start over")


def set_aside(folder: Path) -> Path:
    """Rename a folder to the first free sibling `NAME.old-N`, so that nothing is deleted; returns its new place.

    Raises RunConflictError when the working folder lies in it.
    """
    if Path.cwd().is_relative_to(folder.resolve()):
        raise RunConflictError(
            f"{folder} cannot be set aside because it holds the working folder; name another --out, or call from "
            "another folder"
        )
    number = 1
    while (aside := folder.with_name(f"{folder.name}.old-{number}")).exists():
        number += 1
    with storage_errors(folder):
        folder.rename(aside)
    return aside


@contextlib.contextmanager
def only_writer(folder: Path, command: str) -> Iterator[None]:
    """Hold the folder's lock; RunConflictError when another process has it. The lock ends with this process.

    Half-written files of processes that were killed are removed.
    """
    with storage_errors(folder):
        handle = open(folder / ".lock", "w", encoding="utf-8")  # noqa: SIM115  closed below
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunConflictError(
                f"another golongrl {command} is writing to {folder}; wait for it, or choose another --out"
            ) from error
        discard_temporaries(folder)
        yield


def open_run(
    folder: str | Path,
    config: Mapping[str, Any],
    *,
    command: str,
    inputs: Mapping[str, str] | None = None,
    fresh: bool = False,
    free: Collection[str] = (),
) -> Run:
    """Create a run folder or resume the run in it.

    `config` is the resolved configuration (JSON types); `inputs` maps input paths to their sha256. A folder that
    holds a run with another configuration or other inputs is refused with the differing keys; `fresh` moves its
    content to a sibling `NAME.old-N` first, so nothing is deleted. Keys in `free` change no result and may differ;
    the newest values are recorded. RunConflictError where either would change what another process writes to.
    """
    root = Path(folder)
    if root.exists() and not root.is_dir():
        raise RunConflictError(f"--out {root} is a file; choose a folder")
    if fresh and root.exists() and any(root.iterdir()):
        with only_writer(root, command):
            set_aside(root)
    with storage_errors(root):
        root.mkdir(parents=True, exist_ok=True)
    read = {**(inputs or {}), **plugins.fingerprints()}
    resolved = {"command": command, **json_text.loads(json.dumps(config)), "inputs": read}
    config_path = root / "config.json"
    if config_path.exists():
        before = _read_object(config_path)
        changed = _changed(before, resolved, free)
        if changed:
            raise RunConflictError(
                f"{root} holds a run with other settings ({'; '.join(changed)}); "
                "choose another --out, or pass --fresh to set the old run aside"
            )
        if before != resolved:
            # A run that goes on meanwhile keeps the settings it was started with.
            with only_writer(root, command):
                write_json(config_path, resolved)
    else:
        write_json(config_path, resolved)
    manifest_path = root / "manifest.json"
    if manifest_path.exists():
        return Run(root, _read_object(manifest_path), resumed=True)
    manifest = _manifest(command, inputs or {})
    write_json(manifest_path, manifest)
    return Run(root, manifest, resumed=False)


def refuse_other_run(folder: str | Path, command: str) -> None:
    """RunConflictError when the folder holds the run of another command, whose files would be lost."""
    root = Path(folder)
    if (root / "manifest.json").exists() and (other := read_manifest(root).get("command")) != command:
        raise RunConflictError(f"{root} holds a run of golongrl {other}; choose another --out")


def record_run(folder: str | Path, command: str, started: str, *, inputs: Mapping[str, str] | None = None) -> None:
    """Write manifest.json for a run of one go, which has nothing to resume, once its results are there.

    `started` is the ISO 8601 time at which it began; `inputs` maps input paths to their sha256.
    """
    discard_temporaries(folder)
    Run(Path(folder), {**_manifest(command, inputs or {}), "started": started}, resumed=False).finish()


def now() -> str:
    """This moment as manifests hold it: ISO 8601 with the offset of the local time zone."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def _manifest(command: str, inputs: Mapping[str, str]) -> dict[str, Any]:
    return {
        "command": command,
        "started": now(),
        "finished": None,
        "git_sha": git_sha(),
        "versions": package_versions(),
        "platform": platform.platform(),
        "inputs": dict(inputs),
    }
