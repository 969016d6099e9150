"""Model folders for tests of merging and proving."""

import json
import shutil

from safetensors.torch import load_file, save_file


def folder_like(base, folder, change=lambda tensors: None, **config):
    """A copy of a model folder with changed tensors and config keys; None removes a key."""
    shutil.copytree(base, folder)
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    settings = json.loads((folder / "config.json").read_text()) | config
    (folder / "config.json").write_text(json.dumps({key: v for key, v in settings.items() if v is not None}))
    return folder


def trained(tensors):
    """A change for `folder_like`: every weight grows by 0.01."""
    for tensor in tensors.values():
        tensor += 0.01


def names(folder):
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())
