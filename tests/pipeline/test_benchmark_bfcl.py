"""BFCL's memory questions: items, scores, results of the package, and running it in another interpreter.

GOLONGRL_BFCL_PYTHON names an interpreter with bfcl-eval, for the test that runs the package itself.
"""

import json
import os
import sys

import benchmark_rows
import chat_server
import pytest
from test_benchmark_data import load

from golongrl.core.errors import DataError, ServerError
from golongrl.pipeline.evaluation.benchmarks import bfcl_memory, bfcl_run

# What the worker uses of the package, in the package's own layout: its main loop asks every chat and question that
# has no result yet, chats first, and writes failures as results.
PACKAGE = {
    "__init__.py": "",
    "utils.py": """
import json
def load_dataset_entry(category):
    chats = [{"id": f"{category}_prereq_{n}-finance-{n}", "depends_on": [], "text": f"chat {n}"} for n in range(2)]
    asked = [
        {"id": f"{category}_{n}-finance-{n}", "depends_on": [c["id"] for c in chats], "text": f"question {n}"}
        for n in range(2)
    ]
    return chats + asked
""",
    "constants/__init__.py": "",
    "constants/eval_config.py": """
import os
from pathlib import Path
PROJECT_ROOT = Path(os.environ["BFCL_PROJECT_ROOT"])
TEST_IDS_TO_GENERATE_PATH = PROJECT_ROOT / "test_case_ids_to_generate.json"
""",
    "constants/model_config.py": """
from dataclasses import dataclass
@dataclass
class ModelConfig:
    model_name: str
    display_name: str
    url: str
    org: str
    license: str
    model_handler: type
    input_price: object
    output_price: object
    is_fc_model: bool
    underscore_to_dot: bool
MODEL_CONFIG_MAPPING = {}
""",
    "model_handler/__init__.py": "",
    "model_handler/api_inference/__init__.py": "",
    "model_handler/api_inference/openai_completion.py": """
import json, os, urllib.error, urllib.request
class OpenAICompletionsHandler:
    def generate_with_backoff(self, **request):
        headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}
        url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
        asked = urllib.request.Request(url, json.dumps(request).encode(), headers)
        assert "store" not in request
        try:
            return json.load(urllib.request.urlopen(asked))["choices"][0]["message"]["content"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from error
""",
    "_llm_response_generation.py": """
import json
from bfcl_eval import utils
from bfcl_eval.constants.eval_config import PROJECT_ROOT, TEST_IDS_TO_GENERATE_PATH
from bfcl_eval.constants.model_config import MODEL_CONFIG_MAPPING
def main(args):
    config = MODEL_CONFIG_MAPPING[args.model[0]]
    handler = config.model_handler()
    wanted = json.loads(TEST_IDS_TO_GENERATE_PATH.read_text()) if args.run_ids else None
    for category in args.test_category:
        for entry in utils.load_dataset_entry(category):
            if wanted is not None and entry["id"] not in wanted.get(category, []):
                continue
            kind = category.removeprefix("memory_")
            name = f"BFCL_v4_{category}{'_prereq' if 'prereq' in entry['id'] else ''}_result.json"
            path = PROJECT_ROOT / args.result_dir / args.model[0] / "agentic" / "memory" / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            done = [json.loads(line)["id"] for line in path.read_text().splitlines()] if path.exists() else []
            if entry["id"] in done:
                continue
            try:
                reply = handler.generate_with_backoff(
                    messages=[{"role": "user", "content": entry["text"]}],
                    model=config.model_name, temperature=args.temperature, store=False,
                )
                result = [[[{"core_memory_add": "{}"}], reply]]
            except Exception as error:
                result = f"Error during inference: {error}"
            with open(path, "a") as handle:
                handle.write(json.dumps({"id": entry["id"], "result": result}) + "\\n")
""",
}


