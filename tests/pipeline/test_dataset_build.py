"""`build`: a run folder from small documents, its records, resuming, determinism, splits and bad input."""

import json
import os
import random
import subprocess
import tomllib
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import tokenizers
from builds import command, digests, kill_until_done, records, write_corpus

from golongrl.core import config as configuration
from golongrl.core.errors import CheckFailedError, ConfigError, RunConflictError, UsageError
from golongrl.core.records import read_records
from golongrl.core.store import read_jsonl
from golongrl.core.tokens import ApproxTokenizer, parse_length
from golongrl.pipeline.dataset.build import build
from golongrl.pipeline.dataset.estimate import estimate
from golongrl.pipeline.dataset.project import write_project_file
from golongrl.pipeline.dataset.settings import BuildConfig, parse_target
from golongrl.rewards import gold_response, score_response

EXAMPLE = Path(__file__).parents[2] / "examples" / "build.toml"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus") / "docs")


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(corpus, **changes):
    table = {"sources": [str(corpus)], "target": 54, "length_bins": "1k,2k", "seed": 3, **changes}
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


def test_all_nine_capabilities_come_out_with_gold_answers_that_score_one(built):
    found = records(built.out)
    assert len(found) == 54 == sum(built.facts["records"]["splits"].values())
    assert Counter(r.extra_info["capability"] for r in found) == {f"T{n}": 6 for n in range(1, 10)}
    for record in found:
        assert score_response(record, gold_response(record)).value == pytest.approx(1)
        prompt, info = record.prompt[0].content, record.extra_info
        assert info["n_tokens"] == ApproxTokenizer().count(prompt)
        assert (0 if info["length_bin"] == "1k" else 1024) < info["n_tokens"] <= parse_length(info["length_bin"]) - 40
        assert info["question"] in prompt
        assert info["metric"] == record.metric
        assert info["template"].startswith(info["task_form"] + "/")
        assert 0 <= info["evidence_depth"] <= 1
        before = prompt.index(info["question"]) < len(prompt) / 2
        assert before == (info["question_position"] == "before")


def test_evidence_points_at_the_document_and_at_the_prompt(built):
    documents = {row["sha256"]: row for _, row in read_jsonl(built.out / "documents.jsonl")}
    forms = set()
    for record in records(built.out):
        info = record.extra_info
        texts = []
        for span in info["evidence"]:
            assert span["doc"] in info["doc_sha256"]
            texts.append(documents[span["doc"]]["text"][span["start"] : span["end"]])
        shown = [record.prompt[0].content[span["start"] : span["end"]] for span in info["evidence_in_prompt"]]
        if info["capability"] == "T9":
            assert shown == []
            assert not any(text in record.prompt[0].content for text in texts)
        else:
            assert shown == texts
        forms.add(info["task_form"])
    assert len(forms) >= 14


def test_indices_are_distinct_and_nothing_names_this_machine(built, corpus):
    found = records(built.out)
    assert sorted(r.extra_info["index"] for r in found) == list(range(54))
    for path in built.out.iterdir():
        if path.name not in ("config.json", ".lock"):
            assert str(corpus.parent).encode() not in path.read_bytes(), path.name


def test_no_validation_document_is_seen_in_training(built):
    train = list(read_records(built.out / "train.parquet"))
    val = list(read_records(built.out / "val.parquet"))
    assert len(val) == 5
    about = {span["doc"] for r in val for span in r.extra_info["evidence"][:1]}
    assert not about & {sha for r in train for sha in r.extra_info["doc_sha256"]}


def test_workers_and_interruptions_change_no_byte_and_the_seed_does(corpus, built, work):
    again = build(settings(corpus, workers=2), work / "data")
    assert digests(again.out) == digests(built.out)
    other = build(settings(corpus, seed=4), work / "other")
    assert not set(digests(other.out).values()) & {digests(built.out)[n] for n in ("train.parquet", "val.parquet")}


