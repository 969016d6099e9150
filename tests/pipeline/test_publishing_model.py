"""A trained model before and after it is published: it loads, holds no pickle, and names what it came from."""

import json
import subprocess
import sys
import tomllib

import local_hub
import numpy
import pytest
from publishable import evaluation, model, training_run
from safetensors.numpy import load_file, save_file
from test_publishing import Bar

from golongrl.core.byte_model import build_byte_model
from golongrl.core.config import build
from golongrl.core.errors import CheckFailedError, DataError
from golongrl.core.report import KeyValues, Page
from golongrl.core.store import file_sha256
from golongrl.core.weight_files import fingerprint
from golongrl.pipeline.publishing import cards
from golongrl.pipeline.publishing.model import pack
from golongrl.pipeline.publishing.parcel import Facts, Link
from golongrl.pipeline.publishing.push import Request, carry_out, plan
from golongrl.pipeline.training.config import TrainConfig

DATA = b"PAR1 the training records PAR1"
FACTS = Facts(licence="apache-2.0", datasets=("org/talks",))


@pytest.fixture
def run(tmp_path):
    data = tmp_path / "data.parquet"
    data.write_bytes(DATA)
    return training_run(tmp_path / "run", file_sha256(data))


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with local_hub.serve() as hub:
        local_hub.use(monkeypatch, hub, tmp_path / "home")
        hub.create("model", "org/base", {"config.json": b"{}"})
        hub.create("dataset", "org/talks", {"train.parquet": DATA})
        yield hub


def problems(folder, facts=FACTS):
    return {check.name: check.problems for check in pack(folder, facts, Bar).checks if check.problems}


def ask(folder, facts=FACTS):
    return plan(Request("model", folder, "org/tuned", facts=facts), Bar)


def test_a_finished_run_passes_with_the_files_of_its_model(run):
    parcel = pack(run, FACTS, Bar)
    assert all(check.passed for check in parcel.checks), parcel.checks
    assert sorted(parcel.files) == [
        "README.md", "chat_template.jinja", "config.json", "model.safetensors", "report.html", "tokenizer.json",
        "tokenizer_config.json", "train.toml",
    ]  # fmt: skip
    assert parcel.repo_type == "model"
    assert pack(run / "model", FACTS, Bar).files == parcel.files


def test_the_card_tells_data_base_rewards_and_how_to_repeat_it(run):
    text = pack(run, FACTS, Bar).files["README.md"].text()
    card = cards.parse(text, "model")
    assert (card.data.base_model, card.data.datasets, card.data.license) == ("org/base", ["org/talks"], "apache-2.0")
    assert card.data.library_name == "transformers"
    assert "# base after 4 steps of tmn-reweight" in text
    # The last two of four steps: 0.3 and 0.4.
    assert "| em | 0.100 | 0.350 | 0." in text
    assert "golongrl train --config train.toml --out runs/again" in text
    assert "| rewards | audited before training |" in text
    assert "/home/ann" not in text


def test_the_settings_file_is_one_that_train_takes(run):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"val_data": "dataset/val.parquet"}))
    text = pack(run, FACTS, Bar).files["train.toml"].text()
    settings = build(TrainConfig, tomllib.loads(text)["train"])
    assert (settings.model, settings.seed) == ("org/base", 3)
    assert (settings.data, settings.val_data) == ("train.parquet", "val.parquet")
    assert settings.learning_rate == 1e-6
    assert settings.verl == {"trainer.project_name": "long"}


def test_the_report_names_what_the_run_read_without_its_paths(run):
    base, other = run / "base", run / "metrics.jsonl"
    base.mkdir()
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"model": str(base)}))
    (run / "report.html").write_text(f"<dd>{base}</dd> <dd>/home/ann/data/train.parquet</dd>")
    facts = Facts("apache-2.0", "org/base", ("org/talks",))
    assert pack(run, facts, Bar).files["report.html"].text() == "<dd>base</dd> <dd>train.parquet</dd>"
    assert problems(run, facts) == {}
    (run / "report.html").write_text(f"<dd>{other}</dd>")
    assert str(other) in problems(run, facts)["no local paths"][0]


