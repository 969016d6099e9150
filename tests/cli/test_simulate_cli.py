import json

from run_cli import golongrl


def test_a_synthetic_mix_as_table_and_json(tmp_path):
    done = golongrl("simulate", "--batches", 3, "--prompts", 16, "--rollouts", 4, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Share of the absolute advantage" in done.stderr
    assert list(tmp_path.iterdir()) == []
    done = golongrl(
        "simulate", "--batches", 3, "--prompts", 16, "--algo", "grpo", "--algo", "tmn", "--json", cwd=tmp_path
    )
    settings = [outcome["setting"] for outcome in json.loads(done.stdout)["outcomes"]]
    assert settings[:2] == ["grpo", "tmn"]


def test_a_bad_log_is_one_message(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"prompt": "a"}\n')
    done = golongrl("simulate", "log.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert "log.jsonl line 1: no field reward" in done.stderr
    assert "Traceback" not in done.stderr
