import json
import os
import subprocess
import sys


def golongrl(*args, cwd):
    return subprocess.run(
        [sys.executable, "-m", "golongrl.cli.app", "verify-rewards", *map(str, args)],
        cwd=cwd,
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def write(path, *golds):
    rows = [
        {
            "data_source": "EM",
            "prompt": [{"role": "user", "content": "Which city?"}],
            "reward_model": {"style": "rule", "ground_truth": {"golden_label": gold}},
            "extra_info": {"reward_mode": "EM"},
        }
        for gold in golds
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_sound_dataset_ends_with_zero_and_a_report_beside_it(tmp_path):
    data = write(tmp_path / "my data.jsonl", "Paris", "Rome")
    done = golongrl(data, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "passed: 2 of 2 rows" in done.stderr
    assert done.stdout == ""
    assert sorted(p.name for p in (tmp_path / "my data.audit").iterdir()) == [
        "audit.json",
        "failures.jsonl",
        "report.html",
    ]


def test_a_gold_that_fails_ends_with_one(tmp_path):
    done = golongrl(write(tmp_path / "d.jsonl", "Paris", ""), "--out", "here", "--json", cwd=tmp_path)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert (report["passed"], report["gold_failures"], report["out"]) == (False, 1, "here")
    assert json.loads((tmp_path / "here" / "failures.jsonl").read_text())["row"] == 2


def test_responses_are_joined_on_row_numbers_without_an_index(tmp_path):
    data = write(tmp_path / "d.jsonl", "Paris", "Rome")
    (tmp_path / "r.jsonl").write_text('{"id": 1, "response": "Paris"}\n{"id": 2, "response": "Oslo"}\n')
    done = golongrl(data, "--responses", "r.jsonl", "--no-audit", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["em"]["mean"] == 0.5


def test_a_missing_file_is_one_message(tmp_path):
    done = golongrl("nowhere.parquet", cwd=tmp_path)
    assert done.returncode == 2
    assert "no such data file: nowhere.parquet" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
