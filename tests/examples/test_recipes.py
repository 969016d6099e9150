"""The scripts in examples/recipes, run as they are; what needs GPUs shows its plan."""

import json
import os
import subprocess
import sys
from pathlib import Path

import chat_server
import pytest

from golongrl.core.byte_model import build_byte_model
from golongrl.core.records import write_parquet
from golongrl.pipeline.training.smoke import smoke_records

FOLDER = Path(__file__).parents[2] / "examples" / "recipes"
SCRIPTS = sorted(FOLDER.glob("*.sh"))
HARBOUR = [
    f"Pier {n} was built in {1800 + n} by {name} and sons, who brought the timber from the northern islands. It cost "
    f"{n * 75 + 20} crowns, of which the town paid a third, and it carried {n * 4 + 3} cranes until the great storm."
    for n, name in enumerate(("Abel", "Brandt", "Carlsen", "Dahl", "Eriksen", "Falk"))
]


def run(script, cwd, **environment):
    """The script with `golongrl` of this interpreter first on the path."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", str(FOLDER / script)]
    settings = {**os.environ, "PATH": path, **{name: str(value) for name, value in environment.items()}}
    return subprocess.run(command, cwd=cwd, env=settings, capture_output=True, text=True, timeout=400, check=False)


def test_each_is_short():
    assert len(SCRIPTS) == 3
    assert all(len(script.read_text().splitlines()) < 60 for script in SCRIPTS)


@pytest.fixture
def documents(tmp_path):
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(8):
        sections = [
            f"# Part {part} of book {number}\n\n"
            + "\n\n".join(f"In {1700 + 10 * part + i}, volume {number}: {line}" for i, line in enumerate(HARBOUR))
            for part in range(6)
        ]
        (folder / f"book{number}.md").write_text(f"# Harbour book {number}\n\n" + "\n\n".join(sections))
    return folder


def test_documents_become_an_audited_dataset(tmp_path, documents):
    done = run("documents_to_dataset.sh", tmp_path, DOCUMENTS=documents, BINS="2k,4k", TARGET=20)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "dataset" / "train.parquet").stat().st_size > 0
    assert json.loads((tmp_path / "dataset" / "train.audit" / "audit.json").read_text())["passed"] is True


def test_two_checkpoints_are_compared(tmp_path, documents):
    with chat_server.start() as server:
        done = run(
            "compare_checkpoints.sh",
            tmp_path,
            **{"A": "echo", "B": "echo-2", "BENCH": "mrcr-mini", "REPEATS": 1},
            OPTIONS=f"--base-url {server.base_url} --data {documents} --max-length 1k --limit 6",
        )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs" / "a-vs-b" / "compare" / "report.html").exists()


QWEN3_4B = {
    **{"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "hidden_size": 2560, "num_hidden_layers": 36},
    **{"num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 9728},
    **{"vocab_size": 151936, "tie_word_embeddings": True, "rope_theta": 5000000, "hidden_act": "silu"},
    **{"max_position_embeddings": 262144, "rms_norm_eps": 1e-6},
}
QWEN3_30B = {
    **QWEN3_4B,
    **{"model_type": "qwen3_moe", "architectures": ["Qwen3MoeForCausalLM"], "hidden_size": 2048},
    **{"num_hidden_layers": 48, "num_key_value_heads": 4, "intermediate_size": 6144, "moe_intermediate_size": 768},
    **{"num_experts": 128, "num_experts_per_tok": 8, "tie_word_embeddings": False, "rope_theta": 10000000},
}


LONGBENCH = {
    **{"_id": "1", "domain": "Harbour", "sub_domain": "Piers", "difficulty": "easy", "length": "short"},
    **{"question": "Who built pier 2?", "choice_A": "Abel", "choice_B": "Brandt", "choice_C": "Carlsen"},
    **{"choice_D": "Dahl", "answer": "C", "context": "\n".join(HARBOUR)},
}


@pytest.mark.parametrize(("size", "shape"), [("4b", QWEN3_4B), ("30b", QWEN3_30B)])
def test_the_papers_runs_are_planned(tmp_path, size, shape):
    (tmp_path / "rows.jsonl").write_text(json.dumps(LONGBENCH) + "\n")
    model = build_byte_model(tmp_path / "Qwen3")
    (model / "config.json").write_text(json.dumps(shape))
    rows = smoke_records()
    write_parquet(tmp_path / "train.parquet", (rows[i % len(rows)] for i in range(130)))
    done = run(
        "reproduce_paper.sh",
        tmp_path,
        **{"SIZE": size, "MODEL": model, "DATA": "train.parquet", "DRY_RUN": "--dry-run", "OUT": "out"},
        **{"BENCH": "longbench-v2", "ROWS": "rows.jsonl"},
    )
    assert done.returncode == 0, done.stderr
    assert "0 attacks pay" in done.stderr
    assert "policy updates per step" in done.stderr
    assert "longbench-v2: nothing was started" in done.stderr


def test_a_size_that_the_paper_does_not_have_is_named(tmp_path):
    done = run("reproduce_paper.sh", tmp_path, SIZE="7b")
    assert (done.returncode, done.stderr) == (2, "SIZE=7b: write 4b or 30b\n")
