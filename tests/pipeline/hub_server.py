"""A hub of our own over HTTP: what huggingface_hub asks of data sets and their files, so that its own code runs."""

import contextlib
import hashlib
import http.server
import json
import threading

BRANCHES = ("main", "v1")


class Hub(http.server.BaseHTTPRequestHandler):
    """The facts of a data set, and its files at a commit."""

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def log_message(self, *_):
        pass

    def answer(self, body):
        path = self.path.partition("?")[0]
        repo = "/".join(path.removeprefix("/api").split("/")[2:4])
        refused = self.server.refused.get(repo)
        if repo not in self.server.files or refused:
            status, code = refused or (404, "RepoNotFound")
            self.send(status, b"{}", {"X-Error-Code": code} if code else {}, body)
        elif path.startswith("/api/"):
            asked = path.split("/revision/")[1] if "/revision/" in path else BRANCHES[0]
            if len(asked) != 40 and asked not in BRANCHES:
                self.send(404, b"{}", {"X-Error-Code": "RevisionNotFound"}, body)
                return
            # A commit is itself, a branch or tag the newest one.
            commit = asked if len(asked) == 40 else self.server.head
            files = [{"rfilename": name, "size": len(content)} for name, content in self.server.files[repo].items()]
            facts = {"id": repo, "sha": commit, "cardData": self.server.cards.get(repo), "siblings": files}
            self.send(200, json.dumps(facts).encode(), {}, body)
        else:
            commit, _, name = path.split("/resolve/")[1].partition("/")
            content = self.server.files[repo].get(name)
            if content is None:
                self.send(404, b"", {"X-Error-Code": "EntryNotFound"}, body)
                return
            if body:
                self.server.fetched.append(f"{repo}@{commit}/{name}")
            headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": commit}
            self.send(200, content, headers, body)

    def send(self, status, content, headers, body):
        self.send_response(status)
        length = {"Content-Length": str(len(content)), "Content-Type": "application/json"}
        for name, value in {**length, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)


@contextlib.contextmanager
def start(monkeypatch, cache, files, head, cards=None):
    """Serve `files` (data set -> name -> bytes) to huggingface_hub, which keeps them in `cache`.

    The server's `refused` (data set -> status and error code) and `files` may be changed; `fetched` lists what was
    downloaded as data set@commit/name.
    """
    from huggingface_hub import constants

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.files, server.head, server.cards, server.fetched, server.refused = files, head, cards or {}, [], {}
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
