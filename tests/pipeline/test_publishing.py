"""From a folder to a repository of a hub over HTTP: what is shown, travels, is refused and is verified."""

import contextlib

import local_hub
import pytest
from local_hub import Fault
from publishable import copied, dataset

from golongrl.core.errors import CheckFailedError, ServerError, UsageError
from golongrl.core.store import file_sha256
from golongrl.pipeline.publishing import upload
from golongrl.pipeline.publishing.parcel import Facts
from golongrl.pipeline.publishing.push import Request, carry_out, plan

REPO = "org/talks"
COMMITS = r"POST .*/commit/"


class Bar:
    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def advance(self, _):
        pass


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return dataset(tmp_path_factory.mktemp("made") / "talks")


@pytest.fixture
def folder(made, tmp_path):
    return copied(made, tmp_path / "talks")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with local_hub.serve() as hub:
        local_hub.use(monkeypatch, hub, tmp_path / "home")
        yield hub


def ask(folder, **changes):
    return plan(Request("dataset", folder, REPO, **changes), Bar)


def publish(folder, **changes):
    return carry_out(ask(folder, **changes), Bar)


def repo_of(hub):
    return hub.repos["dataset", REPO]


def test_a_new_repository_is_private_and_holds_exactly_the_folder(hub, folder):
    done = publish(folder)
    repo = repo_of(hub)
    assert repo.private
    assert sorted(repo.tree()) == [
        ".gitattributes", "README.md", "audit/train.parquet.json", "audit/val.parquet.json", "build.json",
        "documents.jsonl", "golongrl.toml", "report.html", "train.parquet", "val.parquet",
    ]  # fmt: skip
    assert repo.tree()["train.parquet"].sha256 == file_sha256(folder / "train.parquet")
    assert repo.tree()["train.parquet"].lfs
    assert not repo.tree()["documents.jsonl"].lfs
    assert done.commit == repo.branches["main"]
    assert repo.messages[-1].startswith("Publish dataset with golongrl")
    # Files in LFS are counted as they arrive, and only once.
    assert hub.received == sum((folder / name).stat().st_size for name in ("train.parquet", "val.parquet"))


def test_planning_writes_nothing(hub, folder):
    before = sorted(folder.rglob("*"))
    planned = ask(folder)
    assert {change.action for change in planned.changes} == {"create"}
    assert planned.new == ["the private dataset org/talks"]
    assert not hub.repos
    assert not hub.asked(r"create|preupload|commit|batch")
    assert sorted(folder.rglob("*")) == before


def test_an_unchanged_folder_changes_nothing(hub, folder):
    publish(folder)
    sent = hub.received
    planned = ask(folder)
    assert planned.changes == []
    assert planned.unchanged == 9
    assert hub.received == sent


def test_created_changed_and_deleted_files_are_listed_with_their_sizes(hub, folder):
    publish(folder)
    old = (folder / "report.html").stat().st_size
    (folder / "report.html").write_text("<p>Another report</p>")
    (folder / "documents.jsonl").unlink()
    (folder / "LICENSE").write_text("Text")
    changes = {change.path: change for change in ask(folder).changes}
    assert {path: change.action for path, change in changes.items()} == {
        "LICENSE": "create",
        "report.html": "change",
        "documents.jsonl": "delete",
    }
    assert (changes["report.html"].old_size, changes["report.html"].size) == (old, 21)
    assert changes["LICENSE"].sha256 == file_sha256(folder / "LICENSE")
    sent = hub.received
    publish(folder)
    assert "documents.jsonl" not in repo_of(hub).tree()
    assert repo_of(hub).tree()["report.html"].content == b"<p>Another report</p>"
    assert hub.received == sent


def test_a_listing_in_pages_is_read_to_its_end(hub, folder):
    publish(folder)
    hub.page = 3
    assert ask(folder).changes == []


