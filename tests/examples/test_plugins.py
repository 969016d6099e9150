"""The plugins in examples/plugins, used as their own text says: through the command line, in other processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import chat_server
import pytest

from golongrl.core import plugins
from golongrl.core.errors import UsageError
from golongrl.pipeline.training import ray_settings
from golongrl.pipeline.training.config import TrainConfig

FOLDER = Path(__file__).parents[2] / "examples" / "plugins"
PLUGINS = sorted(FOLDER.glob("*.py"))


def golongrl(*args, cwd, plugin):
    return subprocess.run(
        [sys.executable, "-m", "golongrl.cli.app", *map(str, args)],
        **{"cwd": cwd, "capture_output": True, "text": True, "timeout": 180, "check": False},
        env={**os.environ, "GOLONGRL_PLUGINS": str(plugin)},
    )


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def record(index, items, metric="jaccard"):
    return {
        "data_source": "golongrl",
        "prompt": [{"role": "user", "content": f"Document {index}: copper, tin and {items[0]}. Name the goods."}],
        "reward_model": {"ground_truth": {"golden_label": "", "doc_ids": items, "summary": ""}},
        "extra_info": {"index": index, "metric": metric},
    }


def test_each_is_short():
    assert len(PLUGINS) == 3
    assert all(len(file.read_text().splitlines()) < 60 for file in PLUGINS)


def test_a_reward_is_audited_like_the_nine(tmp_path):
    goods = [["copper", "tin", "zinc"], ["oil", "lamps", "rope", "salt"], ["wheat", "rye", "oats", "hay", "flax"]]
    write_rows(tmp_path / "rows.jsonl", [record(i, items) for i, items in enumerate(goods)])
    write_rows(tmp_path / "said.jsonl", [{"id": 0, "response": "[Answer]\ncopper\ntin\nlead"}])
    done = golongrl(
        "verify-rewards", "rows.jsonl", "--responses", "said.jsonl", "--json",
        cwd=tmp_path, plugin=FOLDER / "add_a_reward.py",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["metrics"]["jaccard"]["gold_ok"] == 3
    assert len(report["probes"]) > 10
    samples = (tmp_path / "rows.audit" / "samples.jsonl").read_text()
    assert json.loads(samples)["score"] == pytest.approx(2 / 4)  # copper, tin shared; zinc, lead not


def test_without_the_plugin_its_metric_is_unknown(tmp_path):
    write_rows(tmp_path / "rows.jsonl", [record(0, ["copper", "tin"])])
    done = golongrl("verify-rewards", "rows.jsonl", cwd=tmp_path, plugin="")
    assert done.returncode == 1
    assert "no metric is known" in (tmp_path / "rows.audit" / "failures.jsonl").read_text()


def test_an_algorithm_is_simulated(tmp_path):
    write_rows(
        tmp_path / "log.jsonl",
        [{"prompt": "a", "task": "em", "reward": reward, "step": 1} for reward in (0.0, 0.5, 0.5, 1.0)],
    )
    done = golongrl(
        "simulate", "log.jsonl", "--algo", "rank", "--json", cwd=tmp_path, plugin=FOLDER / "add_an_algorithm.py"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcomes"][0]["setting"] == "rank"


def test_the_algorithm_by_hand(monkeypatch):
    monkeypatch.setenv(plugins.VARIABLE, str(FOLDER / "add_an_algorithm.py"))
    code = (
        "from golongrl.core import plugins\nfrom golongrl.core.advantages import compute\nplugins.load()\n"
        "print(*compute('rank', [0, .5, .5, 1, 3, 3], list('aaaabb'), ['em'] * 6).values)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Of three others: 3 above; 1 below, 1 above, 1 equal; 3 below. Equal rewards of one group: 0.
    assert done.stdout.split() == ["-1.0", "0.0", "0.0", "1.0", "0.0", "0.0"]


def test_a_benchmark_is_evaluated(tmp_path):
    write_rows(
        tmp_path / "clauses.jsonl",
        [
            {"id": i, "contract": f"The fee is {i} crowns.", "question": "What is the fee?", "answer": f"{i} crowns"}
            for i in range(4)
        ],
    )
    with chat_server.start() as server:
        done = golongrl(
            "eval", "--bench", "clauses", "--data", "clauses.jsonl", "--model", "echo",
            "--base-url", server.base_url, "--out", "out", "--json",
            cwd=tmp_path, plugin=FOLDER / "add_a_benchmark.py",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["benchmarks"][0]["n_scored"] == 4
    assert "plugin add_a_benchmark.py" in json.loads((tmp_path / "out" / "config.json").read_text())["inputs"]


def test_training_takes_an_algorithm_by_name(tmp_path):
    command = ["train", "--preset", "cpu-smoke", "--algo", "rank", "--dry-run"]
    done = golongrl(*command, "--json", cwd=tmp_path, plugin=FOLDER / "add_an_algorithm.py")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["config"]["algo"] == "rank"
    done = golongrl(*command, cwd=tmp_path, plugin="")
    assert done.returncode == 2
    assert "unknown algorithm 'rank'" in done.stderr


def test_every_process_of_a_cluster_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv(plugins.VARIABLE, f"{FOLDER / 'add_a_reward.py'}, some.module")
    config = TrainConfig(model="m", data="d")
    told = ray_settings.worker_environment(config, tmp_path)[plugins.VARIABLE]
    assert told == f"{FOLDER / 'add_a_reward.py'},some.module"


def test_a_plugin_that_cannot_be_imported_is_one_message(tmp_path):
    (tmp_path / "bad.py").write_text("import nothing_of_this_name\n")
    done = golongrl("simulate", "--batches", 1, cwd=tmp_path, plugin="bad.py")
    assert done.returncode == 2
    assert "bad.py cannot be imported (ModuleNotFoundError" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_name_is_refused():
    from golongrl.rewards import REWARDS, register

    with pytest.raises(UsageError, match="a metric 'f1' already"):
        register("f1", REWARDS["f1"], like="em")
    with pytest.raises(UsageError, match="none of the nine"):
        register("mine", REWARDS["f1"], like="bleu")
