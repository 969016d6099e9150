"""The folder of the model that a run started from."""

from pathlib import Path

from golongrl.core.errors import ConfigError, DataError, require
from golongrl.pipeline.training.model.weights import read_headers

DESCRIPTION = ["*.json", "*.jinja", "*.model", "*.txt"]
"""Files of a model on the hub that say what it is: config, tokenizer, chat template, index of its shards."""


def base_folder(base: str | Path, *, weights: bool = True) -> Path:
    """A base model's folder: itself, or its snapshot of the hub, which is fetched only if the cache lacks it.

    ConfigError when a hub id is neither whole in the cache nor can be fetched.
    """
    if Path(base).is_dir():
        return Path(base)
    hub = require("huggingface_hub")
    wanted = [*DESCRIPTION, "*.safetensors"] if weights else DESCRIPTION
    # The cache first: a newer revision on the hub is not the model that was trained.
    for cached_only in (True, False):
        try:
            folder = Path(hub.snapshot_download(str(base), allow_patterns=wanted, local_files_only=cached_only))
            if weights:
                read_headers(folder)
            return folder
        except (OSError, ValueError, hub.errors.HfHubHTTPError, DataError) as error:
            cause = error
    raise ConfigError(
        f"the base model {base} is no folder, not whole in the hub's cache, and cannot be fetched "
        f"({type(cause).__name__}); check the name and the network, or give `model` as the path of a folder"
    ) from cause
