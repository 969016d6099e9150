import json

from run_cli import golongrl


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
    done = golongrl("verify-rewards", data, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "passed: 2 of 2 rows" in done.stderr
    assert done.stdout == ""
    assert sorted(p.name for p in (tmp_path / "my data.audit").iterdir()) == [
        "audit.json",
        "failures.jsonl",
        "manifest.json",
        "report.html",
    ]


def test_a_gold_that_fails_ends_with_one(tmp_path):
    done = golongrl(
        "verify-rewards", write(tmp_path / "d.jsonl", "Paris", ""), "--out", "here", "--json", cwd=tmp_path
    )
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert (report["passed"], report["gold_failures"], report["out"]) == (False, 1, "here")
    assert json.loads((tmp_path / "here" / "failures.jsonl").read_text())["row"] == 2


def test_responses_are_joined_on_row_numbers_without_an_index(tmp_path):
    data = write(tmp_path / "d.jsonl", "Paris", "Rome")
    (tmp_path / "r.jsonl").write_text('{"id": 0, "response": "Paris"}\n{"id": 1, "response": "Oslo"}\n')
    done = golongrl("verify-rewards", data, "--responses", "r.jsonl", "--no-audit", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["capabilities"]["T1 precise retrieval"]["mean"] == 0.5


def test_a_missing_file_is_one_message(tmp_path):
    done = golongrl("verify-rewards", "nowhere.parquet", cwd=tmp_path)
    assert done.returncode == 2
    assert "no such data file: nowhere.parquet" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_think_decides_how_responses_are_read(tmp_path):
    data = write(tmp_path / "d.jsonl", "Paris", "Rome", "Oslo")
    answers = [(0, "Paris"), (1, "hm</think>Rome"), (9, "Bern")]
    (tmp_path / "r.jsonl").write_text("".join(json.dumps({"id": i, "response": r}) + "\n" for i, r in answers))
    means = {}
    for think in ("optional", "required", "auto"):
        done = golongrl(
            "verify-rewards", data, "--responses", "r.jsonl", "--no-audit", "--think", think, "--json", cwd=tmp_path
        )
        means[think] = json.loads(done.stdout)["capabilities"]["T1 precise retrieval"]["mean"]
    assert means == {"optional": 1.0, "required": 0.5, "auto": 1.0}
    done = golongrl("verify-rewards", data, "--responses", "r.jsonl", "--no-audit", cwd=tmp_path)
    assert "2 scored, 0 without a score; 1 rows without a response, 1 ids without a row" in done.stderr
    wrong = golongrl("verify-rewards", data, "--responses", "r.jsonl", "--think", "perhaps", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "expected one of required, optional, auto" in wrong.stderr


def test_broken_responses_are_named_by_line(tmp_path):
    data = write(tmp_path / "d.jsonl", "Paris")
    for content, problem in (
        (b'{"id": 1, "response": "a"}\nnot json\n', "line 2 is not JSON"),
        (b'{"id": 1}\n', "line 1: expected the fields id (or index) and response"),
        (b'{"id": 1, "response": "\xff"}\n', "line 1 is not UTF-8"),
        (b"", "holds no responses"),
    ):
        (tmp_path / "r.jsonl").write_bytes(content)
        done = golongrl("verify-rewards", data, "--responses", "r.jsonl", "--out", "out", cwd=tmp_path)
        assert done.returncode == 2
        assert problem in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "out").exists()


def test_the_usage_line_names_the_dataset(tmp_path):
    assert "golongrl verify-rewards [OPTIONS] [DATA]" in golongrl("verify-rewards", "--help", cwd=tmp_path).stdout


def test_the_self_test_needs_no_data(tmp_path):
    done = golongrl("verify-rewards", "--self-test", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["passed"] is True
    assert list(tmp_path.iterdir()) == []
    both = golongrl("verify-rewards", "d.jsonl", "--self-test", cwd=tmp_path)
    assert (both.returncode, "brings its own data" in both.stderr) == (2, True)
    neither = golongrl("verify-rewards", cwd=tmp_path)
    assert (neither.returncode, "name the dataset to check" in neither.stderr) == (2, True)
