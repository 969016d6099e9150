import json
import signal
import socket
import subprocess
import sys
import time

import chat_server
import pytest
from run_cli import COMMAND, golongrl


def options(server, out="run", **extra):
    base = ["--bench", "mrcr-mini", "--model", "echo", "--base-url", server.base_url, "--max-length", "1k"]
    more = [part for name, value in extra.items() for part in (f"--{name.replace('_', '-')}", value)]
    return [*base, "--limit", "12", "--concurrency", "2", "--out", out, *more]


def journal_rows(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_run_ends_with_a_scorecard_and_json_on_stdout_only(tmp_path):
    with chat_server.start() as server:
        done = golongrl("eval", *options(server, price_input=1, price_output=2), "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["complete"]
    assert result["benchmarks"][0]["n"] == 12
    # 12 answers with 11 and 7 tokens each.
    assert result["benchmarks"][0]["cost"]["total"] == 0.0003
    assert "12 of 12 samples fit" in done.stderr


def test_kill_9_and_resume_give_the_same_bytes(tmp_path):
    with chat_server.start() as server:
        assert golongrl("eval", *options(server, "calm"), cwd=tmp_path).returncode == 0
    with chat_server.start("--delay", 0.15) as server:
        process = subprocess.Popen(
            [*COMMAND, "eval", *options(server)], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        journal = tmp_path / "run" / "generations.jsonl"
        deadline = time.monotonic() + 60
        while journal_rows(journal) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        finished = journal_rows(journal)
        assert 4 <= finished < 12
        assert not (tmp_path / "run" / "samples.jsonl").exists()
        # A row torn in the middle of its bytes is owed again.
        with open(journal, "ab") as handle:
            handle.write(b'{"key": "torn')
    with chat_server.start() as server:
        assert golongrl("eval", *options(server), cwd=tmp_path).returncode == 0
        assert server.stats()["requests"] == 12 - finished
    assert (tmp_path / "run" / "samples.jsonl").read_bytes() == (tmp_path / "calm" / "samples.jsonl").read_bytes()
    results = [json.loads((tmp_path / name / "results.json").read_text()) for name in ("run", "calm")]
    for result in results:
        result.pop("seconds")
    assert results[0] == results[1]


def test_ctrl_c_keeps_finished_work_and_says_so(tmp_path):
    with chat_server.start("--delay", 0.15) as server:
        process = subprocess.Popen(
            [*COMMAND, "eval", *options(server)], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        journal = tmp_path / "run" / "generations.jsonl"
        deadline = time.monotonic() + 60
        while journal_rows(journal) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "finished work is kept" in errors
    assert "Traceback" not in errors
    assert journal_rows(journal) >= 2


def test_a_dead_endpoint_is_exit_code_3(tmp_path):
    with chat_server.start("--die-after", 3) as server:
        done = golongrl("eval", *options(server), "--set", "retries=1", cwd=tmp_path)
    assert done.returncode == 3
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_incomplete_items_are_exit_code_1_with_how_to_go_on(tmp_path):
    with chat_server.start("--fail-first", 1, "--status", 500) as server:
        arguments = [*options(server), "--set", "retries=0"]
        first = golongrl("eval", *arguments, cwd=tmp_path)
        second = golongrl("eval", *arguments, cwd=tmp_path)
    assert first.returncode == 1
    assert "12 of 12 samples are owed" in first.stderr
    assert "run the same command again" in first.stderr
    assert second.returncode == 0


def test_a_busy_port_is_exit_code_3(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"max_position_embeddings": 4096}')
    (model / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = golongrl("eval", "--bench", "mrcr-mini", "--model", model, "--port", port, cwd=tmp_path)
    assert done.returncode == 3
    assert f"port {port}" in done.stderr
    assert "--port" in done.stderr


def test_an_engine_that_cannot_start_is_exit_code_3_with_its_log(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"max_position_embeddings": 4096}')
    (model / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no module named vllm\nexit 1\n")
    python.chmod(0o755)
    done = golongrl(
        "eval",
        *("--bench", "mrcr-mini", "--model", model, "--engine", "vllm", "--server-python", python),
        cwd=tmp_path,
    )
    assert done.returncode == 3
    assert "no module named vllm" in done.stderr
    assert "server.log" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bench", "nope", "--model", "m"], "Benchmarks: mrcr, mrcr-mini"),
        (["--model", "m"], "bench"),
        (["--bench", "mrcr-mini"], "--model"),
        (["--bench", "mrcr", "--model", "m", "--base-url", "http://127.0.0.1:9/v1", "--dry-run"], "--data"),
        (["--bench", "mrcr-mini", "--model", "m", "--base-url", "u", "--data", "/no/where", "--dry-run"], "--data"),
        (["--bench", "mrcr-mini", "--model", "./missing"], "no such model folder"),
        (["--bench", "long-contxt", "--model", "m"], "did you mean 'long-context'"),
        (
            ["--bench", "longmemeval", "--model", "m", "--base-url", "u"],
            "--judge-model NAME and --judge-base-url URL",
        ),
        (["--bench", "frames", "--model", "m", "--base-url", "u", "--judge-model", "j"], "belong together"),
        (["--bench", "bfcl-memory", "--model", "m", "--base-url", "u"], "--bfcl-python"),
        (["--bench", "frames", "--model", "m", "--base-url", "u", "--overlong", "cut"], "'middle-document'"),
        (["--bench", "mrcr-mini", "--model", "m", "--set", "limt=3"], "did you mean 'limit'"),
        (["--bench", "mrcr-mini", "--model", "m", "--max-length", "4q"], "not a length"),
        (["--bench", "mrcr-mini", "--model", "m", "--config", "none.toml"], "no such configuration file"),
    ],
)
def test_wrong_calls_are_exit_code_2(tmp_path, arguments, message):
    done = golongrl("eval", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_dry_run_shows_the_plan(tmp_path):
    (tmp_path / "golongrl.toml").write_text(
        '[eval]\nbench = ["mrcr-mini"]\nmodel = "m"\nbase_url = "http://127.0.0.1:9/v1"\nlimit = 3\n'
    )
    done = golongrl("eval", "--dry-run", "--json", "--max-model-len", "8k", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    entry = json.loads(done.stdout)["plan"][0]
    assert (entry["items"], entry["max_model_len"], entry["max_output"]) == (3, 8192, 192)
    assert not (tmp_path / "runs").exists()


def test_secrets_stay_in_the_environment(tmp_path):
    with chat_server.start("--refuse", "Prepend") as server:
        done = golongrl("eval", *options(server), cwd=tmp_path, OPENAI_API_KEY="sk-very-secret")
        assert "Bearer sk-very-secret" in server.stats()["keys"]
    written = [path.read_text(errors="replace") for path in (tmp_path / "run").iterdir()]
    assert not any("very-secret" in text for text in [done.stdout, done.stderr, *written])


@pytest.mark.slow
def test_the_embedded_engine_serves_a_local_model(tmp_path):
    from golongrl.core.byte_model import build_byte_model

    build_byte_model(tmp_path / "my model")
    arguments = ["--bench", "mrcr-mini", "--model", "my model", "--max-length", "1k", "--limit", "3"]
    arguments += ["--max-output", "24", "--repeats", "2"]
    done = golongrl("eval", *arguments, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["benchmarks"][0]
    assert (result["n"], result["n_items"]) == (6, 3)
    folder = tmp_path / "runs" / "eval" / "mrcr-mini-my model"
    samples = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    # Our count of each prompt is the server's, chat template included.
    assert all(sample["n_input_tokens"] == sample["prompt_tokens"] for sample in samples)
    rows = [json.loads(line) for line in (folder / "generations.jsonl").read_text().splitlines()]
    # Sampling is on: two repeats of one prompt differ.
    assert rows[0]["text"] != rows[1]["text"]
    port = (
        next(word for word in done.stderr.split() if word.startswith("http://127.0.0.1:")).split(":")[2].split("/")[0]
    )
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(port))) != 0


def test_a_full_disk_is_exit_code_3_and_answers_that_arrived_are_kept(tmp_path):
    with chat_server.start() as server:
        # Long enough for what is asked, too short for the answers, which are six to each question.
        rows = tmp_path / "rows.jsonl"
        rows.write_text(
            "".join(
                json.dumps(
                    {
                        "id": str(number),
                        "prompt": json.dumps([{"role": "user", "content": f"Say {number} " + "word " * 40}]),
                        "answer": "abc word",
                        "random_string_to_prepend": "abc",
                        "n_needles": 2,
                    }
                )
                + "\n"
                for number in range(12)
            )
        )
        arguments = ["--bench", "mrcr", "--data", rows, "--model", "echo", "--base-url", server.base_url]
        arguments += ["--out", "run", "--concurrency", "1", "--repeats", "6"]
        full = golongrl("eval", *arguments, cwd=tmp_path, limit=25_000)
        assert full.returncode == 3, full.stderr
        assert "no space left while writing" in full.stderr
        assert "Traceback" not in full.stderr
        kept = journal_rows(tmp_path / "run" / "generations.jsonl")
        asked = server.stats()["requests"]
        assert 1 <= kept < 72
        done = golongrl("eval", *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert server.stats()["requests"] - asked == 72 - kept


def test_nothing_listening_is_exit_code_3_before_anything_is_written(tmp_path):
    arguments = ["--bench", "mrcr-mini", "--model", "m", "--base-url", "http://127.0.0.1:9/v1", "--max-length", "1k"]
    done = golongrl("eval", *arguments, cwd=tmp_path)
    assert done.returncode == 3
    assert "http://127.0.0.1:9/v1 cannot be reached" in done.stderr
    assert "--base-url" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_started_server_that_dies_is_exit_code_3_and_the_next_run_goes_on(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text('{"max_position_embeddings": 4096}')
    (model / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    python = tmp_path / "python"
    arguments = ["--bench", "mrcr-mini", "--model", model, "--engine", "vllm", "--server-python", python]
    arguments += ["--max-length", "1k", "--limit", "8", "--concurrency", "1", "--set", "retries=1", "--out", "run"]
    for die_after, code in ((3, 3), (0, 0)):
        python.write_text(
            '#!/bin/sh\nwhile [ "$1" != --port ]; do shift; done\n'
            f'exec "{sys.executable}" -u "{chat_server.__file__}" --port "$2" --delay 0.05 --die-after {die_after}\n'
        )
        python.chmod(0o755)
        done = golongrl("eval", *arguments, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        if code:
            assert "ended with exit code 7; finished work is kept" in done.stderr
            assert "fatal: out of imaginary memory" in done.stderr
            assert journal_rows(tmp_path / "run" / "generations.jsonl") == 3
    assert journal_rows(tmp_path / "run" / "generations.jsonl") == 8
