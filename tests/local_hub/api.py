"""Repositories, listings, branches, commits and cards."""

import base64
import json
import urllib.parse

import yaml

from local_hub import state
from local_hub.state import Refused

LICENCES = ("apache-2.0", "mit", "cc-by-4.0", "cc-by-sa-4.0", "cc0-1.0", "odc-by", "other", "unknown")
"""Some of the names that the hub has for licences."""


def whoami(request):
    if request.role is None:
        raise Refused(401, "", "Invalid username or password.")
    orgs = [{"type": "org", "name": name, "roleInOrg": role} for name, role in request.hub.orgs.items()]
    request.send_json({"type": "user", "name": "org", "auth": {"accessToken": {"role": request.role}}, "orgs": orgs})


def create_repo(request):
    role, asked = request.role, request.json()
    name = f"{asked.get('organization') or 'org'}/{asked['name']}"
    kind = asked.get("type") or "model"
    if role is None:
        raise Refused(401, "", "Invalid username or password.")
    owner = name.partition("/")[0]
    if role != "write" or (owner != "org" and request.hub.orgs.get(owner, "read") == "read"):
        raise Refused(403, "", f"You don't have the rights to create a {kind} under this namespace")
    hub, prefix = request.hub, "datasets/" if kind == "dataset" else ""
    with hub.lock:
        if (kind, name) in hub.repos:
            answer = {"error": "You already created this repo", "url": f"{hub.address}/{prefix}{name}"}
            request.send_json(answer, 409)
            return
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        hub.create(kind, name, private=private)
    request.send_json({"url": f"{hub.address}/{prefix}{name}", "name": name, "id": name})


def validate_card(request):
    """Errors the hub is known to find: metadata that is no mapping, an unknown licence, an incomplete model-index."""
    asked = request.json()
    parts = asked["content"].split("---\n")
    errors = []
    try:
        data = yaml.safe_load(parts[1]) if len(parts) > 2 else {}
    except yaml.YAMLError as error:
        data, errors = {}, [f"not YAML: {error}"]
    if not isinstance(data, dict):
        data, errors = {}, ["the metadata must be an object"]
    if data.get("license") not in (*LICENCES, None):
        errors.append(f'"license" must be one of [{", ".join(LICENCES)}]')
    for entry in data.get("model-index") or []:
        for result in entry.get("results") or [{}]:
            if not result.get("task", {}).get("type") or not result.get("dataset", {}).get("type"):
                errors.append('"model-index[0].results" needs task and dataset types')
    warnings = [] if data else [{"message": "empty or missing yaml metadata in repo card"}]
    request.send_json({"errors": [{"message": e} for e in errors], "warnings": warnings}, 400 if errors else 200)


def info(request, kind, name, revision=None):
    repo = request.repo(kind, name)
    sha = request.commit_of(repo, revision or "main")
    tree = repo.tree(sha)
    siblings = []
    for path, file in sorted(tree.items()):
        entry = {"rfilename": path}
        if request.query.get("blobs"):
            about = file.entry(path)
            entry |= {"size": about["size"], "blobId": about["oid"], **({"lfs": about["lfs"]} if file.lfs else {})}
            if file.lfs:
                entry["lfs"] = {**about["lfs"], "sha256": about["lfs"]["oid"]}
        siblings.append(entry)
    card = tree["README.md"].content.decode().split("---\n") if "README.md" in tree else []
    found = {"_id": name, "id": name, "sha": sha, "private": repo.private, "siblings": siblings, "tags": []}
    found["author"] = name.partition("/")[0]
    request.send_json({**found, "cardData": yaml.safe_load(card[1]) if len(card) > 2 else None})


def _entries(tree, folder, recursive):
    """What lies below a folder of a tree, folders included."""
    start = f"{folder}/" if folder else ""
    found = {}
    for path, file in sorted(tree.items()):
        if not path.startswith(start):
            continue
        parts = path.removeprefix(start).split("/")
        for depth in range(1, len(parts) if recursive else min(2, len(parts))):
            below = start + "/".join(parts[:depth])
            found[below] = {"type": "directory", "path": below, "size": 0, "oid": "0" * 40}
        if recursive or len(parts) == 1:
            found[path] = file.entry(path)
    return list(found.values())


