"""`build`: a run folder from small documents, its records, resuming, determinism, splits and bad input."""

import json
import os
import signal
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from golongrl.core import config as configuration
from golongrl.core.errors import CheckFailedError, ConfigError, DataError, RunConflictError
from golongrl.core.records import read_records
from golongrl.core.store import file_sha256, read_jsonl
from golongrl.core.tokens import ApproxTokenizer
from golongrl.pipeline.dataset.build import build, plan
from golongrl.pipeline.dataset.project import write_project_file
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.rewards import gold_response, score_response

ANIMALS = ["ant", "bear", "crane", "dove", "eagle", "falcon", "goose", "heron", "ibis", "jackal", "koala", "llama"]
PLACES = ["harbour", "orchard", "quarry", "meadow", "tunnel", "bridge", "chapel", "market", "stable", "tower"]


def write_corpus(folder: Path, count: int = 14) -> Path:
    """English guides in Markdown, tables in CSV and one Chinese text, all different."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        animals = [ANIMALS[(number + step) % 12] for step in range(5)]
        parts = [f"# Guide {number} to the {PLACES[number % 10]}\n"]
        parts.append(
            f"This guide tells how the {animals[0]} and the {animals[1]} live near the {PLACES[number % 10]} in year "
            f"{1900 + number}. Visitors learn where every {animals[2]} sleeps and what the keepers of the park do.\n"
        )
        for step, animal in enumerate(animals):
            place = PLACES[(number + 3 * step) % 10]
            parts.append(f"## Where the {animal} lives {number}\n")
            parts.append(
                f"The {animal} of guide {number} sleeps beside the old {place} until the sun is up. "
                f"Keepers of the park bring {number + 20 + step} buckets of food to the {animal} before noon. "
                f"Nobody has ever seen this {animal} cross the {place} in the {'drizzle ' * (step + 1)}of autumn.\n"
            )
            parts.append(f"- food for the {animal}\n- water from the {place}\n- straw number {step}\n")
        (folder / f"guide{number:02}.md").write_text("\n".join(parts))
    for number in range(4):
        rows = [f"{a}{number},{i * 3 + number},{PLACES[(i * i) % 10]}" for i, a in enumerate(ANIMALS)]
        (folder / f"table{number}.csv").write_text("name,weight,home\n" + "\n".join(rows) + "\n")
    text = "# 园区手册\n\n" + "".join(
        f"## {name}区\n\n{name}区的管理员每天清晨打开大门并清点全部动物。"
        f"{name}区在冬季提前两个小时关闭以节约用电。\n\n"
        for name in ("水鸟", "猛兽", "爬虫", "昆虫", "灵长")
    )
    (folder / "手册.md").write_text(text)
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus") / "docs")


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(corpus, **changes):
    table = {"sources": [str(corpus)], "target": 56, "length_bins": "512,1k", "seed": 3, **changes}
    return configuration.build(BuildConfig, table)


@pytest.fixture(scope="module")
def built(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    before = Path.cwd()
    os.chdir(folder)
    try:
        return build(settings(corpus), folder / "data")
    finally:
        os.chdir(before)


def records(out):
    return [record for name in ("train", "val") for record in read_records(out / f"{name}.parquet")]


def test_every_gold_scores_one_and_every_prompt_stays_in_its_bin(built):
    found = records(built.out)
    assert len(found) == 56 == built.facts["train"] + built.facts["val"]
    assert Counter(r.extra_info["capability"] for r in found) == dict.fromkeys(
        ("T1", "T2", "T3", "T6", "T7", "T8", "T9"), 8
    )
    assert built.facts["shortfall"] == {}
    for record in found:
        assert score_response(record, gold_response(record)).value == pytest.approx(1)
        assert score_response(record, "").value == 0
        prompt = record.prompt[0].content
        assert record.extra_info["n_tokens"] == ApproxTokenizer().count(prompt) <= 1024 - 40
        assert record.extra_info["question"] in prompt
        assert record.extra_info["metric"] == record.metric
        assert len(record.prompt) == 1


def test_evidence_points_at_the_document(built):
    documents = {row["sha256"]: row for _, row in read_jsonl(built.out / "documents.jsonl")}
    forms = set()
    for record in records(built.out):
        texts = []
        for span in record.extra_info["evidence"]:
            assert span["doc"] in record.extra_info["doc_sha256"]
            texts.append(documents[span["doc"]]["text"][span["start"] : span["end"]])
        if record.extra_info["capability"] in ("T1", "T3"):
            for gold in [record.gold.golden_label] if record.gold.golden_label else record.gold.doc_ids:
                assert any(gold in text for text in texts)
        forms.add(record.extra_info["task_form"])
    assert len(forms) >= 12


def test_indices_are_distinct_and_sources_relative(built, corpus):
    found = records(built.out)
    assert sorted(r.extra_info["index"] for r in found) == list(range(56))
    for path in built.out.iterdir():
        if path.suffix in (".parquet", ".md", ".html", ".json") and path.name != "config.json":
            assert str(corpus).encode() not in path.read_bytes(), path.name
    assert {len(r.extra_info["doc_source"]) for r in found} > {1}


def test_no_validation_document_is_seen_in_training(built):
    train = list(read_records(built.out / "train.parquet"))
    val = list(read_records(built.out / "val.parquet"))
    assert len(val) == 6
    about = {r.extra_info["evidence"][0]["doc"] for r in val}
    assert not about & {sha for r in train for sha in r.extra_info["doc_sha256"]}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(corpus, built, work):
    again = build(settings(corpus), work / "again")
    other = build(settings(corpus, seed=4), work / "other")
    for name in ("train.parquet", "val.parquet"):
        assert file_sha256(again.out / name) == file_sha256(built.out / name)
        assert file_sha256(other.out / name) != file_sha256(built.out / name)


def test_a_finished_build_returns_at_once_and_another_configuration_is_refused(corpus, built, work):
    stamp = (built.out / "train.parquet").stat().st_mtime_ns
    again = build(settings(corpus), built.out)
    assert again.already_finished
    assert again.facts == json.loads((built.out / "build.json").read_text())
    assert (built.out / "train.parquet").stat().st_mtime_ns == stamp
    with pytest.raises(RunConflictError, match="target: 56 -> 57"):
        build(settings(corpus, target=57), built.out)


def test_fresh_sets_the_old_build_aside(corpus, work):
    build(settings(corpus, target=7), work / "data")
    build(settings(corpus, target=14), work / "data", fresh=True)
    assert (work / "data.old-1" / "train.parquet").exists()


def test_kill_9_in_the_middle_and_again_gives_the_same_records(corpus, built, work):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from golongrl.pipeline.dataset.build import build\n"
        "from golongrl.pipeline.dataset.settings import BuildConfig\n"
        "build(BuildConfig.model_validate_json(sys.argv[1]), Path('data'))\n"
    )
    config = settings(corpus)
    process = subprocess.Popen([sys.executable, "-c", script, config.model_dump_json()], cwd=work)
    journal = work / "data" / "construct.jsonl"
    while process.poll() is None and not (journal.exists() and journal.stat().st_size > 60_000):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (work / "data" / "train.parquet").exists()
    kept = journal.read_bytes()
    with open(journal, "ab") as handle:
        handle.write(b'{"key": "torn')
    result = build(config, work / "data")
    assert result.resumed
    assert journal.read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    for name in ("train.parquet", "val.parquet"):
        assert file_sha256(work / "data" / name) == file_sha256(built.out / name)


def test_the_project_file_is_written_once(corpus, work):
    first = build(settings(corpus, target=7), work / "data")
    table = tomllib.loads((work / "golongrl.toml").read_text())
    train = table["train"]
    assert (train["data"], train["val_data"]) == ("data/train.parquet", "data/val.parquet")
    assert train["max_prompt_tokens"] == max(settings(corpus).length_bins)
    batch, records = train["prompts_per_batch"], first.facts["train"]
    assert batch <= max(1, records / 4) < 2 * batch
    assert any("wrote golongrl.toml" in note for note in first.notes)
    (work / "golongrl.toml").write_text("# mine\n")
    second = build(settings(corpus, target=14), work / "more")
    assert (work / "golongrl.toml").read_text() == "# mine\n"
    assert any("stays as it is" in note for note in second.notes)


def test_card_and_report_tell_counts_and_command(built, corpus):
    card = (built.out / "README.md").read_text()
    front = card.split("---\n")[1]
    assert "- split: validation" in front
    assert "| T1 precise retrieval | 5 | 3 | 8 |" in card
    assert "golongrl build-dataset docs --out data --capabilities T1,T2,T3,T6,T7,T8,T9 --target 56" in card
    assert "| unknown |" in card
    assert "<script" not in (built.out / "report.html").read_text()


def test_what_cannot_be_built_is_counted_never_silent(work):
    folder = work / "tables"
    folder.mkdir()
    (folder / "t.csv").write_text("a,b\n" + "\n".join(f"x{i},{i}" for i in range(30)) + "\n")
    (folder / "bad.csv").write_text("a,b\n1\n2,3\n4\n")
    result = build(settings(folder, target=20, capabilities="T1,T8"), work / "data")
    assert result.facts["built"] == {"T1": 10, "T8": 0}
    assert result.facts["shortfall"] == {"T8": 10}
    assert [row["source"] for _, row in read_jsonl(result.out / "refused.jsonl")] == ["bad.csv"]
    assert not (result.out / "val.parquet").exists()
    assert any("no validation records" in note for note in result.notes)
    with pytest.raises(CheckFailedError, match="not one record"):
        build(settings(folder, capabilities="T8"), work / "none")


def test_unusable_sources_leave_no_run_folder(work):
    (work / "empty").mkdir()
    with pytest.raises(DataError, match="folder is empty"):
        build(settings(work / "empty"), work / "data")
    (work / "empty" / "a.txt").write_bytes(b"\x00" * 100)
    with pytest.raises(DataError, match="binary"):
        build(settings(work / "empty"), work / "data")
    assert not (work / "data").exists()


def test_an_out_folder_inside_the_sources_is_not_read(work):
    folder = write_corpus(work / "docs", count=6)
    config = settings(folder, target=7)
    first = build(config, folder / "out")
    assert build(config, folder / "out").already_finished
    again = build(config, folder / "out", fresh=True)
    assert again.facts["documents"] == first.facts["documents"] == 11


def test_plan_writes_nothing(corpus, work):
    found = plan(settings(corpus))
    assert found["documents"] == 19
    assert found["eligible"]["T9"] >= 14
    assert list(work.iterdir()) == []


def test_chinese_documents_get_chinese_questions(corpus, work):
    result = build(settings(corpus / "手册.md", target=4, capabilities="T1,T8", length_bins="512"), work / "data")
    for record in read_records(result.out / "train.parquet"):
        assert record.language == "zh"
        assert record.gold.summary == "Chinese"
        assert "[答案]" in record.prompt[0].content


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"length_bins": "4q"}, "not a length"),
        ({"capabilities": "T4"}, "rules build T1"),
        ({"sources": []}, "name the files or folders"),
        ({"val_share": 1.0}, "val_share"),
        ({"target": 0}, "target"),
        ({"tarket": 3}, "did you mean 'target'"),
    ],
)
def test_impossible_settings_are_refused(corpus, changes, words):
    with pytest.raises(ConfigError, match=words):
        settings(corpus, **changes)


@pytest.mark.parametrize(("context", "response"), [(8192, 8192 - 2048), (4096, 2048), (40960, None), (2048, None)])
def test_the_project_file_leaves_the_response_what_the_model_can_take(tmp_path, monkeypatch, context, response):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(f'{{"max_position_embeddings": {context}}}')
    write_project_file(tmp_path / "train.parquet", None, "model", records=40, longest=2048)
    train = tomllib.loads((tmp_path / "golongrl.toml").read_text())["train"]
    assert train.get("max_response_tokens") == response