def test_a_file_of_the_same_size_and_other_content_is_a_change(hub, folder):
    publish(folder)
    (folder / "report.html").write_text("<p>rEPORT</p>")
    assert [(change.action, change.path) for change in ask(folder).changes] == [("change", "report.html")]


def test_a_large_file_travels_in_parts(tmp_path, monkeypatch, folder):
    with local_hub.serve(part_size=5000) as hub:
        local_hub.use(monkeypatch, hub, tmp_path / "home")
        publish(folder)
        assert len(hub.asked(r"PUT /lfs/[0-9a-f]+/\d+")) > 2
        assert repo_of(hub).tree()["train.parquet"].content == (folder / "train.parquet").read_bytes()


def test_a_branch_is_made_from_main_when_it_is_missing(hub, folder):
    publish(folder)
    main = repo_of(hub).branches["main"]
    (folder / "report.html").write_text("new")
    planned = ask(folder, revision="v2")
    assert planned.new == ["the branch v2"]
    assert [change.path for change in planned.changes] == ["report.html"]
    carry_out(planned, Bar)
    assert repo_of(hub).branches["main"] == main
    assert repo_of(hub).tree("v2")["report.html"].content == b"new"
    assert ask(folder, revision="v2").new == []


def test_a_branch_of_a_new_repository(hub, folder):
    publish(folder, revision="draft")
    assert sorted(repo_of(hub).tree()) == [".gitattributes"]
    assert "train.parquet" in repo_of(hub).tree("draft")


def test_a_missing_branch_is_made_even_where_no_file_changes(hub, folder):
    publish(folder)
    done = publish(folder, revision="v2")
    assert repo_of(hub).branches["v2"] == repo_of(hub).branches["main"] == done.commit


def test_a_pull_request_leaves_main_as_it_is(hub, folder):
    publish(folder)
    main = repo_of(hub).branches["main"]
    (folder / "report.html").write_text("new")
    done = publish(folder, create_pr=True, message="A better report")
    assert repo_of(hub).branches["main"] == main
    assert done.revision == "refs/pr/1"
    assert done.pull_request.endswith("/org/talks/discussions/1")
    assert repo_of(hub).tree("refs/pr/1")["report.html"].content == b"new"
    assert repo_of(hub).messages[-1] == "A better report"


def test_somebody_who_was_faster_is_not_overwritten(hub, folder):
    publish(folder)
    (folder / "report.html").write_text("new")
    planned = ask(folder)

    def meanwhile(repo):
        hub.before_commit = None
        repo.commit({**repo.tree(), "notes.md": local_hub.File(b"theirs")}, "somebody else")

    hub.before_commit = meanwhile
    with pytest.raises(CheckFailedError, match="somebody else changed the repository in between"):
        carry_out(planned, Bar)
    tree = repo_of(hub).tree()
    assert tree["notes.md"].content == b"theirs"
    assert tree["report.html"].content == b"<p>Report</p>"
    # The next look lists what came in between, before anything is deleted.
    assert {(change.action, change.path) for change in ask(folder).changes} == {
        ("change", "report.html"),
        ("delete", "notes.md"),
    }


def test_a_repository_that_appeared_in_between_is_left_alone(hub, folder):
    planned = ask(folder)
    hub.create("dataset", REPO, {"theirs.txt": b"x"})
    with pytest.raises(CheckFailedError, match="somebody else"):
        carry_out(planned, Bar)
    assert sorted(repo_of(hub).tree()) == [".gitattributes", "theirs.txt"]


def test_a_file_that_changes_while_it_is_sent_is_not_committed(hub, folder):
    planned = ask(folder)
    content = bytearray((folder / "train.parquet").read_bytes())
    content[-1] ^= 1
    (folder / "train.parquet").write_bytes(content)
    with pytest.raises(CheckFailedError, match=r"train\.parquet changed while"):
        carry_out(planned, Bar)
    assert not hub.asked(COMMITS)