def test_the_report_names_no_path_that_a_page_escapes(run):
    base = "/home/ann's & \"bob's\"/base"
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"model": base}))
    Page("Run", [("Read", KeyValues({"model": base}))]).write(run / "report.html")
    page = pack(run, Facts("apache-2.0", "org/base", ("org/talks",)), Bar).files["report.html"].text()
    assert "<dd>base</dd>" in page
    assert "ann" not in page


def test_evaluations_go_into_the_card_with_their_intervals(run, tmp_path):
    evaluation(tmp_path / "scores")
    facts = Facts(licence="mit", datasets=("org/talks",), results=(tmp_path / "scores",))
    parcel = pack(run, facts, Bar)
    assert all(check.passed for check in parcel.checks)
    text = parcel.files["README.md"].text()
    assert "| mrcr | 0.5000 | 0.0000 to 1.0000 | 3 | 4 |" in text
    assert cards.parse(text, "model").data.eval_results[0].metric_value == 0.5


def test_scores_of_another_model_are_refused(run, tmp_path):
    scores = evaluation(tmp_path / "scores")
    facts = Facts(licence="mit", datasets=("org/talks",), results=(scores,))
    path = scores / "manifest.json"
    manifest = json.loads(path.read_text())
    for identity, passes in ((f"folder:{fingerprint(run / 'model')}", True), ("folder:" + "0" * 32, False)):
        path.write_text(json.dumps(manifest | {"inputs": {"model": identity}}))
        found = problems(run, facts)
        assert ("results sound" not in found) == passes
        assert "Scores of these weights: means" in pack(run, facts, Bar).files["README.md"].text()
    assert "the scores of another model" in found["results sound"][0]


def test_what_the_card_cannot_know_is_asked_for(run):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(config | {"model": "/home/ann/models/base"}))
    found = problems(run, Facts())
    assert found["card complete"] == [
        "README.md has no 'base_model' in its metadata; pass --base-model ORG/NAME, the repository on the hub",
        "README.md has no 'datasets' in its metadata; pass --dataset ORG/NAME, the repository on the hub",
    ]
    assert "pass --license NAME" in found["licence set"][0]


def test_pickles_are_refused(run):
    (run / "model" / "training_args.bin").write_bytes(b"\x80\x04.")
    assert "holds pickles (training_args.bin), which run code" in problems(run)["safetensors only"][0]


def test_weights_that_are_cut_off_or_do_not_fit(run):
    weights = run / "model" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-4])
    assert "is cut off" in problems(run)["model loads"][0]
    weights.write_bytes(whole)
    tensors = {name: numpy.ones((3, 16), numpy.float32) for name in load_file(weights)}
    save_file(tensors, weights)
    assert "says 259 x 16 embeddings, and the weights have 3 x 16" in problems(run)["model loads"][0]
    weights.unlink()
    assert "holds no model.safetensors" in problems(run)["model loads"][0]


def test_code_of_its_own_is_not_published(run):
    path = run / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"auto_map": {"AutoModel": "modeling.Own"}}))
    assert "needs code of its own" in problems(run)["model loads"][0]


def test_a_model_without_tokenizer_or_template(run):
    template = run / "model" / "chat_template.jinja"
    text = template.read_text()
    template.unlink()
    assert "has no chat template" in problems(run)["tokenizer and chat template"][0]
    template.write_text("{{ 'nothing' }}")
    assert "loses the question" in problems(run)["tokenizer and chat template"][0]
    template.write_text(text)
    (run / "model" / "tokenizer.json").unlink()
    assert "no tokenizer.json" in problems(run)["tokenizer and chat template"][0]


def test_a_path_in_the_config_or_in_the_header_of_the_weights_is_found(run):
    weights = run / "model" / "model.safetensors"
    save_file(load_file(weights), weights, metadata={"format": "pt", "source": "/home/ann/run/checkpoint"})
    path = run / "model" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"_name_or_path": "/home/ann/models/base"}))
    found = problems(run)["no local paths"]
    assert any("model.safetensors names paths of a machine: /home/ann/run/checkpoint" in problem for problem in found)
    assert any("config.json names paths of a machine: /home/ann/models/base" in problem for problem in found)


