"""`golongrl build-dataset` as a command: output, exit codes, messages."""

import json
import shutil
import signal
import subprocess
import time

import pytest
from run_cli import COMMAND, golongrl


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "some docs"
    folder.mkdir()
    for number in range(4):
        kinds = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen", "ibis", "jay", "kite", "lark")
        rows = "".join(
            f"{kind} {number},{(i * i * 7 + number) % 83},{'sea' if i % 3 else 'hill'}\n"
            for i, kind in enumerate(kinds)
        )
        (folder / f"t{number}.csv").write_text(f"name,weight,home\n{rows}")
    (folder / "note.xyz").write_text("?")
    return tmp_path


def test_builds_says_what_it_did_and_returns_at_once_the_second_time(work):
    arguments = ("some docs", "--out", "out", "--capabilities", "T1,T2,T3", "--target", 12, "--length-bins", "512")
    first = golongrl("build-dataset", *arguments, "--json", cwd=work)
    assert first.returncode == 0, first.stderr
    printed = json.loads(first.stdout)
    assert {name: facts["kept"] for name, facts in printed["construct"].items()} == {"T1": 4, "T2": 4, "T3": 4}
    (refusal,) = printed["collect"]["refusals"]
    assert refusal["source"] == "note.xyz"
    assert refusal["reason"].startswith("unknown suffix .xyz; formats read here: .csv, .docm, .docx, .epub,")
    assert "11 training and 1 validation records in out" in first.stderr
    assert (work / "golongrl.toml").exists()
    second = golongrl("build-dataset", *arguments, cwd=work)
    assert second.returncode == 0
    assert "nothing to do" in second.stderr
    assert second.stdout == ""
    third = golongrl("build-dataset", *arguments, "--seed", 1, cwd=work)
    assert third.returncode == 2
    assert "seed: 0 -> 1" in third.stderr
    assert golongrl("build-dataset", *arguments, "--seed", 1, "--fresh", cwd=work).returncode == 0
    assert (work / "out.old-1" / "train.parquet").exists()


def test_dry_run_writes_nothing(work):
    done = golongrl("build-dataset", "some docs", "--dry-run", "--json", cwd=work)
    assert done.returncode == 0
    expected = json.loads(done.stdout)
    assert (expected["files"], expected["documents"], expected["whole"]) == (5, 4, True)
    assert {row["capability"]: row["documents"] for row in expected["capabilities"]}["T1"] == 4
    assert [stage["stage"] for stage in expected["stages"]] == ["collect and assign", "construct"]
    assert sorted(path.name for path in work.iterdir()) == ["some docs"]


def test_settings_come_from_toml_set_and_flags_in_rising_order(work):
    (work / "build.toml").write_text(
        'sources = ["some docs"]\ntarget = 9\nlength_bins = [512]\ncapabilities = ["T2"]\n'
    )
    done = golongrl("build-dataset", "--config", "build.toml", "--set", "target=6", "--target", 3, "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["construct"]["T2"]["kept"] == 3
    assert printed["out"] == "dataset"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name the files or folders to read"),
        (("missing",), "no such file or folder: missing"),
        (("some docs", "--target", "lots"), "a number of records, or a mix"),
        (("some docs", "--generator", "magic"), "generator"),
        (("some docs", "--length-bins", "big"), "is not a length"),
        (("some docs", "--set", "tagret=1"), "did you mean 'target'"),
        (("some docs", "--tokenizer", "./none"), "no such tokenizer"),
        (("some docs", "--config", "none.toml"), "no such configuration file"),
    ],
)
def test_bad_calls_end_with_one_message_and_exit_code_2(work, arguments, words):
    done = golongrl("build-dataset", *arguments, cwd=work)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_nothing_usable_or_nothing_built_is_a_failed_check_that_shows_the_funnel(work):
    done = golongrl("build-dataset", "some docs", "--capabilities", "T9", "--length-bins", "512", cwd=work)
    assert done.returncode == 1
    assert "not one training record could be built (5 files found, 1 files and rows refused" in done.stderr
    done = golongrl("build-dataset", "some docs/note.xyz", "--out", "other", cwd=work)
    assert done.returncode == 1
    assert "no usable document (1 files found, 1 files and rows refused, 0 documents read" in done.stderr
    assert "unknown suffix .xyz" in done.stderr


