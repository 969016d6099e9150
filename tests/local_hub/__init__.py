"""A hub of our own over HTTP on 127.0.0.1: what huggingface_hub, `datasets` and golongrl ask of the real one.

Repositories with commits, branches and pull requests, tokens and private repositories, LFS storage in one piece or in
parts, Xet uploads, card validation, and faults on demand. Everything that arrived is counted.
"""

import contextlib
import http.server
import sys
import threading

from local_hub.handler import Handler
from local_hub.state import READ_TOKEN, TOKEN, Fault, File, Hub, Repo

__all__ = ["READ_TOKEN", "TOKEN", "Fault", "File", "Hub", "Repo", "environment", "serve", "use"]


class _Server(http.server.ThreadingHTTPServer):
    """A server whose clients may die."""

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextlib.contextmanager
def serve(**settings):
    """Serve an empty hub; yields its state with `address` set."""
    hub = Hub(**settings)
    server = _Server(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.hub = True, hub
    hub.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield hub
    finally:
        hub.release.set()
        server.shutdown()
        server.server_close()


def use(monkeypatch, hub, home, token=TOKEN):
    """Let this process talk to the hub; huggingface_hub read its environment when it was imported."""
    from huggingface_hub import constants

    for name, value in environment(hub, home, token).items():
        monkeypatch.setenv(name, value)
    if not token:
        monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)


def environment(hub, home, token=TOKEN, *, xet=False):
    """Environment variables with which a process talks to the hub and keeps its files in `home`.

    With `xet` large files travel as the real hub prefers it, else by LFS over plain HTTP.
    """
    return {
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "0" if xet else "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        **({"HF_TOKEN": token} if token else {}),
    }
