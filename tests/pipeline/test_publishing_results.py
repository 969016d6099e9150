"""Results of an evaluation before and after they are published: sound, with settings, without the items."""

import json
import tomllib

import local_hub
import pytest
from publishable import copied, evaluation
from test_publishing import Bar

from golongrl.core.config import build
from golongrl.core.errors import DataError
from golongrl.pipeline.evaluation.config import EvalConfig
from golongrl.pipeline.publishing import cards
from golongrl.pipeline.publishing.parcel import Facts
from golongrl.pipeline.publishing.push import Request, carry_out, plan
from golongrl.pipeline.publishing.results import pack

MIT = Facts(licence="mit")


@pytest.fixture
def folder(tmp_path):
    return evaluation(tmp_path / "run")


def problems(folder, facts=MIT):
    return {check.name: check.problems for check in pack(folder, facts, Bar).checks if check.problems}


def change(folder, name, **values):
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_one_benchmark_passes_and_its_items_stay_here(folder):
    parcel = pack(folder, MIT, Bar)
    assert all(check.passed for check in parcel.checks)
    assert sorted(parcel.files) == [
        "README.md", "mrcr/eval.toml", "mrcr/report.html", "mrcr/results.json", "mrcr/samples.jsonl",
    ]  # fmt: skip
    assert parcel.left_out == ["config.json", "generations.jsonl", "manifest.json"]


def test_the_card_holds_scores_with_intervals_settings_and_commands(folder):
    text = pack(folder, MIT, Bar).files["README.md"].text()
    # (1 + 0.5 + 0) / 3; the prompt that did not fit is counted, not scored.
    assert "| mrcr | 0.5000 | 0.0000 to 1.0000 | 3 | 4 | 1 overlong_input | difflib ratio |" in text
    assert "golongrl eval --config mrcr/eval.toml --base-url http://ENDPOINT/v1 --out runs/mrcr" in text
    assert "| temperature | 0.7 |" in text
    assert f"openai/mrcr at {'d' * 12}" in text
    assert f"commit {'c' * 12}" in text


def test_the_metadata_are_a_model_index_that_the_hub_library_reads(folder):
    card = cards.parse(pack(folder, MIT, Bar).files["README.md"].text(), "model")
    [result] = card.data.eval_results
    assert card.data.model_name == "org/reader"
    assert (result.dataset_type, result.dataset_revision) == ("openai/mrcr", "d" * 40)
    assert result.metric_value == 0.5
    assert result.metric_args == {
        "interval": "95%, bootstrap over clusters", "low": 0.0, "high": 1.0, "n_scored": 3, "n": 4,
    }  # fmt: skip
    assert result.dataset_args == {"temperature": 0.7, "max_input": 131072, "seed": 0}


def test_the_settings_file_is_one_that_eval_takes(folder):
    change(
        folder, "config.json", model="/home/ann/models/reader", tokenizer="/home/ann/models/reader", needles=[2, 4]
    )
    text = pack(folder, MIT, Bar).files["mrcr/eval.toml"].text()
    settings = build(EvalConfig, tomllib.loads(text)["eval"])
    assert (settings.bench, settings.temperature, settings.needles) == (["mrcr"], 0.7, [2, 4])
    assert (settings.model, settings.tokenizer) == ("reader", "reader")


@pytest.mark.parametrize(
    ("engine", "identity", "given"),
    [
        ("vllm", f"folder:{'e' * 32}", "--model MODEL "),
        ("vllm", "org/reader", ""),
        (None, f"folder:{'e' * 32}", "--model MODEL "),
    ],
)
def test_the_command_for_a_model_that_eval_served_itself_names_no_endpoint(folder, engine, identity, given):
    inputs = {"model": identity, "documents": "f" * 32}
    change(folder, "config.json", engine=engine)
    change(folder, "manifest.json", inputs=inputs)
    parcel = pack(folder, MIT, Bar)
    text = parcel.files["README.md"].text()
    assert f"golongrl eval --config mrcr/eval.toml --data DATA {given}--out runs/mrcr" in text
    assert ("MODEL of mrcr is the folder of the model" in text) == bool(given)
    # A model of a folder is given by the command; anything else stands in the settings.
    settings = tomllib.loads(parcel.files["mrcr/eval.toml"].text())["eval"]
    assert ("model" in settings) != bool(given)
    build(EvalConfig, settings | ({"model": "there"} if given else {}))


