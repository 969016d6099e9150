"""The folder of the model that a run starts from: a folder as it is, a hub id as a snapshot in the hub's cache."""

from pathlib import Path

from golongrl.core.errors import ConfigError, DataError, require
from golongrl.core.weight_files import read_headers

DESCRIPTION = ["*.json", "*.jinja", "*.model", "*.txt"]
"""Files of a model on the hub that say what it is: config, tokenizer, chat template, index of its shards."""


def model_folder(model: str | Path, *, weights: bool = False, trained: bool = False) -> Path:
    """A model's folder; of a hub id the snapshot of its small files, with `weights` of its safetensors too.

    Before a run the hub is asked for its newest revision, because that is what the trainer and the rollout servers
    load; the cache then points to it. `trained` is for a run that has trained: the revision in the cache counts, and
    the hub is asked only for what the cache lacks, because a newer one is not the model the run started from.

    ConfigError when there is no such folder, or when a hub id can neither be fetched nor is in the cache.
    """
    name, folder = str(model), Path(model)
    if folder.is_dir():
        if not (folder / "config.json").exists():
            raise ConfigError(f"{name} holds no config.json, so it is not a model folder; set model to one")
        return folder
    if name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise ConfigError(f"no such model folder: {name}; pass --model FOLDER or a hub id like Qwen/Qwen3-4B")
    hub = require("huggingface_hub")
    wanted = [*DESCRIPTION, "*.safetensors"] if weights else DESCRIPTION
    for cached_only in (True, False) if trained else (False,):
        try:
            found = Path(hub.snapshot_download(name, allow_patterns=wanted, local_files_only=cached_only))
            if weights:
                read_headers(found)
            return found
        except (OSError, ValueError, hub.errors.HfHubHTTPError, DataError) as error:
            cause = error
    raise ConfigError(
        f"cannot fetch {name!r} from the hub ({type(cause).__name__}), and its cache does not hold it whole; check "
        "the name and the network, or pass --model the path of a model folder"
    ) from cause