def install_package(site, monkeypatch):
    """Put the stand-in where the interpreter that runs this test finds it, also as a child process."""
    for name, content in PACKAGE.items():
        path = site / "bfcl_eval" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(site))


@pytest.fixture
def package(tmp_path, monkeypatch):
    install_package(tmp_path / "site", monkeypatch)
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")


def items(tmp_path, **changes):
    folder = tmp_path / "data" / "possible_answer"
    folder.mkdir(parents=True, exist_ok=True)
    (folder.parent / "BFCL_v4_memory.json").write_bytes(benchmark_rows.jsonl(benchmark_rows.BFCL_QUESTIONS))
    (folder.parent / "BFCL_v4_web_search.json").write_text("never read", encoding="utf-8")
    (folder.parent / "memory_kv.json").write_text('{"name": "a tool"}\n', encoding="utf-8")
    (folder.parent / "memory_finance.json").write_bytes(
        benchmark_rows.jsonl([{"id": "memory_prereq_0-finance-0", "question": [[]], "scenario": "finance"}])
    )
    (folder / "BFCL_v4_memory.json").write_bytes(benchmark_rows.jsonl(benchmark_rows.BFCL_ANSWERS))
    return load("bfcl-memory", folder.parent, **changes)


def test_every_question_is_asked_of_every_kind_of_memory(tmp_path):
    found = items(tmp_path)
    assert [item.id for item in found][:3] == [
        "memory_kv_0-finance-0",
        "memory_vector_0-finance-0",
        "memory_rec_sum_0-finance-0",
    ]
    assert found[0].gold == {"question": "What do I collect?", "answers": ["old maps", "maps"]}
    assert found[0].buckets == {"memory": "kv", "scenario": "finance"}
    # There is no single prompt to send.
    assert (len(found), found[0].messages, found[0].cluster) == (6, [], "finance")
    assert [item.id for item in items(tmp_path, limit=4)][-1] == "memory_kv_1-finance-1"


def test_a_question_without_its_answers_is_named(tmp_path):
    path = tmp_path / "memory.jsonl"
    path.write_bytes(benchmark_rows.jsonl(benchmark_rows.BFCL_QUESTIONS + benchmark_rows.BFCL_ANSWERS[:1]))
    with pytest.raises(DataError, match="row 2: no row with ground_truth has the id 'memory_1-finance-1'"):
        load("bfcl-memory", path)


@pytest.mark.parametrize(
    ("response", "value", "field"),
    [
        ("{'answer': 'old maps', 'context': 'You said so.'}", 1.0, 1.0),
        ('{"answer": "Old Maps.", "context": "x"}', 1.0, 1.0),
        ("You collect OLD-MAPS", 0.0, 0.0),
        ("You collect maps (old).", 1.0, 0.0),
        ("{'answer': 'coins', 'context': 'The maps are gone.'}", 1.0, 0.0),
        ("mapsy", 0.0, 0.0),
        ("<think>maps</think>coins", 0.0, 0.0),
    ],
)
def test_scores(response, value, field):
    found = bfcl_memory.score({"answers": ["old maps", "maps"]}, response, "optional")
    assert (found.value, found.details["answer_field"]) == (value, field)


def test_no_answer():
    assert bfcl_memory.score({"answers": ["x"]}, "", "optional").reason == "no_answer"
    assert bfcl_memory.score({"answers": ["x"]}, "x", "required").reason == "unclosed_think"


def generate(server, tmp_path, wanted=None, **changes):
    return bfcl_run.generate(
        sys.executable,
        base_url=server.base_url,
        model="echo",
        folder=tmp_path / "run",
        sampling={"temperature": 0.7, "top_p": 0.95, "max_tokens": 64},
        items=wanted,
        backends=["kv"],
        **changes,
    )


