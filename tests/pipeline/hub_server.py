"""The local hub with data sets to read, for the loaders of `eval` and `build-dataset` in this process."""

import contextlib

import local_hub


@contextlib.contextmanager
def start(monkeypatch, cache, files, head):
    """Serve `files` (data set -> path -> bytes) to huggingface_hub, which keeps them in `cache`; yields the hub.

    Every data set has the branches main and v1 at the commit `head`; any other commit id finds the same files.
    """
    from huggingface_hub import constants

    with local_hub.serve() as hub:
        local_hub.use(monkeypatch, hub, cache, token=None)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
        for name, content in files.items():
            put(hub, name, content, head)
        yield hub


def put(hub, name, files, head):
    """A data set of these files at the commit `head`."""
    repo = hub.create("dataset", name, files, pinned=True)
    repo.commits[head] = repo.pinned
    repo.branches.update(main=head, v1=head)
