"""Every subcommand with wrong input: one message that says what, where and what to do next, and no traceback."""

import json
import re

import pytest
from typer.testing import CliRunner

from golongrl.cli.app import app

NOBODY = ["--model", "m", "--base-url", "http://127.0.0.1:9/v1"]
PLAN = ["--length", "128k", "--gpus", "8xH100"]

CASES = {
    "build-dataset": [
        ([], 2, "name the files or folders"),
        (["missing"], 2, "no such file or folder: missing; check"),
        (["docs", "--target", "many"], 2, "write a number of records"),
        (["docs", "--target", "0"], 2, "target = 0 should be greater than 0"),
        (["docs", "--target", "T1=5,T12=4"], 2, "capabilities are T1"),
        (["docs", "--length-bins", "4k,long"], 2, "'long' is not a length; write"),
        (["docs", "--capabilities", "T1,T99"], 2, "not T99"),
        (["docs", "--generator", "magic"], 2, "should be 'rules', 'llm', 'both' or 'none'"),
        (["docs", "--generator", "llm"], 2, "--base-url URL --model NAME gives one"),
        (["docs", "--tokenizer", "no-such-folder/tokenizer"], 2, "pass the path of a model folder, or 'approx'"),
        (["docs", "--config", "missing.toml"], 2, "no such configuration file: missing.toml; check --config"),
        (["docs", "--config", "bad.toml"], 2, "bad.toml is not valid TOML .*; mend"),
        (["docs", "--set", "nonsense"], 2, "expected KEY=VALUE"),
        (["docs", "--set", "tarjet=5"], 2, "did you mean 'target'"),
        (["docs", "--decontaminate", "no-such-benchmark"], 2, "Benchmarks: mrcr"),
        (["docs", "--base", "docs"], 2, "no finished dataset .*; check --base"),
        (["docs", "--diagnose", "docs"], 2, "pass another folder"),
        (["docs", "--qa", "missing.json"], 2, "no such file or folder: missing.json; check"),
        (["docs", "--out", "file.txt"], 2, "file.txt is a file; choose a folder"),
        (["docs", "--val-share", "1.5"], 2, "val_share = 1.5 should be less than 1"),
        (["docs", "--workers", "0"], 2, "workers = 0 should be greater than or equal to 1"),
        (["empty"], 1, "no usable document .* Pass other sources"),
    ],
    "verify-rewards": [
        ([], 2, "name the dataset to check"),
        (["missing.parquet"], 2, "no such data file: missing.parquet; check"),
        (["not.parquet"], 2, "not a readable parquet file .*; build or download it again"),
        (["empty.jsonl"], 2, "has no rows; build or download it again"),
        (["rows.jsonl", "--responses", "missing.jsonl"], 2, "no such responses file: missing.jsonl; check"),
        (["rows.jsonl", "--think", "maybe"], 2, "expected one of required, optional, auto"),
        (["--self-test", "rows.jsonl"], 2, "leave out DATA"),
        (["broken.jsonl"], 1, "broken.jsonl line 1 is not JSON .*; mend or remove it"),
    ],
    "simulate": [
        (["missing"], 2, "no such rollout log: missing; check"),
        (["log.jsonl"], 2, "log.jsonl line 1: no field reward .*; pass"),
        (["--algo", "magic"], 2, "unknown algorithm 'magic'; choose one of grpo"),
        (["--mix", "magic"], 2, "unknown mix 'magic'; choose one of paper"),
    ],
    "train": [
        ([], 2, "pass --model FOLDER_OR_HUB_ID --data FILE.parquet"),
        (["--preset", "magic"], 2, "presets: cpu-smoke"),
        (["--algo", "magic", "--preset", "cpu-smoke"], 2, "algorithms: grpo"),
        (["--preset", "cpu-smoke", "--model", "no-model"], 2, "no such model folder: no-model; pass --model"),
        (["--preset", "cpu-smoke", "--set", "verl.no.such.key=1"], 2, "did you mean"),
        (["--preset", "cpu-smoke", "--set", "stepz=1"], 2, "--set: unknown key 'stepz'; did you mean 'steps'"),
        (["--preset", "cpu-smoke", "--steps", "0"], 2, "command line: steps = 0 should be greater"),
        (["--preset", "cpu-smoke", "--data", "missing.parquet"], 2, "no such data file: missing.parquet; check"),
        (["--preset", "cpu-smoke", "--out", "file.txt"], 2, "file.txt is a file; choose a folder"),
    ],
    "eval": [
        ([], 2, "bench is missing; pass --bench"),
        (
            ["--bench", "mrcr-129k", "--model", "m"],
            2,
            "command line: bench: unknown benchmark 'mrcr-129k'; did you mean 'mrcr-",
        ),
        (["--bench", "mrcr-mini"], 2, "--model is missing"),
        (["--bench", "mrcr-mini", "--model", "m"], 2, "pass --base-url of the server that has it, or --engine"),
        (["--bench", "mrcr-mini", "--model", "./no-model"], 2, "no such model folder: ./no-model; check --model"),
        (["--bench", "mrcr-mini", *NOBODY, "--data", "docs"], 3, "cannot be reached .*; start the server, or check"),
        (["--bench", "mrcr", "--responses", "missing.jsonl"], 2, "no such responses file: missing.jsonl; check"),
        (["--bench", "mrcr", "--responses", "broken.jsonl"], 2, "broken.jsonl line 1 is not JSON .*; mend"),
        (["--bench", "mrcr-mini", *NOBODY, "--engine", "vllm"], 2, "give one of them"),
        (["--bench", "mrcr-mini", "--model", "notmodel", "--engine", "magic"], 2, "should be 'transformers', 'vllm'"),
        (["--bench", "mrcr-mini", *NOBODY, "--max-input", "lots"], 2, "'lots' is not a length; write"),
        (["--bench", "mrcr-mini", *NOBODY, "--judge-model", "j"], 2, "--judge-model and --judge-base-url belong"),
        (["--bench", "mrcr-mini", *NOBODY, "--yarn", "half"], 2, "must be auto, off, or a factor above 1"),
        (
            ["--bench", "mrcr-mini", *NOBODY, "--data", "docs", "--rescore"],
            2,
            "pass other documents, or --set",
        ),
    ],
    "compare": [
        ([], 2, "Missing argument"),
        (["docs"], 2, "golongrl compare A B"),
        (["docs", "empty"], 2, "pass another folder"),
        (["missing", "gone"], 2, "no such run: missing; pass the folder"),
    ],
    "plan": [
        ([], 2, "for example: golongrl plan --model"),
        (["--model", "notmodel", *PLAN], 2, "give the folder that holds it"),
        (["--model", "qwen.json", "--length", "much", "--gpus", "8xH100"], 2, "'much' is no length in tokens; write"),
        (["--model", "qwen.json", "--length", "128k", "--gpus", "8xGTX9"], 2, "For another one give --gpu-memory"),
        (["--model", "qwen.json", *PLAN, "--for", "fun"], 2, "neither serve nor train"),
    ],
    "report": [
        ([], 2, "Missing argument"),
        (["docs"], 2, "docs is no run folder .*; name a folder"),
        (["missing"], 2, "missing is missing; name a run folder"),
    ],
    "doctor": [
        (["--for", "flying"], 2, "should be 'train', 'eval' or 'build'"),
        (["--for", "eval", "--data", "missing.parquet"], 2, "no such data file: missing.parquet; check"),
        (["--for", "eval", "--server-python", "/nowhere/python"], 2, "wants the path of a python executable"),
        (["--for", "eval", *NOBODY], 3, "cannot be reached .*; start the server, or check --base-url"),
    ],
    "push-to-hub": [
        ([], 2, "Missing argument"),
        (["poem", "docs", "a/b", "--yes"], 2, "write dataset, model, results"),
        (["dataset", "missing", "a/b", "--yes"], 2, "no such folder: missing; give the folder"),
        (["dataset", "docs", "a/b", "--yes"], 1, "holds no README.md; golongrl build-dataset writes one"),
        (["dataset", "docs", "not a name", "--yes"], 2, "ORG/NAME"),
    ],
}
ALL = [(command, *case) for command, cases in CASES.items() for case in cases]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("docs", "empty", "notmodel"):
        (tmp_path / name).mkdir()
    row = {"data_source": "golongrl", "prompt": [{"role": "user", "content": "q"}], "extra_info": {"metric": "em"}}
    qwen = {"model_type": "qwen3", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    files = {
        "docs/a.md": "# A heading\n\nSome text that says little.\n",
        "bad.toml": "x = [",
        "file.txt": "hi",
        "not.parquet": "no parquet",
        "empty.jsonl": "",
        "log.jsonl": '{"a": 1}\n',
        "rows.jsonl": json.dumps({**row, "reward_model": {"ground_truth": "a"}}) + "\n",
        "broken.jsonl": '{"data_source": 5\n',
        "qwen.json": json.dumps({**qwen, "intermediate_size": 96, "vocab_size": 259, "rope_theta": 1e6}),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_there_are_sixty_and_every_command_has_some():
    assert len(ALL) >= 60
    assert set(CASES) == {command.name for command in app.registered_commands} - {"demo"}


@pytest.mark.parametrize(
    ("command", "arguments", "code", "words"), ALL, ids=[f"{c} {' '.join(a)[:60]}" for c, a, *_ in ALL]
)
def test_it_is_one_message_with_what_to_do(folder, command, arguments, code, words):
    done = CliRunner().invoke(app, [command, *arguments])
    # Tables and boxes break lines where they like.
    said = re.sub(r"[\s│]+", " ", done.stderr)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.stderr
    assert re.search(words, said), done.stderr
    assert done.exit_code == code, done.stderr
    assert done.stdout == ""


def test_a_wrong_command_names_the_near_one(folder):
    done = CliRunner().invoke(app, ["evall"])
    assert done.exit_code == 2
    assert "Did you mean 'eval'" in done.stderr