def test_the_package_runs_in_another_interpreter_and_resumes(tmp_path, package):
    with chat_server.start() as server:
        first = generate(server, tmp_path)
        assert first == {f"memory_kv_{n}-finance-{n}": f"echo: question {n}" for n in range(2)}
        assert server.stats()["requests"] == 4
        assert set(server.stats()["keys"]) == {"Bearer secret-key"}
        assert generate(server, tmp_path) == first
        assert server.stats()["requests"] == 4
    assert not [path for path in (tmp_path / "run").rglob("*") if path.is_file() and "secret-key" in path.read_text()]


def test_some_questions_alone_come_with_the_chats_before_them(tmp_path, package):
    with chat_server.start() as server:
        assert list(generate(server, tmp_path, items(tmp_path, limit=1))) == ["memory_kv_0-finance-0"]
        assert server.stats()["requests"] == 3


def test_failures_are_owed_and_a_failed_chat_takes_its_questions_along(tmp_path, package):
    # Both questions were answered, but from a memory that lacks the second chat.
    with chat_server.start("--refuse", "chat 1") as server, pytest.raises(ServerError, match="bad content"):
        generate(server, tmp_path)
    assert bfcl_run.read_results(tmp_path / "run") == {}
    with chat_server.start("--refuse", "question 1") as server:
        assert list(generate(server, tmp_path)) == ["memory_kv_0-finance-0"]
    with chat_server.start() as server:
        assert len(generate(server, tmp_path)) == 2
        assert server.stats()["requests"] == 1


def test_a_torn_result_is_owed(tmp_path, package):
    with chat_server.start() as server:
        generate(server, tmp_path)
        path = next((tmp_path / "run").rglob("*memory_kv_result.json"))
        path.write_bytes(path.read_bytes()[:-10])
        assert list(bfcl_run.read_results(tmp_path / "run")) == ["memory_kv_0-finance-0"]
        assert len(generate(server, tmp_path)) == 2


def test_an_interpreter_without_the_package(tmp_path):
    with pytest.raises(ServerError, match=r"(?s)pip install bfcl-eval==.*No module named 'bfcl_eval'"):
        bfcl_run.generate(
            sys.executable, base_url="http://127.0.0.1:9/v1", model="m", folder=tmp_path / "run", sampling={}
        )


def test_results_without_a_last_message_are_empty(tmp_path):
    path = tmp_path / "result" / "x" / "BFCL_v4_memory_kv_result.json"
    path.parent.mkdir(parents=True)
    rows = [
        {"id": "memory_kv_0-a-0", "result": [[[{"core_memory_list": "{}"}]]]},
        {"id": "memory_kv_1-a-1", "result": [["thinking", [{"f": "{}"}], "final"]]},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert bfcl_run.read_results(tmp_path) == {"memory_kv_0-a-0": "", "memory_kv_1-a-1": "final"}


@pytest.mark.slow
@pytest.mark.skipif("GOLONGRL_BFCL_PYTHON" not in os.environ, reason="no interpreter with bfcl-eval is named")
@pytest.mark.parametrize("backend", ["kv", "rec_sum"])
def test_the_published_package_itself(tmp_path, backend):
    wanted = [bfcl_memory.from_row({"id": f"memory_{backend}_55-finance-0", "ground_truth": ["Legend"]}, "row 1")]
    with chat_server.start() as server:
        arguments = {
            "base_url": server.base_url,
            "model": "echo",
            "folder": tmp_path / "run",
            "sampling": {"temperature": 0.7, "top_p": 0.95, "max_tokens": 64},
            "items": wanted,
            "backends": [backend],
        }
        found = bfcl_run.generate(os.environ["GOLONGRL_BFCL_PYTHON"], **arguments)
        assert list(found) == [wanted[0].id]
        assert found[wanted[0].id].startswith("echo: ")
        asked = server.stats()["requests"]
        assert asked > 10
        bfcl_run.generate(os.environ["GOLONGRL_BFCL_PYTHON"], **arguments)
        assert server.stats()["requests"] == asked