def test_a_ray_cluster_of_several_processes_gives_the_same_bytes(corpus, built, work):
    config = settings(corpus, workers=2, ray_address="auto")
    environment = {**os.environ, "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    subprocess.run(command(work, config, ELSEWHERE), cwd=work, env=environment, check=True)
    assert digests(work / "data") == digests(built.out)


ELSEWHERE = (
    "import os, shlex, sys\n"
    "if __name__ == '__main__':\n"
    "    import ray\n"
    "    os.mkdir('elsewhere')\n"
    "    os.chdir('elsewhere')\n"
    "    environment = {'py_executable': shlex.quote(sys.executable)}\n"
    "    ray.init(address='local', num_cpus=2, include_dashboard=False, runtime_env=environment)\n"
    "    os.chdir('..')\n"
)
"""A cluster whose processes have another working folder than the build."""


def test_kill_9_again_and_again_gives_the_same_bytes(corpus, built, work):
    rng = random.Random(5)
    kills = kill_until_done(work, settings(corpus), lambda before: rng.uniform(1.0, 2.5) + before * 0.7)
    assert kills >= 1
    assert digests(work / "data") == digests(built.out)
    assert not (work / "data" / "work").exists()


def test_a_finished_build_returns_at_once_and_another_configuration_is_refused(corpus, built, work):
    stamp = (built.out / "train.parquet").stat().st_mtime_ns
    again = build(settings(corpus, workers=2), built.out)
    assert again.already_finished
    assert again.facts == json.loads((built.out / "build.json").read_text())
    assert (built.out / "train.parquet").stat().st_mtime_ns == stamp
    with pytest.raises(RunConflictError, match="target: 54 -> 57"):
        build(settings(corpus, target=57), built.out)


def test_fresh_sets_the_old_build_aside(corpus, work):
    build(settings(corpus, target=9), work / "data")
    build(settings(corpus, target=18), work / "data", fresh=True)
    assert (work / "data.old-1" / "train.parquet").exists()


def test_a_mix_asks_for_so_many_records_of_each(corpus, work):
    result = build(settings(corpus, target=1, mix={"t3": 5, "T8": 2}), work / "data")
    assert Counter(r.extra_info["capability"] for r in records(result.out)) == {"T3": 5, "T8": 2}
    with pytest.raises(ConfigError, match="leave --capabilities out"):
        settings(corpus, mix={"T3": 5}, capabilities="T1")
    assert parse_target("T1=5, T4=2") == {"mix": {"T1": 5, "T4": 2}}
    assert parse_target("70") == {"target": 70}
    for wrong in ("many", "T1=5,t1=3", "T1=²", "²"):
        with pytest.raises(UsageError, match="a number of records, or a mix"):
            parse_target(wrong)


def test_the_project_file_is_written_once(corpus, work):
    first = build(settings(corpus, target=9), work / "data")
    assert (work / "golongrl.toml").read_text() == (work / "data" / "golongrl.toml").read_text()
    train = tomllib.loads((work / "golongrl.toml").read_text())["train"]
    assert train["data"] == "data/train.parquet"
    assert train["max_prompt_tokens"] == max(settings(corpus).length_bins)
    batch, count = train["prompts_per_batch"], first.facts["records"]["splits"]["train"]
    assert batch <= max(1, count / 4) < 2 * batch
    assert any("wrote golongrl.toml" in note for note in first.notes)
    (work / "golongrl.toml").write_text("# mine\n")
    second = build(settings(corpus, target=18), work / "more")
    assert (work / "golongrl.toml").read_text() == "# mine\n"
    assert any("golongrl train --config more/golongrl.toml" in note for note in second.notes)


def test_what_cannot_be_built_is_counted_never_silent(work):
    folder = work / "tables"
    folder.mkdir()
    rows = "\n".join(f"item {chr(97 + i)}{chr(97 + i % 7)},{i * i % 97},{i * 37 % 101}" for i in range(26))
    (folder / "t.csv").write_text(f"name,height,weight\n{rows}\n")
    (folder / "bad.csv").write_text("a,b\n1\n2,3\n4\n")
    result = build(settings(folder, target=10, capabilities="T4,T9"), work / "data")
    assert Counter(r.extra_info["capability"] for r in read_records(result.out / "train.parquet")) == {"T4": 5}
    assert result.facts["notes"] == ["T9: 5 records fewer than wanted"]
    assert result.facts["assign"]["T9"]["documents"] == 0
    assert sum(result.facts["assign"]["T9"]["missing"].values()) == 1
    rejects = [row for _, row in read_jsonl(result.out / "rejects.jsonl")]
    assert [row["source"] for row in rejects if row["phase"] == "collect"] == ["bad.csv"]
    (row,) = (row for _, row in read_jsonl(result.out / "assigned.jsonl"))
    assert row["capabilities"]["T4"].startswith("holds ")
    assert row["capabilities"]["T9"].startswith("lacks ")
    assert not (result.out / "val.parquet").exists()
    assert any("no validation records" in note for note in result.notes)
    with pytest.raises(CheckFailedError, match="not one training record"):
        build(settings(folder, capabilities="T9"), work / "none")


def test_no_usable_document_is_a_failed_check_that_shows_the_funnel(work):
    (work / "empty").mkdir()
    with pytest.raises(CheckFailedError, match="0 files found"):
        build(settings(work / "empty"), work / "data")
    (work / "empty" / "a.txt").write_bytes(b"\x00" * 100)
    with pytest.raises(CheckFailedError, match=r"1 files found, 1 files and rows refused, 0 documents read.*binary"):
        build(settings(work / "empty"), work / "more")
    assert [row["source"] for _, row in read_jsonl(work / "more" / "rejects.jsonl")] == ["a.txt"]


def test_a_failed_build_leaves_nothing_unpacked(work):
    with zipfile.ZipFile(work / "docs.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("short.txt", "Too short.")
    with pytest.raises(CheckFailedError, match=r"1 dropped by length.*Pass other sources"):
        build(settings(work / "docs.zip"), work / "data")
    assert not list(work.glob(".*.unpacked"))


def test_an_out_folder_inside_the_sources_is_not_read(work):
    folder = write_corpus(work / "docs", count=6)
    config = settings(folder, target=9)
    first = build(config, folder / "out")
    assert build(config, folder / "out").already_finished
    again = build(config, folder / "out", fresh=True)
    assert again.facts["collect"]["documents"] == first.facts["collect"]["documents"] == 11


def test_a_source_inside_the_output_folder_is_refused(work):
    folder = write_corpus(work / "docs", count=2)
    with pytest.raises(UsageError, match="lies in --out"):
        build(settings(folder), work)
    assert not (work / "config.json").exists()


def test_another_tokenizer_under_the_same_name_is_another_input(corpus, work):
    (work / "tok").mkdir()
    for vocabulary in ({"?": 0}, {"?": 0, "the": 1}):
        tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="?"))
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        tokenizer.save(str(work / "tok" / "tokenizer.json"))
        config = settings(corpus, target=2, capabilities="T3", tokenizer="tok")
        if len(vocabulary) == 1:
            assert not build(config, work / "data").already_finished
            assert build(config, work / "data").already_finished
    with pytest.raises(RunConflictError, match="tokenizer: its content changed"):
        build(config, work / "data")