def tree(request, kind, name, revision, folder=None):
    repo = request.repo(kind, name)
    files = repo.tree(request.commit_of(repo, revision))
    entries = _entries(files, folder, request.query.get("recursive", "").lower() == "true")
    if folder and not entries:
        raise Refused(404, "EntryNotFound", f"{folder} does not exist")
    first = int(request.query.get("cursor", 0))
    last = first + request.hub.page
    headers = {}
    if last < len(entries):
        path = request.path.partition("?")[0]
        query = "&".join(f"{key}={value}" for key, value in {**request.query, "cursor": last}.items())
        headers["Link"] = f'<{request.hub.address}{path}?{query}>; rel="next"'
    request.send_json(entries[first:last], headers=headers)


def paths_info(request, kind, name, revision):
    repo = request.repo(kind, name)
    files = repo.tree(request.commit_of(repo, revision))
    found = {entry["path"]: entry for entry in _entries(files, None, True)}
    paths = urllib.parse.parse_qs(request.body.decode()).get("paths", [])
    request.send_json([found[path] for path in paths if path in found])


def refs(request, kind, name):
    repo = request.repo(kind, name)
    heads = [{"name": b, "ref": f"refs/heads/{b}", "targetCommit": sha} for b, sha in repo.branches.items()]
    branches = [head for head in heads if not head["name"].startswith("refs/")]
    request.send_json({"branches": branches, "converts": [], "tags": [], "pullRequests": []})


def create_branch(request, kind, name, branch):
    repo = request.repo(kind, name, write=True)
    if branch in repo.branches:
        raise Refused(409, "", f"Reference already exists: {branch}")
    start = json.loads(request.body or b"{}").get("startingPoint") or "main"
    repo.branches[branch] = request.commit_of(repo, start)
    request.send_json({})


def preupload(request, kind, name, revision):
    repo = request.repo(kind, name, write=not request.query.get("create_pr"))
    files = repo.tree(request.commit_of(repo, revision))
    ignore = files[".gitignore"].content.decode().split() if ".gitignore" in files else []
    found = []
    for asked in request.json()["files"]:
        path = asked["path"]
        there = files.get(path)
        oid = (there.sha256 if there.lfs else there.blob_id) if there else None
        mode = "lfs" if state.is_large(path, asked["size"]) else "regular"
        found.append({"path": path, "uploadMode": mode, "shouldIgnore": path in ignore, "oid": oid})
    request.send_json({"files": found})


def commit(request, kind, name, revision):
    as_pr = bool(request.query.get("create_pr"))
    repo, hub = request.repo(kind, name, write=not as_pr), request.hub
    lines = [json.loads(line) for line in request.body.splitlines()]
    header = next(line["value"] for line in lines if line["key"] == "header")
    with hub.lock:
        if hub.before_commit:
            hub.before_commit(repo)
        if revision not in repo.branches and not as_pr:
            raise Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        parent = header.get("parentCommit")
        if parent and not as_pr and repo.branches[revision] != parent:
            raise Refused(412, "", "A commit has happened since. Please refresh and try again.")
        files = dict(repo.tree(parent or revision))
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = state.File(base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                if value["oid"] not in hub.stored:
                    raise Refused(400, "", f"LFS pointer pointed to a file that does not exist: {value['path']}")
                files[value["path"]] = state.File(hub.stored[value["oid"]], lfs=True)
            elif line["key"] == "deletedFile":
                if value["path"] not in files:
                    raise Refused(404, "EntryNotFound", "A file with this name doesn't exist")
                del files[value["path"]]
        branch = revision
        if as_pr:
            repo.pull_requests += 1
            branch = f"refs/pr/{repo.pull_requests}"
        sha = repo.commit(files, header["summary"], branch)
    url = f"{hub.address}/{'datasets/' if kind == 'dataset' else ''}{name}"
    found = {"success": True, "commitOid": sha, "commitUrl": f"{url}/commit/{sha}", "hookOutput": ""}
    if as_pr:
        found["pullRequestUrl"] = f"{url}/discussions/{repo.pull_requests}"
    request.send_json(found)
