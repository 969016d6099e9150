"""`golongrl build-dataset` as a command: output, exit codes, messages."""

import json
import os
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "golongrl.cli.app", "build-dataset"]


def run(*arguments, cwd):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "some docs"
    folder.mkdir()
    for number in range(4):
        rows = "".join(f"ant{number}{i},{i * i},{'sea' if i % 3 else 'hill'}\n" for i in range(12))
        (folder / f"t{number}.csv").write_text(f"name,weight,home\n{rows}")
    (folder / "note.xyz").write_text("?")
    return tmp_path


def test_builds_says_what_it_did_and_returns_at_once_the_second_time(work):
    arguments = ("some docs", "--out", "out", "--capabilities", "T1,T2,T3", "--target", 12, "--length-bins", "512")
    first = run(*arguments, "--json", cwd=work)
    assert first.returncode == 0, first.stderr
    printed = json.loads(first.stdout)
    assert printed["built"] == {"T1": 4, "T2": 4, "T3": 4}
    assert printed["refusals"] == [
        {
            "source": "note.xyz",
            "reason": "unknown suffix .xyz; formats read here: .csv, .htm, .html, .jsonl, .markdown, .md, .rst, "
            ".text, .tsv, .txt",
        }
    ]
    assert "11 training and 1 validation records in out" in first.stderr
    assert (work / "golongrl.toml").exists()
    second = run(*arguments, cwd=work)
    assert second.returncode == 0
    assert "nothing to do" in second.stderr
    assert second.stdout == ""
    third = run(*arguments, "--seed", 1, cwd=work)
    assert third.returncode == 2
    assert "seed: 0 -> 1" in third.stderr
    assert run(*arguments, "--seed", 1, "--fresh", cwd=work).returncode == 0
    assert (work / "out.old-1" / "train.parquet").exists()


def test_dry_run_writes_nothing(work):
    done = run("some docs", "--dry-run", "--json", cwd=work)
    assert done.returncode == 0
    assert json.loads(done.stdout)["eligible"]["T1"] == 4
    assert sorted(path.name for path in work.iterdir()) == ["some docs"]


def test_settings_come_from_toml_set_and_flags_in_rising_order(work):
    (work / "build.toml").write_text(
        'sources = ["some docs"]\ntarget = 9\nlength_bins = [512]\ncapabilities = ["T2"]\n'
    )
    done = run("--config", "build.toml", "--set", "target=6", "--target", 3, "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["built"] == {"T2": 3}
    assert printed["out"] == "dataset"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name the files or folders to read"),
        (("missing",), "no such file or folder: missing"),
        (("some docs/note.xyz",), "no usable document among 1 file(s)"),
        (("some docs", "--length-bins", "big"), "is not a length"),
        (("some docs", "--set", "tagret=1"), "did you mean 'target'"),
        (("some docs", "--tokenizer", "./none"), "no such tokenizer"),
        (("some docs", "--config", "none.toml"), "no such configuration file"),
    ],
)
def test_bad_calls_end_with_one_message_and_exit_code_2(work, arguments, words):
    done = run(*arguments, cwd=work)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_nothing_built_is_a_failed_check(work):
    done = run("some docs", "--capabilities", "T8", "--length-bins", "512", cwd=work)
    assert done.returncode == 1
    assert "not one record could be built" in done.stderr