def test_a_file_that_is_gone_when_it_is_to_be_sent(hub, folder):
    planned = ask(folder)
    (folder / "report.html").unlink()
    with pytest.raises(CheckFailedError, match=r"report\.html.* is not a file"):
        carry_out(planned, Bar)
    assert not hub.asked(COMMITS)


def test_what_did_not_arrive_as_it_was_sent_is_noticed(hub, folder):
    publish(folder)
    repo = repo_of(hub)
    repo.commit({**repo.tree(), ".gitignore": local_hub.File(b"documents.jsonl\n")}, "ignore")
    (folder / "documents.jsonl").write_text("{}\n")
    # The hub drops what the repository's .gitignore names, whatever the client sent.
    with pytest.raises(CheckFailedError, match=r"documents\.jsonl has other content"):
        publish(folder)


def test_a_lost_answer_to_a_commit_makes_no_second_commit(hub, folder):
    hub.faults = [Fault(COMMITS, 0)]
    done = publish(folder)
    assert len(hub.asked(COMMITS)) == 2
    assert done.commit == repo_of(hub).branches["main"]
    assert len(repo_of(hub).messages) == 2


@pytest.mark.parametrize("status", [500, 503])
def test_a_hub_that_stumbles_is_asked_again(hub, folder, status, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    hub.faults = [Fault(r"preupload", status), Fault(r"PUT /lfs", status), Fault(COMMITS, status)]
    publish(folder)
    assert repo_of(hub).tree()["train.parquet"].sha256 == file_sha256(folder / "train.parquet")
    assert len(hub.asked(COMMITS)) == 2


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (Fault("whoami", 401), ServerError, "hf auth login"),
        (Fault("repos/create", 403, body=b'{"error": "no rights"}'), ServerError, "write permission.*|no rights"),
        (Fault("repos/create", 409), CheckFailedError, "somebody else"),
        (Fault("preupload", 429, 99, {"Retry-After": "7"}), ServerError, "wait 7 seconds"),
        (Fault("PUT /lfs", 503, 99), ServerError, "answers 503.*run the same command again"),
        (Fault(COMMITS, 500, 99), ServerError, "answers 500"),
        (Fault("GET /api/datasets", 500, 99), ServerError, "answers 500"),
        (Fault("preupload", 403), ServerError, "may not do this"),
        (
            Fault("validate-yaml", 400, body=b'{"errors": [{"message": "bad license"}]}'),
            CheckFailedError,
            "bad license",
        ),
    ],
)
def test_each_failure_of_the_hub_is_one_message(hub, folder, monkeypatch, fault, error, words):
    monkeypatch.setattr("time.sleep", lambda _: None)
    hub.faults = [fault]
    with pytest.raises(error, match=words) as caught:
        publish(folder)
    assert local_hub.TOKEN not in str(caught.value)
    assert "\n  File" not in str(caught.value)
    if repo := hub.repos.get(("dataset", REPO)):
        assert sorted(repo.tree()) == [".gitattributes"]


def test_without_a_login_the_message_says_how_to_get_one(hub, folder, tmp_path, monkeypatch):
    local_hub.use(monkeypatch, hub, tmp_path / "home", token=None)
    with pytest.raises(ServerError, match="run `hf auth login`, or set HF_TOKEN"):
        ask(folder)


def test_a_token_that_may_only_read_is_refused_before_anything_is_sent(hub, folder, tmp_path, monkeypatch):
    local_hub.use(monkeypatch, hub, tmp_path / "home", token=local_hub.READ_TOKEN)
    with pytest.raises(ServerError, match="may only read"):
        ask(folder)


@pytest.mark.parametrize("orgs", [{}, {"lab": "read"}])
def test_a_plan_already_says_that_the_account_has_no_say_in_a_namespace(hub, folder, orgs):
    hub.orgs = {"team": "write", **orgs}
    with pytest.raises(ServerError, match="org may not write to lab: publish below org or team"):
        plan(Request("dataset", folder, "lab/books"), Bar)
    assert not hub.asked("lab/books|repos/create")