def test_a_mix_and_several_workers(work):
    done = golongrl(
        "build-dataset",
        "some docs",
        "--target",
        "T1=3,T3=2",
        "--length-bins",
        "512",
        "--workers",
        2,
        "--json",
        cwd=work,
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert {name: facts["kept"] for name, facts in printed["construct"].items()} == {"T1": 3, "T3": 2}


SMALL = ("some docs", "--capabilities", "T1,T2,T3", "--target", 12, "--length-bins", "512")


def files(folder):
    return {name: (folder / name).read_bytes() for name in ("train.parquet", "rejects.jsonl", "README.md")}


def test_a_full_disk_is_exit_code_3_and_the_next_run_goes_on(work):
    assert golongrl("build-dataset", *SMALL, "--out", "out", cwd=work).returncode == 0
    calm = files(work / "out")
    shutil.rmtree(work / "out")
    for limit in (200, 4_000):
        done = golongrl("build-dataset", *SMALL, "--out", "out", cwd=work, limit=limit)
        assert done.returncode == 3, done.stderr
        assert "no space left while writing " in done.stderr
        assert "run the same command again" in done.stderr
        assert "Traceback" not in done.stderr
    assert golongrl("build-dataset", *SMALL, "--out", "out", cwd=work).returncode == 0
    assert files(work / "out") == calm


def test_ctrl_c_is_exit_code_130_and_the_next_run_goes_on(work):
    assert golongrl("build-dataset", *SMALL, "--out", "out", "--target", 120, cwd=work).returncode == 0
    calm = files(work / "out")
    shutil.rmtree(work / "out")
    arguments = [*COMMAND, "build-dataset", *map(str, SMALL), "--target", "120", "--out", "out"]
    process = subprocess.Popen(arguments, cwd=work, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(work.glob("out/work/construct/*.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert "finished work is kept, run the same command again" in errors
    assert "Traceback" not in errors
    assert golongrl("build-dataset", *SMALL, "--target", 120, "--out", "out", cwd=work).returncode == 0
    assert files(work / "out") == calm


def test_a_second_build_into_the_same_folder_is_refused(work):
    from golongrl.core.runs import only_writer

    (work / "out").mkdir()
    with only_writer(work / "out", "build-dataset"):
        done = golongrl("build-dataset", *SMALL, "--out", "out", cwd=work)
    assert done.returncode == 2
    assert "another golongrl build-dataset is writing to out" in done.stderr


def test_a_document_beyond_the_limit_is_refused_and_the_rest_is_built(work):
    with open(work / "some docs" / "huge.txt", "wb") as handle:
        handle.truncate(50 * 1024 * 1024)
    (work / "some docs" / "empty.md").touch()
    (work / "some docs" / "legacy.txt").write_bytes(bytes(range(256)))
    done = golongrl("build-dataset", *SMALL, "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    reasons = {row["source"]: row["reason"] for row in json.loads(done.stdout)["collect"]["refusals"]}
    assert reasons["huge.txt"] == "50.0 MB, above max_document_mb = 40; split it, or raise the limit"
    assert reasons["empty.md"] == "empty file (0 bytes)"
    assert reasons["legacy.txt"].startswith("binary file")


def test_records_name_the_tokenizer_without_a_path_of_this_machine(work):
    from tokenizers import Tokenizer, models, pre_tokenizers

    from golongrl.core.records import read_records

    (work / "my model").mkdir()
    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(work / "my model" / "tokenizer.json"))
    done = golongrl("build-dataset", *SMALL, "--tokenizer", work / "my model", cwd=work)
    assert done.returncode == 0, done.stderr
    assert {r.extra_info["tokenizer"] for r in read_records(work / "dataset" / "train.parquet")} == {"my model"}