def test_a_model_folder_alone_needs_a_card_of_its_own(tmp_path):
    folder = model(tmp_path / "own")
    assert "has no README.md" in problems(folder)["card complete"][0]
    about = {"license": "mit", "base_model": "org/base", "datasets": ["org/talks"]}
    (folder / "README.md").write_text(f"---\n{json.dumps(about)}\n---\n# Own\n\n{'About it. ' * 30}\n")
    assert problems(folder, Facts()) == {}
    assert pack(folder, Facts(), Bar).links == [
        Link("base model linked", "org/base", "model"),
        Link("training data linked", "org/talks", "dataset"),
    ]
    text = pack(folder, Facts(base_model="org/other"), Bar).files["README.md"].text()
    assert "base_model: org/other" in text


def test_scores_go_into_a_card_of_its_own_as_well(tmp_path):
    folder = model(tmp_path / "own")
    about = {"license": "mit", "base_model": "org/base", "datasets": ["org/talks"]}
    (folder / "README.md").write_text(f"---\n{json.dumps(about)}\n---\n# Own\n\n{'About it. ' * 30}\n")
    parcel = pack(folder, Facts(results=(evaluation(tmp_path / "scores"),)), Bar)
    assert all(check.passed for check in parcel.checks)
    text = parcel.files["README.md"].text()
    assert "# Own" in text
    assert "## Evaluation" in text
    assert cards.parse(text, "model").data.eval_results[0].metric_value == 0.5


def test_an_evaluation_without_a_score_fails_its_check_alone(run, tmp_path):
    scores = evaluation(tmp_path / "scores")
    path = scores / "results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"score": None}))
    found = problems(run, Facts(licence="mit", datasets=("org/talks",), results=(scores,)))
    assert set(found) == {"results sound"}
    assert "no sample has a score" in found["results sound"][0]


def test_a_run_that_is_not_finished(run):
    (run / "results.json").unlink()
    with pytest.raises(DataError, match="not finished"):
        pack(run, FACTS, Bar)


def test_the_links_are_followed_to_the_very_file(hub, run):
    done = carry_out(ask(run), Bar)
    assert done.url.endswith("/org/tuned")
    repo = hub.repos["model", "org/tuned"]
    assert repo.private
    assert repo.tree()["model.safetensors"].lfs
    assert ask(run).changes == []


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (Facts("mit", "org/nobody", ("org/talks",)), "the hub has no model org/nobody"),
        (Facts("mit", None, ("org/nothing",)), "publish it first: golongrl push-to-hub dataset FOLDER org/nothing"),
        (Facts("mit", None, ("org/else",)), "holds no file with the sha256"),
        (Facts("mit", None, ("org/talks@v9",)), "the hub has no dataset org/talks@v9"),
    ],
)
def test_links_that_lead_nowhere(hub, run, facts, words):
    hub.create("dataset", "org/else", {"train.parquet": b"PAR1 other PAR1"})
    planned = ask(run, facts)
    assert not planned.passed
    with pytest.raises(CheckFailedError, match=words):
        carry_out(planned, Bar)
    assert ("model", "org/tuned") not in hub.repos


def test_data_that_moved_on_are_found_at_their_revision(hub, run):
    repo = hub.repos["dataset", "org/talks"]
    before = repo.branches["main"]
    repo.commit({**repo.tree(), "train.parquet": local_hub.File(b"PAR1 newer PAR1", lfs=True)}, "newer")
    assert not ask(run).passed
    assert ask(run, Facts("mit", None, (f"org/talks@{before}",))).passed


LOAD = """
import transformers
tokenizer = transformers.AutoTokenizer.from_pretrained("org/tuned")
model = transformers.AutoModelForCausalLM.from_pretrained("org/tuned")
text = tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False, add_generation_prompt=True)
ids = tokenizer(text, return_tensors="pt").input_ids
print(model.config.hidden_size, model(ids).logits.shape[-1] >= len(tokenizer))
"""


@pytest.mark.slow
def test_transformers_loads_the_published_model(hub, run, tmp_path):
    build_byte_model(run / "model")
    carry_out(ask(run), Bar)
    done = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout.split() == ["64", "True"], done.stderr
