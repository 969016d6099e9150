"""The command line as a shell sees it: every test starts the real command."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
import typer
from run_cli import COMMAND, golongrl

from golongrl import __version__
from golongrl.cli.app import app, error_boundary
from golongrl.core.errors import CheckFailedError, DataError, ServerError

WRITES = ["build-dataset", "compare", "demo", "eval", "report", "simulate", "train", "verify-rewards"]
COMMANDS = sorted([*WRITES, "doctor", "plan", "push-to-hub"])
HEAVY = ("torch", "ray", "verl", "datasets", "transformers", "sklearn", "pyarrow", "tokenizers", "openai", "pandas")


def one_message(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an expected failure."""
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("golongrl: ")
    return line


# --- help and version ---


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["train", "--help"]])
def test_help_imports_nothing_heavy(args):
    code = f"""
import sys
from golongrl.cli.app import app
sys.argv = ["golongrl", *{args!r}]
try:
    app()
except SystemExit as end:
    print(end.code, *sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split() == ["0"]
    assert done.stdout


def test_help_lists_the_commands_with_what_they_do():
    done = golongrl("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for command in COMMANDS:
        assert re.search(rf"\b{command}\s+\w", done.stdout), command
    assert sorted(command.name for command in app.registered_commands) == COMMANDS
    assert golongrl("-h").stdout == done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    done = golongrl(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"golongrl {command} [OPTIONS]" in done.stdout
    assert "--json" in done.stdout
    assert ("--out" in done.stdout) == (command in WRITES)


def test_no_command_shows_the_help():
    done = golongrl()
    assert done.returncode == 2
    assert "build-dataset" in done.stdout + done.stderr


def test_version():
    done = golongrl("--version")
    assert (done.returncode, done.stderr) == (0, "")
    # In a checkout of the project's own repository its commit stands behind the version.
    assert re.fullmatch(rf"golongrl {re.escape(__version__)}( \(commit [0-9a-f]{{7}}\))?\n", done.stdout)


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["nonsense"], "nonsense"),
        (["trian"], "train"),
        (["train", "--nonsense"], "--nonsense"),
        (["train", "--steps", "many"], "--steps"),
        (["verify-rewards"], "name the dataset to check"),
    ],
)
def test_a_wrong_call_ends_with_2(args, named, tmp_path):
    done = golongrl(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr


# --- the error boundary ---


def test_a_missing_file_is_one_line_and_exit_code_2(tmp_path):
    done = golongrl("verify-rewards", "missing.parquet", cwd=tmp_path)
    assert done.returncode == 2
    assert one_message(done) == "golongrl: no such data file: missing.parquet; check the path"


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("data.parquet", b"not parquet", "data.parquet is not a readable parquet file"),
        ("data.jsonl", b"", "data.jsonl has no rows"),
        ("data.txt", b"text", "data files end in .parquet or .jsonl, not .txt"),
    ],
)
def test_an_unreadable_file_is_one_line_and_exit_code_2(tmp_path, name, content, complaint):
    (tmp_path / name).write_bytes(content)
    done = golongrl("verify-rewards", name, "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert complaint in one_message(done)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\n", b'{"data_source": \n', b'{"data_source": "EM"}\n'])
def test_a_dataset_with_a_bad_row_fails_its_check(tmp_path, content):
    (tmp_path / "data.jsonl").write_bytes(content)
    done = golongrl("verify-rewards", "data.jsonl", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    report = json.loads(done.stdout)
    assert (report["passed"], report["bad_rows"]) == (False, 1)


def test_train_without_a_configuration_says_what_to_pass(tmp_path):
    done = golongrl("train", "--algo", "tmn-reweight", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "--model" in done.stderr
    assert "--data" in done.stderr
    assert os.listdir(tmp_path) == []


def test_an_unknown_key_in_the_project_file_gets_a_suggestion(tmp_path):
    (tmp_path / "golongrl.toml").write_text('[train]\nmodel = "x"\ndata = "y"\nstep = 3\n')
    done = golongrl("train", cwd=tmp_path)
    assert done.returncode == 2
    assert "golongrl.toml [train]: unknown key 'step'; did you mean 'steps'?" in one_message(done)


def test_the_traceback_is_there_for_those_who_ask(tmp_path):
    done = golongrl("verify-rewards", "missing.parquet", cwd=tmp_path, GOLONGRL_DEBUG="1")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "DataError: no such data file" in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (DataError("row 3 is bad"), 2, "golongrl: row 3 is bad"),
        (CheckFailedError("2 of 9 failed"), 1, "golongrl: 2 of 9 failed"),
        (ServerError("port 80 is in use"), 3, "golongrl: port 80 is in use"),
        (
            KeyboardInterrupt(),
            130,
            "golongrl: interrupted; finished work is kept, run the same command again to go on",
        ),
        (
            PermissionError(13, "Permission denied", "/data/x"),
            *(3, "golongrl: /data/x: Permission denied; check the path and its permissions "),
        ),
    ],
)
def test_errors_become_a_message_and_an_exit_code(error, code, line, capsys, monkeypatch):
    monkeypatch.delenv("GOLONGRL_DEBUG", raising=False)

    @error_boundary
    def command():
        raise error

    with pytest.raises(typer.Exit) as end:
        command()
    assert end.value.exit_code == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(line)


def test_a_full_disk_behind_stdout_is_one_message(tmp_path):
    row = {
        "data_source": "EM",
        "prompt": [{"role": "user", "content": "?"}],
        "reward_model": {"ground_truth": {"golden_label": "4"}},
    }
    (tmp_path / "data.jsonl").write_text(json.dumps(row) + "\n")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "verify-rewards", "data.jsonl", "--json"],
            **{"cwd": tmp_path, "stdout": full, "stderr": subprocess.PIPE, "text": True, "timeout": 120},
            check=False,
        )
    assert done.returncode == 3
    assert "golongrl: no space left while writing the output; free some space" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError("without a file"), KeyError("x")])
def test_bugs_keep_their_traceback(error):
    @error_boundary
    def command():
        raise error

    with pytest.raises(type(error)):
        command()


def test_the_boundary_keeps_results_and_deliberate_exits():
    @error_boundary
    def command(code):
        if code:
            raise typer.Exit(code)
        return "done"

    assert command(0) == "done"
    with pytest.raises(typer.Exit) as end:
        command(1)
    assert end.value.exit_code == 1


def test_ctrl_c_is_one_line(tmp_path):
    """A command that waits for its input (a pipe nobody writes to) is interrupted as a terminal would do it."""
    os.mkfifo(tmp_path / "data.jsonl")
    process = subprocess.Popen(
        [*COMMAND, "verify-rewards", str(tmp_path / "data.jsonl")],
        **{"cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True},
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            writer = os.open(tmp_path / "data.jsonl", os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            # ENXIO: nobody reads the pipe yet.
            if error.errno != errno.ENXIO or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    # A signal that comes just before the read blocks is only noticed once the read returns; the end of the pipe
    # makes it return.
    os.close(writer)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert out == ""
    assert "golongrl: interrupted; finished work is kept" in err


# --- what people and programs see ---


def test_json_is_the_only_thing_on_stdout(tmp_path):
    row = {
        "data_source": "EM",
        "prompt": [{"role": "user", "content": "Which city?"}],
        "reward_model": {"style": "rule", "ground_truth": {"golden_label": "Paris"}},
        "extra_info": {"index": 0, "metric": "em", "question": "Which city?"},
    }
    (tmp_path / "data.jsonl").write_text(json.dumps(row) + "\n")
    done = golongrl("verify-rewards", "data.jsonl", "--no-audit", "--json", "--out", "a b", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert isinstance(json.loads(done.stdout), dict)
    assert os.path.isdir(tmp_path / "a b")


def test_tables_take_any_text_and_keep_stdout_clean(capsys):
    from golongrl.cli import console

    console.table("Means", ["metric", "mean"], [["[bold]em[/bold]", 0.25], ["中文", None]])
    console.print_json({"名": 1})
    console.say("[red]line")
    out, err = capsys.readouterr()
    assert json.loads(out) == {"名": 1}
    assert "[bold]em[/bold]" in err
    assert "0.250" in err
    assert "[red]line" in err


def test_progress_counts_in_plain_lines_without_a_terminal(capsys):
    from golongrl.cli.console import Progress

    with Progress("rows", 3, every=0.0) as progress:
        progress.advance()
        progress.advance(2)
    with pytest.raises(RuntimeError), Progress("nothing"):
        raise RuntimeError
    with Progress("files") as progress:
        progress.advance(5)
    assert capsys.readouterr().err.splitlines() == ["rows: 1 of 3", "rows: 3 of 3", "rows: 3 of 3", "files: 5"]


def test_a_note_follows_the_count_in_lines_and_in_a_terminal(capsys, monkeypatch):
    from golongrl.cli.console import Progress

    with Progress("calls") as progress:
        progress.note("cost 1 of 3")
        progress.advance(4)
        progress.note("cost 2 of 3")
    assert capsys.readouterr().err.splitlines() == ["calls: 4, cost 2 of 3"]
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with Progress("calls", 9) as progress:
        progress.note("cost [b]2[/b]")
        progress.advance(4)
        progress._bar.refresh()
    shown = capsys.readouterr().err
    assert "calls, cost [b]2[/b]" in shown
    assert shown.splitlines()[-1].endswith("calls: 4 of 9, cost [b]2[/b]")
