"""The config.json that a plan is made from: of a folder, a file, or a model on the hub."""

from pathlib import Path
from typing import Any

from golongrl.core.errors import UsageError, require
from golongrl.core.model_config import model_config, read_config


def find_config(model: str) -> tuple[dict[str, Any], str]:
    """A model's config and where it was found.

    `model` is a folder, a config file (.json) or a hub id; of the latter the hub's cache counts when the hub does not
    answer. UsageError when there is no such thing, DataError when it is damaged.
    """
    path = Path(model)
    if path.is_dir():
        return model_config(path), str(path / "config.json")
    if path.is_file():
        return read_config(path), str(path)
    if model.startswith((".", "/", "~")) or model.endswith(".json") or model.count("/") != 1:
        raise UsageError(
            f"no such model: {model}; give a folder that holds config.json, such a file, or a hub id like "
            "Qwen/Qwen3-4B"
        )
    hub = require("huggingface_hub")
    try:
        found = Path(hub.hf_hub_download(model, "config.json"))
    except (OSError, ValueError, hub.errors.HfHubHTTPError) as error:
        raise UsageError(
            f"cannot fetch the config.json of {model!r} from the hub ({type(error).__name__}), and its cache does "
            "not hold it; check the name and the network, or give --model the path of a config.json, which is all a "
            "plan needs"
        ) from error
    return read_config(found), f"{model} on the hub"
