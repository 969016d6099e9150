"""The hub's addresses: one method per address, found by pattern."""

import http.server
import json
import re
import urllib.parse

from local_hub import api, storage, xet
from local_hub.state import Refused

ROUTES = [
    ("GET", r"/api/whoami-v2", api.whoami),
    ("POST", r"/api/repos/create", api.create_repo),
    ("POST", r"/api/validate-yaml", api.validate_card),
    ("GET", r"/api/(model|dataset)s/([^/]+/[^/]+)", api.info),
    ("GET", r"/api/(model|dataset)s/([^/]+/[^/]+)/revision/([^/]+)", api.info),
    ("GET", r"/api/(model|dataset)s/([^/]+/[^/]+)/tree/([^/]+)(?:/(.+))?", api.tree),
    ("POST", r"/api/(model|dataset)s/([^/]+/[^/]+)/paths-info/([^/]+)", api.paths_info),
    ("GET", r"/api/(model|dataset)s/([^/]+/[^/]+)/refs", api.refs),
    ("POST", r"/api/(model|dataset)s/([^/]+/[^/]+)/branch/(.+)", api.create_branch),
    ("POST", r"/api/(model|dataset)s/([^/]+/[^/]+)/preupload/([^/]+)", api.preupload),
    ("POST", r"/api/(model|dataset)s/([^/]+/[^/]+)/commit/([^/]+)", api.commit),
    ("POST", r"/(datasets/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", storage.batch),
    ("PUT", r"/lfs/([0-9a-f]{64})", storage.put),
    ("PUT", r"/lfs/([0-9a-f]{64})/(\d+)", storage.put),
    ("POST", r"/lfs/([0-9a-f]{64})/complete", storage.complete),
    ("POST", r"/lfs/verify", storage.verify),
    ("GET", r"/api/(model|dataset)s/([^/]+/[^/]+)/xet-write-token/([^/]+)", xet.token),
    ("POST", r"/cas/v1/xorbs/default/([0-9a-f]{64})", xet.xorb),
    ("POST", r"/cas/v1/shards", xet.shard),
    ("GET", r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", storage.resolve),
]


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer()

    do_HEAD = do_POST = do_PUT = do_GET

    def log_message(self, *_):
        pass

    @property
    def hub(self):
        return self.server.hub

    def answer(self):
        path, _, query = self.path.partition("?")
        self.query = dict(urllib.parse.parse_qsl(query))
        request = f"{self.command} {path}"
        with self.hub.lock:
            self.hub.requests.append(request)
            dead = self.hub.dead_after is not None and len(self.hub.requests) > self.hub.dead_after
        if dead:
            self.close_connection = True
            return
        fault = self.hub.fault(request)
        self.body = b""
        self.lost = fault is not None and fault.status == 0
        if self.lost:
            fault = None
        try:
            # An upload is read by its own handler, which may stop in the middle of it.
            if fault is not None or not re.match(r"PUT|POST /cas/v1/xorbs/", request):
                self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if fault is not None:
                self.send(fault.status, fault.body, fault.headers)
                return
            method = "GET" if self.command == "HEAD" else self.command
            for verb, pattern, handle in ROUTES:
                match = re.fullmatch(pattern, path)
                if verb == method and match:
                    handle(self, *(urllib.parse.unquote(part) if part else part for part in match.groups()))
                    return
            raise Refused(404, "", f"no such address: {path}")
        except Refused as error:
            headers = {"X-Error-Code": error.code, "X-Error-Message": error.message}
            body = json.dumps({"error": error.message}).encode()
            self.send(error.status, body, {name: text for name, text in headers.items() if text})
        except ConnectionError:
            self.close_connection = True

    @property
    def role(self):
        """ "read" or "write" of the request's token, None without one; 401 for a wrong one."""
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if given and given not in self.hub.tokens:
            raise Refused(401, "", "Invalid credentials in Authorization header")
        return self.hub.tokens.get(given)

    def repo(self, kind, name, *, write=False):
        """A repository that the request may see, or write to."""
        role, found = self.role, self.hub.repos.get((kind, name))
        if name in self.hub.refused:
            raise Refused(*self.hub.refused[name])
        if found is None or (found.private and role is None):
            raise Refused(404 if role else 401, "RepoNotFound", "Repository not found")
        if write and role != "write":
            raise Refused(403, "", "You don't have the rights to write to this repository")
        return found

    def commit_of(self, repo, revision):
        """The sha of a revision."""
        found = repo.resolve(revision)
        if found is None:
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return found

    def json(self):
        return json.loads(self.body)

    def send_json(self, value, status=200, headers=None):
        self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

    def send(self, status, content=b"", headers=None):
        if self.lost:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