def test_a_bin_that_no_context_fills_is_given_up_and_the_others_give_more(corpus, work):
    result = build(settings(corpus, target=12, capabilities="T3", length_bins="1k,512k,1m"), work / "data")
    counts = Counter(r.extra_info["length_bin"] for r in records(result.out))
    assert sum(counts.values()) == 12
    assert counts["1m"] == 0


def test_validation_records_are_spread_over_capabilities_and_bins(corpus, work):
    result = build(settings(corpus, target=36, val_share=0.25, capabilities="T1,T3,T4"), work / "data")
    val = [r.extra_info for r in read_records(result.out / "val.parquet")]
    assert len(val) == 9
    assert Counter(info["capability"] for info in val) == {"T1": 3, "T3": 3, "T4": 3}
    assert {info["length_bin"] for info in val} == {"1k", "2k"}


def test_copies_are_dropped_and_named(work):
    folder = write_corpus(work / "docs", count=6)
    (folder / "copy.md").write_text((folder / "guide00.md").read_text())
    (folder / "near.md").write_text((folder / "guide01.md").read_text() + "\nOne more line at the end of it.\n")
    facts = build(settings(folder, target=9), work / "data").facts["collect"]
    assert (facts["exact_duplicates"], facts["near_duplicates"], facts["documents"]) == (1, 1, 11)
    kept = build(settings(folder, target=9, near_duplicate=1.0), work / "all").facts["collect"]
    assert (kept["exact_duplicates"], kept["near_duplicates"], kept["documents"]) == (1, 0, 12)


