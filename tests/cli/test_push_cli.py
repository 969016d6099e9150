"""`golongrl push-to-hub` as a process: asked, dry, as JSON, killed in the middle and taken up again."""

import json
import os
import pty
import shutil
import signal
import subprocess
import time

import local_hub
import pytest
from run_cli import COMMAND

from golongrl.core.records import Record, write_parquet
from golongrl.core.store import file_sha256
from golongrl.rewards.audit import audit

CARD = """---
license: mit
language: [en]
task_categories: [question-answering]
size_categories: ["n<1K"]
configs:
- config_name: default
  data_files:
  - {{split: train, path: {path}}}
---
# Questions about books

{text}
"""


def record(number, filler=""):
    return Record.model_validate(
        {
            "data_source": "deepmind/narrativeqa",
            "prompt": [{"role": "user", "content": f"{filler}Who wrote book {number}?"}],
            "reward_model": {"ground_truth": {"golden_label": f"Author {number}"}},
            "extra_info": {"index": number, "metric": "em"},
        }
    )


def write_dataset(folder, files=1, bytes_each=0):
    """A small dataset with a card and audited rewards; its text does not compress below `bytes_each`."""
    folder.mkdir(parents=True)
    for number in range(files):
        filler = os.urandom(bytes_each // 2).hex() if bytes_each else ""
        path = folder / f"part-{number}.parquet"
        write_parquet(path, [record(2 * number, filler), record(2 * number + 1)])
        assert audit(path, costly=False, out=folder / f"part-{number}.audit").passed
    (folder / "README.md").write_text(CARD.format(path="part-*.parquet", text="About it. " * 40))
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("made") / "books")


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "books")


@pytest.fixture
def hub():
    with local_hub.serve() as hub:
        yield hub


def command(*args):
    return [*COMMAND, "push-to-hub", *map(str, args)]


def environment(hub, home, token=local_hub.TOKEN, xet=False):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    return {**kept, **local_hub.environment(hub, home, token, xet=xet)}