def test_an_organisation_s_member_publishes_below_it_whatever_the_case_of_its_name(hub, folder):
    hub.orgs = {"lab": "contributor"}
    assert plan(Request("dataset", folder, "Lab/books"), Bar).passed
    assert carry_out(plan(Request("dataset", folder, "lab/books"), Bar), Bar).url.endswith("/datasets/lab/books")


def test_a_hub_that_is_not_there(hub, folder, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ServerError, match=r"cannot be reached.*HF_ENDPOINT"):
        ask(folder)


def test_an_offline_setting_is_named(hub, folder, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ServerError, match=r"cannot be reached.*unset HF_HUB_OFFLINE"):
        ask(folder)


def test_a_licence_that_the_hub_does_not_know_is_refused_before_anything_is_sent(hub, folder):
    planned = ask(folder, facts=Facts(licence="my-own"))
    assert [check.name for check in planned.checks if check.problems] == ["card valid for the hub"]
    with pytest.raises(CheckFailedError, match='"license" must be one of'):
        carry_out(planned, Bar)
    assert not hub.repos


def test_a_name_that_is_a_model_is_not_taken_for_a_dataset(hub, folder):
    hub.create("model", REPO)
    with pytest.raises(UsageError, match="is a model on the hub"):
        ask(folder)


def test_nothing_goes_to_a_public_repository_unless_that_is_said(hub, folder):
    hub.create("dataset", REPO, private=False)
    with pytest.raises(UsageError, match=r"is public.*pass --public"):
        ask(folder)
    publish(folder, private=False)
    assert "train.parquet" in repo_of(hub).tree()


def test_a_private_repository_stays_private(hub, folder):
    hub.create("dataset", REPO, private=True)
    with pytest.raises(UsageError, match="leave out --public"):
        ask(folder, private=False)
    publish(folder)
    assert repo_of(hub).private


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"create_pr": True}, "does not exist yet"),
        ({"create_pr": True, "revision": "v2"}, "leave out --revision"),
        ({"message": ""}, "must not be empty"),
    ],
)
def test_requests_that_make_no_sense(hub, folder, changes, words):
    with pytest.raises(UsageError, match=words):
        ask(folder, **changes)


@pytest.mark.parametrize("name", ["talks", "a/b/c", "org/bad name"])
def test_names_that_are_no_repository(hub, folder, name):
    with pytest.raises(UsageError):
        plan(Request("dataset", folder, name), Bar)


def test_more_files_than_one_commit_takes_are_sent_in_groups(hub, folder, monkeypatch):
    monkeypatch.setattr(upload, "GROUP", 3)
    publish(folder)
    assert len(hub.asked("preupload")) == 3
    assert len(hub.asked(COMMITS)) == 1


def test_an_interrupted_push_sends_only_what_is_missing(hub, folder, monkeypatch):
    monkeypatch.setattr(upload, "GROUP", 1)
    monkeypatch.setattr("time.sleep", lambda _: None)
    hub.faults = [Fault(rf"PUT /lfs/{file_sha256(folder / 'val.parquet')}", 500, 6)]
    with contextlib.suppress(ServerError):
        publish(folder)
    assert hub.received == (folder / "train.parquet").stat().st_size
    publish(folder)
    assert hub.received == sum((folder / name).stat().st_size for name in ("train.parquet", "val.parquet"))


@pytest.mark.slow
def test_a_push_that_breaks_off_at_any_request_ends_as_an_undisturbed_one(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(upload, "GROUP", 3)
    broken, ends = 0, []
    while len(ends) == broken:  # until one came through
        with local_hub.serve(dead_after=broken) as hub:
            local_hub.use(monkeypatch, hub, tmp_path / "home")
            try:
                publish(folder)
            except ServerError:
                broken += 1
            hub.dead_after = None
            # After a commit whose listing was lost there is nothing left to send.
            if ask(folder).changes:
                publish(folder)
            ends.append((repo_of(hub).tree(), hub.received))
    assert broken > 15
    assert all(end == ends[-1] for end in ends)
