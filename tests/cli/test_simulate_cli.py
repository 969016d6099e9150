import json
import subprocess
import sys


def golongrl(*args, cwd):
    return subprocess.run(
        [sys.executable, "-m", "golongrl.cli.app", "simulate", *map(str, args)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_synthetic_mix_as_table_and_json(tmp_path):
    done = golongrl("--batches", 3, "--prompts", 16, "--rollouts", 4, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Share of the absolute advantage" in done.stderr
    assert list(tmp_path.iterdir()) == []
    done = golongrl("--batches", 3, "--prompts", 16, "--algo", "grpo", "--algo", "tmn", "--json", cwd=tmp_path)
    settings = [outcome["setting"] for outcome in json.loads(done.stdout)["outcomes"]]
    assert settings[:2] == ["grpo", "tmn"]


def test_a_bad_log_is_one_message(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"prompt": "a"}\n')
    done = golongrl("log.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert "log.jsonl line 1: no field reward" in done.stderr
    assert "Traceback" not in done.stderr
