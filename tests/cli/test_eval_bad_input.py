"""`golongrl eval` against servers and models that cannot do what is asked: one clear message each, nothing lost."""

import json

import chat_server
import pytest
from run_cli import golongrl

from golongrl.core.byte_model import build_byte_model


def evaluate(*arguments, cwd):
    return golongrl("eval", "--bench", "mrcr-mini", "--data", "docs", *arguments, cwd=cwd)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "docs").mkdir()
    lines = [f"The keeper of lamp {n} wrote down {n * 7} ships, {n} storms and a whale." for n in range(40)]
    for half, name in ((lines[:20], "first.txt"), (lines[20:], "second.txt")):
        (tmp_path / "docs" / name).write_text("\n\n".join(half))
    return tmp_path


@pytest.mark.parametrize(
    ("server", "code", "words"),
    [
        (["--strict"], 3, "the model other does not exist); check --base-url and the model's name"),
        (
            ["--fail-first", 99, "--status", 401],
            3,
            "(Error code: 401 - try later); check OPENAI_API_KEY",
        ),
        (["--model-len", 90], 1, "4 of 4 samples do not fit the model's length and are not in the score; serve it"),
    ],
)
def test_a_server_that_refuses_is_one_message(folder, server, code, words):
    with chat_server.start(*server) as running:
        model = "other" if code == 3 else "echo"
        ask = ["--model", model, "--base-url", running.base_url, "--max-length", "1k", "--limit", 4, "--out", "run"]
        done = evaluate(*ask, cwd=folder)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    results = json.loads((folder / "run" / "results.json").read_text())
    assert (results["n"], results["n_scored"], results["score"]) == (4, 0, None)


def test_a_wrong_name_loses_nothing(folder):
    """The same folder goes on once the server serves the model: a refused request is owed, not answered."""
    ask = ["--model", "other", "--max-length", "1k", "--limit", 4, "--out", "run"]
    with chat_server.start("--strict") as running:
        assert evaluate(*ask, "--base-url", running.base_url, cwd=folder).returncode == 3
    with chat_server.start() as running:
        assert evaluate(*ask, "--base-url", running.base_url, cwd=folder).returncode == 0
    assert json.loads((folder / "run" / "results.json").read_text())["n_scored"] == 4


def test_a_model_without_chat_template_is_found_before_a_server_starts(folder):
    model = build_byte_model(folder / "model")
    (model / "chat_template.jinja").unlink(missing_ok=True)
    settings = json.loads((model / "tokenizer_config.json").read_text())
    settings.pop("chat_template", None)
    (model / "tokenizer_config.json").write_text(json.dumps(settings))
    done = evaluate("--model", model, "--engine", "transformers", "--out", "run", cwd=folder)
    assert done.returncode == 2
    assert "has no chat template" in done.stderr
    assert "add chat_template.jinja to the folder" in done.stderr
    assert not (folder / "run").exists()


def test_a_template_that_leaves_messages_out_cannot_hold_a_conversation(folder):
    model = build_byte_model(folder / "model")
    (model / "chat_template.jinja").write_text("{{ messages[-1].content }}")
    options = ["--engine", "transformers", "--max-length", "2k", "--tokenizer", "approx", "--dry-run"]
    done = evaluate("--model", model, *options, cwd=folder)
    assert done.returncode == 2
    assert "leaves messages of a conversation out" in done.stderr
