import json

import chat_server
from run_cli import golongrl


def test_a_sound_environment_ends_with_0(tmp_path):
    done = golongrl("doctor", "--for", "eval", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["healthy"] is True
    assert {finding["group"] for finding in report["findings"]} >= {"machine", "packages", "network", "rewards"}
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_ends_with_3_and_says_what_to_do(tmp_path):
    with chat_server.start("--model-len", "2048") as server:
        done = golongrl("doctor", "--for", "eval", "--base-url", server.base_url, "--model", "other", cwd=tmp_path)
    assert done.returncode == 3
    assert "missing: model: other is not served; pass one of the served names: echo" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_purpose_is_a_usage_error(tmp_path):
    done = golongrl("doctor", "--for", "flying", cwd=tmp_path)
    assert done.returncode == 2
    assert "'train', 'eval' or 'build'" in done.stderr
    assert "Traceback" not in done.stderr
