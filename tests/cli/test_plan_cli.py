"""`golongrl plan` as a user calls it."""

import json
import subprocess
import sys

import pytest
from model_configs import QWEN3_4B
from run_cli import golongrl


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working folder with a model's config.json and nothing else of it."""
    root = tmp_path_factory.mktemp("work")
    (root / "model").mkdir()
    (root / "model" / "config.json").write_text(json.dumps(QWEN3_4B))
    return root


def test_the_plan_is_tables_and_a_verdict(folder):
    done = golongrl("plan", "--model", "model", "--length", "1m", "--gpus", "8xH100", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    for title in ("Model", "Key-value cache", "Parallelism", "Serving on 8 x H100", "FLOPs", "YaRN", "Assumed"):
        assert title in done.stderr
    assert "147,456 bytes" in done.stderr
    assert done.stderr.splitlines()[-1] == (
        "verdict: fits on 8 x H100 with TP 8; at 1,048,576 tokens 3 sequences at once"
    )


def test_json_is_one_object_and_what_does_not_fit_ends_with_1(folder):
    done = golongrl("plan", "--model", "model/config.json", "--length", "1m", "--gpus", "H100", "--json", cwd=folder)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["fits"] is False
    assert found["model"]["parameters"]["total"] == 4_022_468_096
    assert found["model"]["kv_bytes_per_token"]["bf16"] == 147_456
    assert found["yarn"]["factor"] == 4.0
    assert "does not fit on 1 x H100" in done.stderr


def test_a_training_configuration_is_judged_as_it_stands(folder):
    (folder / "train.toml").write_text('[train]\npreset = "qwen3-4b"\ndata = "none.parquet"\n')
    done = golongrl(
        "plan",
        "--config",
        "train.toml",
        "--model",
        "model",
        "--gpus",
        "H100",
        "--json",
        "--price-per-gpu-hour",
        "2",
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    training = json.loads(done.stdout)["training"]
    assert len(training["candidates"]) == 1
    assert training["candidates"][0]["layout"]["tensor"] == 8
    assert training["step"]["cost"] == pytest.approx(2 * training["step"]["gpu_hours"])
    again = golongrl("plan", "--config", "train.toml", "--model", "model", "--gpus", "8xH100", cwd=folder)
    assert again.returncode == 2
    assert "is 8 GPUs, and the configuration has 16 x 8 = 128" in again.stderr
    twice = golongrl(
        "plan", "--config", "train.toml", "--model", "model", "--gpus", "H100", "--length", "1m", cwd=folder
    )
    assert "--length and --config both say it" in twice.stderr


def test_the_recommended_layout_is_a_table_for_train(folder):
    done = golongrl("plan", "--for", "train", "--model", "model", "--length", "64k", "--gpus", "8xH100", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "found.toml").write_text(done.stdout + 'data = "none.parquet"\n')
    again = golongrl("plan", "--config", "found.toml", "--gpus", "H100", cwd=folder)
    assert again.returncode == 0, again.stderr
    assert again.stderr.splitlines()[-1] == done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("verdict: fits: ")


def test_what_is_missing_or_wrong_says_what_to_give(folder):
    for arguments, message in [
        (["--model", "model"], "a plan needs --length and --gpus"),
        (["--model", "model", "--length", "much", "--gpus", "H100"], "is no length in tokens"),
        (["--model", "model", "--length", "1m", "--gpus", "8xX1"], "no GPU 'X1' is known"),
        (["--model", "model", "--length", "1m", "--gpus", "H100", "--for", "fun"], "neither serve nor train"),
        (["--model", "model", "--length", "1m", "--gpus", "H100", "--kv-dtype", "int4"], "give bf16, fp8"),
        (["--model", "nowhere", "--length", "1m", "--gpus", "H100"], "no such model: nowhere"),
        (["--model", "model", "--length", "1m", "--gpus", "H100", "--gpu-flops", "0"], "give one above 0"),
        (
            ["--model", "model", "--length", "1m", "--gpus", "H100", "--prompts", "2", "--data", "rows.jsonl"],
            "--prompts and --data would do nothing here: for --for train alone",
        ),
        (
            ["--model", "model", "--length", "1m", "--gpus", "H100", "--for", "train", "--kv-dtype", "fp8"],
            "--kv-dtype would do nothing here: for --for serve alone",
        ),
    ]:
        done = golongrl("plan", *arguments, cwd=folder)
        assert done.returncode == 2, done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_a_plan_imports_nothing_heavy(folder):
    code = (
        "import sys\n"
        "sys.argv = ['golongrl', 'plan', '--model', 'model', '--length', '1m', '--gpus', '8xH100']\n"
        "from golongrl.cli.app import app\n"
        "try:\n    app()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print(sorted({'torch', 'transformers', 'ray', 'datasets', 'verl'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
