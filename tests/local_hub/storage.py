"""Large files: where to send them, in one piece or in parts, and every file's bytes."""

import hashlib
import re

from local_hub.state import Refused

BLOCK = 1 << 16


def batch(request, prefix, name):
    hub = request.hub
    # A pull request may be opened by anybody who can read.
    request.repo("dataset" if prefix else "model", name)
    if request.role is None:
        raise Refused(401, "", "Invalid username or password.")
    found = []
    for asked in request.json()["objects"]:
        oid, size = asked["oid"], asked["size"]
        answer = {"oid": oid, "size": size, "authenticated": True}
        if oid not in hub.stored:
            upload = {"href": f"{hub.address}/lfs/{oid}"}
            if size > hub.part_size:
                count = -(-size // hub.part_size)
                parts = {str(n): f"{hub.address}/lfs/{oid}/{n}" for n in range(1, count + 1)}
                header = {"chunk_size": str(hub.part_size), **parts}
                upload = {"href": f"{hub.address}/lfs/{oid}/complete", "header": header}
            answer["actions"] = {"upload": upload, "verify": {"href": f"{hub.address}/lfs/verify"}}
        found.append(answer)
    request.send_json({"transfer": "basic", "objects": found})


def counted_body(request):
    """The body of an upload, counted as it arrives; it may be held up, and then breaks off."""
    hub = request.hub
    with hub.lock:
        hub.uploads += 1
    try:
        return _blocks(request)
    finally:
        with hub.lock:
            hub.uploads -= 1


def _blocks(request):
    hub = request.hub
    left, parts = int(request.headers["Content-Length"]), []
    while left:
        block = request.rfile.read(min(left, BLOCK))
        if not block:
            raise ConnectionError("the client went away")
        left -= len(block)
        parts.append(block)
        with hub.lock:
            hub.received += len(block)
            hold = hub.hold_after is not None and hub.received >= hub.hold_after
        if hold:
            hub.holding.set()
            hub.release.wait()
            raise ConnectionError("the upload broke off")
    return b"".join(parts)


def put(request, oid, number=None):
    hub, content = request.hub, counted_body(request)
    if number is not None:
        hub.stored[f"{oid}/{number}"] = content
    elif hashlib.sha256(content).hexdigest() == oid:
        hub.stored[oid] = content
    else:
        raise Refused(400, "", "the content is not what the sha256 says")
    request.send(200, b"", {"ETag": f'"{hashlib.md5(content).hexdigest()}"'})


def complete(request, oid):
    hub, asked = request.hub, request.json()
    content = b"".join(hub.stored.pop(f"{oid}/{part['partNumber']}") for part in asked["parts"])
    if hashlib.sha256(content).hexdigest() != oid:
        raise Refused(400, "", "the parts are not what the sha256 says")
    hub.stored[oid] = content
    request.send_json({"success": True})


def verify(request):
    asked = request.json()
    if len(request.hub.stored.get(asked["oid"], b"")) != asked["size"]:
        raise Refused(404, "", "not stored")
    request.send_json({})


def resolve(request, prefix, name, revision, path):
    repo = request.repo("dataset" if prefix else "model", name)
    sha = request.commit_of(repo, revision)
    file = repo.tree(sha).get(path)
    if file is None:
        raise Refused(404, "EntryNotFound", f"{path} does not exist")
    if request.command == "GET":
        request.hub.fetched.append(f"{name}@{sha}/{path}")
    content, status = file.content, 200
    headers = {"ETag": f'"{file.sha256 if file.lfs else file.blob_id}"', "X-Repo-Commit": sha}
    headers |= {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
    if wanted:
        first, last = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        content, status = content[first : last + 1], 206
    request.send(status, content, headers)