def test_only_allowed_licences_stay(work):
    folder = write_corpus(work / "docs", count=6)
    (folder / "licences.toml").write_text('"*.csv" = "CC0-1.0"\n')
    result = build(settings(folder, target=6, capabilities="T3", licences="cc0-1.0"), work / "data")
    assert result.facts["collect"]["documents"] == 4
    assert result.facts["records"]["licences"].keys() == {"CC0-1.0"}
    assert sum(result.facts["collect"]["filtered"]["licence"].values()) == 7


def test_an_estimate_writes_nothing_and_knows_what_can_be_built(corpus, work):
    found = estimate(settings(corpus))
    assert found["workers"] == 1  # so little text is not worth another
    assert found["documents"] == 19
    assert found["whole"]
    assert found["tokens"] > 1000
    expected = {row["capability"]: row["expected"] for row in found["capabilities"]}
    assert set(expected) == {f"T{n}" for n in range(1, 10)}
    # Half of them where one of the two bins gave nothing in a few trials.
    assert set(expected.values()) <= {3, 6}
    assert all(stage["seconds"] > 0 for stage in found["stages"])
    assert list(work.iterdir()) == []


def test_chinese_documents_get_chinese_questions(corpus, work):
    result = build(settings(corpus / "手册.md", target=4, capabilities="T1,T8", length_bins="1k"), work / "data")
    for record in read_records(result.out / "train.parquet"):
        assert record.language == "zh"
        assert record.gold.summary == "Chinese"
        assert "【文档1】" in record.prompt[0].content


def test_train_and_verify_read_the_dataset_as_it_is(built, tmp_path):
    import datasets

    from golongrl.pipeline.training.preflight.data import check_data, gate

    train = str(built.out / "train.parquet")
    splits = built.facts["records"]["splits"]
    assert check_data(train, 2048).rows == splits["train"]
    gate(train, seed=0)
    loaded = datasets.load_dataset(str(built.out), cache_dir=str(tmp_path))
    assert {name: split.num_rows for name, split in loaded.items()} == splits


def test_the_example_is_a_build():
    table, where = configuration.command_table("build-dataset", EXAMPLE)
    out = table.pop("out")
    config = configuration.build(BuildConfig, table, where=where)
    assert out == "dataset"
    assert sum(config.wanted.values()) == 2000


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"length_bins": "4q"}, "not a length"),
        ({"capabilities": "T10"}, "capabilities are T1"),
        ({"generator": "llm"}, "generator"),
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
    write_project_file(tmp_path, tmp_path / "train.parquet", None, "model", records=40, longest=2048)
    train = tomllib.loads((tmp_path / "golongrl.toml").read_text())["train"]
    assert train.get("max_response_tokens") == response