def run(hub, tmp_path, *args, token=local_hub.TOKEN, xet=False):
    return subprocess.run(
        command(*args),
        cwd=tmp_path,
        env=environment(hub, tmp_path / "home", token, xet),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_dataset_is_published_shown_and_found_unchanged(hub, folder, tmp_path):
    dry = run(hub, tmp_path, "dataset", folder, "org/books", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert not hub.repos
    assert "new: the private dataset org/books" in dry.stderr
    assert "3 to create, 0 to change, 0 to delete, 0 unchanged" in dry.stderr
    done = run(hub, tmp_path, "dataset", folder, "org/books", "--yes", "--message", "First books", "--json")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    repo = hub.repos["dataset", "org/books"]
    assert outcome["commit"] == repo.branches["main"]
    assert outcome["url"] == f"{hub.address}/datasets/org/books"
    assert outcome["passed"]
    assert [change["path"] for change in outcome["changes"]] == [
        "README.md",
        "audit/part-0.parquet.json",
        "part-0.parquet",
    ]
    assert repo.messages[-1] == "First books"
    again = run(hub, tmp_path, "dataset", folder, "org/books", "--yes")
    assert again.returncode == 0
    assert "already holds exactly this" in again.stderr
    for said in (dry, done, again):
        assert local_hub.TOKEN not in said.stdout + said.stderr
    home = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(local_hub.TOKEN.encode() in content for content in home)


def test_nobody_to_ask_is_a_usage_error_before_anything_is_read(hub, folder, tmp_path):
    done = run(hub, tmp_path, "dataset", folder, "org/books")
    assert done.returncode == 2
    assert "pass --yes to publish, or --dry-run" in done.stderr
    assert not hub.requests


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_a_person_is_asked(hub, folder, tmp_path, answer, code):
    here, there = pty.openpty()
    process = subprocess.Popen(
        command("dataset", folder, "org/books"),
        cwd=tmp_path,
        env=environment(hub, tmp_path / "home"),
        stdin=there,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.write(here, f"{answer}\n".encode())
    _, said = process.communicate(timeout=120)
    os.close(here)
    os.close(there)
    assert process.returncode == code, said
    assert "Publish this? [y/N]" in said
    assert (("dataset", "org/books") in hub.repos) == (code == 0)


def test_failed_checks_are_listed_and_nothing_is_asked_of_the_hub(hub, folder, tmp_path):
    shutil.rmtree(folder / "part-0.audit")
    done = run(hub, tmp_path, "dataset", folder, "org/books", "--yes", "--json")
    assert done.returncode == 1
    assert "run: golongrl verify-rewards" in done.stderr
    outcome = json.loads(done.stdout)
    assert not outcome["passed"]
    assert [check["name"] for check in outcome["checks"] if not check["passed"]] == ["rewards audited"]
    assert not hub.requests


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["weights", "books", "org/books", "--yes"], 2, "no kind of thing to publish; write dataset, model, results"),
        (["dataset", "missing", "org/books", "--yes"], 2, "no such folder: missing"),
        (["dataset", "books/README.md", "org/books", "--yes"], 2, "is a file; give the folder of a dataset"),
        (["dataset", "books", "books", "--yes"], 2, "names no account; write org/books"),
        (["dataset", "books", "org/books", "--yes", "--create-pr"], 2, "leave out --create-pr"),
        (["dataset", "books", "else/books", "--yes"], 3, "org may not write to "),
        (["model", "books", "org/books", "--yes"], 2, "holds no config.json"),
        (["results", "books", "org/books", "--yes"], 2, "holds no results.json"),
    ],
)
def test_what_cannot_be_published_is_one_message(hub, folder, tmp_path, args, code, words):
    done = run(hub, tmp_path, *args)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_login_and_with_a_wrong_one(hub, folder, tmp_path):
    done = run(hub, tmp_path, "dataset", folder, "org/books", "--yes", token=None)
    assert done.returncode == 3
    assert "run `hf auth login`, or set HF_TOKEN" in done.stderr
    wrong = "hf_" + "wrong" * 7
    done = run(hub, tmp_path, "dataset", folder, "org/books", "--yes", token=wrong)
    assert done.returncode == 3
    assert "does not accept your token" in done.stderr
    assert wrong not in done.stderr


def test_the_login_of_the_hubs_own_command_is_enough(hub, folder, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "token").write_text(local_hub.TOKEN)
    done = run(hub, tmp_path, "dataset", folder, "org/books", "--yes", token=None)
    assert done.returncode == 0, done.stderr
    assert local_hub.TOKEN not in done.stdout + done.stderr


@pytest.mark.parametrize("xet", [False, True])
def test_a_push_that_is_killed_goes_on_with_what_is_missing(tmp_path, xet):
    folder = write_dataset(tmp_path / "books", files=10, bytes_each=400_000)
    sizes = {path.name: path.stat().st_size for path in folder.glob("*.parquet")}
    total = sum(sizes.values())
    assert total > 2_000_000
    # The hub stops reading in the middle of a file of the second group, and the process dies there.
    with local_hub.serve(hold_after=total - 150_000) as hub:
        process = subprocess.Popen(
            command("dataset", folder, "org/books", "--yes"),
            cwd=tmp_path,
            env=environment(hub, tmp_path / "home", xet=xet),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert hub.holding.wait(timeout=100)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        hub.release.set()
        while hub.uploads:
            time.sleep(0.01)
        hub.hold_after = None
        stored = sum(map(len, hub.stored.values()))
        assert 0 < stored < total
        assert sorted(hub.repos["dataset", "org/books"].tree()) == [".gitattributes"]
        hub.received = 0
        done = run(hub, tmp_path, "dataset", folder, "org/books", "--yes", xet=xet)
        assert done.returncode == 0, done.stderr
        # Xet sends chunks, some of which are there already, with a little around them.
        assert 0 < hub.received <= (total - stored) * 1.03 if xet else hub.received == total - stored
        tree = hub.repos["dataset", "org/books"].tree()
        assert {name: tree[name].sha256 for name in sizes} == {name: file_sha256(folder / name) for name in sizes}
        assert len(hub.repos["dataset", "org/books"].messages) == 2