def test_what_a_card_says_of_a_setting_with_a_table_and_of_data_without_a_name_on_the_hub(folder):
    settings = {"yarn_buckets": [{"longest": 8192, "factor": None}, {"longest": 32768, "factor": 4.0}]}
    change(folder, "results.json", settings=settings, dataset={"id": "built here, from documents", "licence": "MIT"})
    text = pack(folder, MIT, Bar).files["README.md"].text()
    assert "| yarn_buckets | longest 8192, longest 32768 factor 4.0 |" in text
    assert cards.parse(text, "model").data.eval_results[0].dataset_type == "mrcr"


def test_several_benchmarks_in_one_folder(tmp_path):
    evaluation(tmp_path / "all" / "mrcr")
    evaluation(tmp_path / "all" / "frames", bench="frames", scores=(1.0, 1.0))
    parcel = pack(tmp_path / "all", MIT, Bar)
    assert all(check.passed for check in parcel.checks)
    assert {"frames/samples.jsonl", "mrcr/samples.jsonl"} <= set(parcel.files)
    configs = cards.parse(parcel.files["README.md"].text(), "dataset").data.configs
    assert [config["config_name"] for config in configs] == ["frames", "mrcr"]


def test_results_of_two_models_are_not_mixed(tmp_path):
    evaluation(tmp_path / "all" / "a")
    evaluation(tmp_path / "all" / "b", model="org/other")
    found = problems(tmp_path / "all")["results sound"]
    assert "several models (org/other, org/reader)" in found[0]
    assert "mrcr more than once" in found[1]


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("results.json", {"n_incomplete": 2, "go_on": "run it again"}, "2 of 4 samples are owed; run it again"),
        ("results.json", {"score": 0.75}, "the scores' mean is 0.500000, and results.json says 0.75"),
        ("results.json", {"n_scored": 4}, "holds 4 samples, 3 of them scored"),
        ("results.json", {"settings": {}}, "has no settings"),
        ("results.json", {"score": None}, "no sample has a score"),
        ("manifest.json", {"finished": None}, "the run is not finished"),
    ],
)
def test_unsound_results_are_not_published(folder, name, values, words):
    change(folder, name, **values)
    assert words in problems(folder)["results sound"][0]


def test_without_samples_or_licence(folder):
    (folder / "samples.jsonl").unlink()
    found = problems(folder, Facts())
    assert "samples.jsonl is missing" in found["results sound"][0]
    assert "pass --license NAME" in found["licence set"][0]


def test_paths_and_secrets_in_samples_are_found(folder):
    rows = (folder / "samples.jsonl").read_text().splitlines()
    first = json.loads(rows[0]) | {"details": {"message": "hf_" + "a1B2" * 9, "file": "/home/ann/x.py"}}
    (folder / "samples.jsonl").write_text("\n".join([json.dumps(first), *rows[1:]]) + "\n")
    found = problems(folder)
    assert "mrcr/samples.jsonl holds a secret: hub token (line 1, field details.message)" in found["no secrets"][0]
    assert "/home/ann/x.py (line 1, field details.file)" in found["no local paths"][0]


@pytest.mark.parametrize("name", ["results.json", "config.json", "manifest.json"])
def test_a_folder_that_is_no_evaluation(folder, name):
    (folder / name).unlink()
    with pytest.raises(DataError, match=r"golongrl eval"):
        pack(folder, MIT, Bar)


def test_results_are_published_as_a_private_dataset(folder, tmp_path, monkeypatch):
    with local_hub.serve() as hub:
        local_hub.use(monkeypatch, hub, tmp_path / "home")
        carry_out(plan(Request("results", folder, "org/scores", facts=MIT), Bar), Bar)
        repo = hub.repos["dataset", "org/scores"]
        assert repo.private
        assert json.loads(repo.tree()["mrcr/results.json"].content)["score"] == 0.5
        again = plan(Request("results", copied(folder, tmp_path / "copy"), "org/scores", facts=MIT), Bar)
        assert again.changes == []
