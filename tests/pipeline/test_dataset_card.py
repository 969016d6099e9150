import json
import random
import shlex

import pytest
from dataset_records import choices, facts_of, make, surveyed
from phase_examples import phases

from golongrl.core.records import write_parquet
from golongrl.pipeline.dataset.reporting import card_tables
from golongrl.pipeline.dataset.reporting.card import card, command, write_card
from golongrl.pipeline.dataset.settings import BuildConfig


def mixed():
    records = [make("T1", f"Who {n}?", f"x{n}", docs=("d1", f"d{n % 3}")) for n in range(6)]
    chinese = {"language": "zh", "length_bin": "4k", "question_position": "before", "evidence_depth": 0.99}
    for n in range(3):
        more = {"n_tokens": 2000 + n, "template": f"a_form/{n % 2}", "licence": ["MIT"], **chinese}
        records.append(make("T1", f"谁{n}？", f"名{n}", docs=("z",), **more))
    return records + choices(4, lambda n: ["a", "b", "c", "d"], lambda n: n)


def test_a_survey_counts_what_it_is_shown():
    found = surveyed(mixed()[:-1], validation=mixed()[-1:]).facts()
    assert found["splits"] == {"train": 12, "validation": 1}
    assert found["cells"] == [
        {"capability": "T1", "length_bin": "1k", "language": "en", "split": "train", "records": 6},
        {"capability": "T1", "length_bin": "4k", "language": "zh", "split": "train", "records": 3},
        {"capability": "T2", "length_bin": "1k", "language": "en", "split": "train", "records": 3},
        {"capability": "T2", "length_bin": "1k", "language": "en", "split": "validation", "records": 1},
    ]
    assert found["depth"] == {"1k": [0] * 5 + [10] + [0] * 4, "4k": [0] * 9 + [3]}
    assert found["question"] == {"before": 3, "after": 10}
    assert found["lengths"]["4k"] == {"shortest": 2000, "median": 2001, "longest": 2002}
    # d1 and d0, d1, d2; z.
    assert found["documents"] == 4
    assert found["licences"] == {"CC-BY-4.0": {"documents": 3, "records": 10}, "MIT": {"documents": 1, "records": 3}}
    assert found["sources"]["top"][0] == ["d1.md", 10]
    assert found["shown"] == {"1": 7, "2": 6}
    assert {form: one["records"] for form, one in found["forms"].items()} == {"a_form": 9, "b_form": 4}
    assert found["forms"]["a_form"]["wordings"] == {"en": 1, "zh": 2}


def test_a_survey_does_not_depend_on_the_order_of_the_records():
    records = mixed()
    other = list(records)
    random.Random(3).shuffle(other)
    first, second = surveyed(records), surveyed(other)
    assert first.facts() == second.facts()
    assert [draw.drawn() for draw in first.samples.values()] == [draw.drawn() for draw in second.samples.values()]


def test_no_prompt_is_kept():
    record = make("T1", "Who?", "Ann", prompt="long " * 1000 + "Who?")
    survey = surveyed([record])
    assert [kept.prompt[0].content for kept in survey.questions["T1"].drawn()] == ["Who?"]


def test_front_matter_is_what_the_hub_reads():
    yaml = pytest.importorskip("yaml")
    text = card(facts_of(surveyed(mixed())))
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["license"] == "other"
    assert front["language"] == ["en", "zh"]
    assert front["size_categories"] == ["n<1K"]
    assert front["configs"][0]["data_files"] == [{"split": "train", "path": "train.parquet"}]
    one = facts_of(surveyed([make("T1", "Who?", "Ann")]))
    assert yaml.safe_load(card(one).split("---\n")[1])["license"] == "cc-by-4.0"


def test_datasets_reads_the_folder(tmp_path):
    datasets = pytest.importorskip("datasets")
    records = mixed()
    write_parquet(tmp_path / "data" / "train.parquet", records[:-1])
    write_parquet(tmp_path / "data" / "val.parquet", records[-1:])
    (tmp_path / "data" / "documents.jsonl").write_text('{"sha256": "x"}\n')
    write_card(tmp_path / "data" / "README.md", facts_of(surveyed(records[:-1], validation=records[-1:])))
    loaded = datasets.load_dataset(str(tmp_path / "data"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 12, "validation": 1}
    assert loaded["train"][0]["extra_info"]["template"] == "a_form/1"


def test_the_card_tells_counts_funnel_and_closed_book():
    text = card(facts_of(surveyed(mixed())))
    for row in (
        "| T1 precise retrieval | en | 6 | 0 | 6 |",
        "| T1 precise retrieval | zh | 0 | 3 | 3 |",
        "| all |  | 10 | 3 | 13 |",
        "| T1 precise retrieval | 10 | 9 | 0 | 1 |",
        "| a_form | T1 | em | What a_form asks | 1 en, 2 zh | 9 |",
        "| 4k | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 3 |",
        "| files and rows refused | 1 |",
        "| filtered out: length | 2 |",
        "| near copies dropped | 1 |",
        "| questions attempted | 23 |",
        "| passed over: no unambiguous question | 8 |",
        "| T1 | passed over | a_form: no table | 3 |",
        "| T1 precise retrieval | 3 | 1 | 3 headings or more (1) |",
        "| MIT | 1 | 3 |",
        "| d1.md | 10 |",
    ):
        assert row in text
    assert "before the documents in 3 and after the documents in 10 records" in text
    assert "golongrl build-dataset docs --out data" in text
    assert "golongrl verify-rewards train.parquet" in text
    assert "| T2 comprehension | 4 | 0.250 | " in text
    assert "T9: 3 records fewer than wanted" in text


def test_the_same_facts_give_the_same_bytes():
    facts = facts_of(surveyed(mixed()))
    assert card(facts) == card(json.loads(json.dumps(facts)))


def test_rare_reasons_are_added_up():
    facts = facts_of(surveyed([make("T1", "Who?", "Ann")]))
    facts["construct"]["T1"]["passed_over"] = {f"a_form: reason {n:02}": n for n in range(1, 12)}
    rows = card_tables.reasons(facts, most=8)[1]
    assert rows[0] == ["T1", "passed over", "a_form: reason 11", 11]
    assert rows[8] == ["T1", "passed over", "3 other reasons", 1 + 2 + 3]


def test_no_name_breaks_out_of_its_cell():
    name = "a|b`c`<script>\n| x *d* [e](f)"
    table = card_tables.markdown((["source"], [[name]]))
    assert table.split("\n")[2:] == [r"| a\|b\`c\`&lt;script> \| x \*d\* \[e\](f) |"]
    facts = facts_of(surveyed([make("T1", "Who?", "Ann")]), command="golongrl build-dataset 'a```b'")
    assert "````sh\ngolongrl build-dataset 'a```b'\n````" in card(facts)


def test_the_command_names_every_setting_that_matters(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = BuildConfig(
        sources=(str(tmp_path / "docs"), "/elsewhere/more"),
        mix={"T2": 5, "T4": 2},
        length_bins=(4096, 1_048_576),
        tokenizer="/models/Qwen3-4B",
        licences=("MIT",),
        workers=4,
        min_tokens=64,
        seed=3,
    )
    words = command(config, tmp_path / "out").split()
    assert words[:4] == ["golongrl", "build-dataset", "docs", "more"]
    for flag, value in (
        ("--out", "out"),
        ("--target", "T2=5,T4=2"),
        ("--length-bins", "4k,1m"),
        ("--tokenizer", "Qwen3-4B"),
        ("--seed", "3"),
    ):
        assert words[words.index(flag) + 1] == value
    assert "min_tokens=64" in words
    assert """'licences=["MIT"]'""" in words
    assert not any("workers" in word or "capabilities" in word for word in words)


def full():
    return {**facts_of(surveyed(mixed())), **phases()}


def test_a_build_by_rules_alone_says_nothing_of_other_phases():
    text = card(facts_of(surveyed(mixed())))
    headings = [line for line in text.split("\n") if line.startswith("## ")]
    assert headings == [
        "## Records", "## Task forms", "## Depth of the evidence", "## Closed book", "## Funnel", "## Licences",
        "## Sources", "## Fields", "## Splits", "## Verify and train",
    ]  # fmt: skip
    assert "no model wrote a question or an answer" in text
    assert "Warning" not in text
    assert "pass_rate" not in text


def test_the_card_tells_what_each_phase_did():
    text = card(full())
    for row in (
        "| T1 precise retrieval | 5 | 1 | 2 |",
        "| T4 numerical reasoning | 0 | 3 | 0 |",
        "| T4 | its capability is no longer wanted | 3 |",
        "| T1 precise retrieval | 0.700 | 30 | 4k 20, 16k 10 |",
        "| T1 precise retrieval | 40 | 0.250 | 0.100 to 0.400 | 0.300 | 70% | wrong answer (20), truncated (8) |",
        "| length 4k | 12 | - | - | 75% | 50% | no_answer (9) |",
        "| votes | removed: too few agree | 3 |",
        "| votes | records left | 4 |",
        "| rejected | 7 |",
        "| T3 exhaustive retrieval | 12 | 6 |",
        "| question sets | T1 precise retrieval | 12 | 5 | 7 |",
        "| without any document | nobody said | 2 |",
        "| 3 of 3 | 10 |",
        "| capability | easy | hard | quarantined | mean pass rate |",
        "| T2 comprehension | 0 | 2 | 1 | - |",
        "| all | 4 | 2 | 1 | - |",
        "| bench | 100 | 2 | 0 | 1 | 0 |",
        "| all | 110 | 5500 | 770 | 0.750 |",
        "| T2 comprehension | 40 | 1 / 1 / 1 | 30% | 50% (25%) | - | - |",
        "| T2 comprehension | A 12, B 28 | 0.011 | 60% (50%) | 40% (50%) |",
        "| T2 comprehension | 60 | 0.250 | 0.500 | 0.400 to 0.600 | above |",
        "| T2 comprehension | choice | 40 | 39 | 25 | all_letters (0.200) | all_letters | quoted 2 |",
    ):
        assert row in text, row
    assert "7 of 12 records passed" in text
    assert "Version 2, made from version 1 (9 records, digest abc123)" in text
    assert "This is version 2 of the data." in text
    assert "pass_rate, pass_interval" in text
    assert "<script>" not in text


def test_the_card_warns_of_benchmarks_used_and_names_those_held_out():
    text = card(full())
    assert "**Warning.** Scores of mrcr-mini shaped this dataset." in text
    assert "Held out from diagnosis: mrcr, longbench-v2." in text
    assert "**Warning.** Attacks on the reward pay under choice; see the reward audit." in text
    none = phases()["diagnosis"] | {"held_out": []}
    assert "No benchmark was held out from diagnosis." in card({**full(), "diagnosis": none})


def test_the_card_says_which_tracks_made_the_questions():
    text = card(full())
    assert "# Long-context tasks with verifiable answers\n" in text
    assert "no model wrote" not in text
    for track in ("by rules are made", "of existing sets keep", "by models come with quotations"):
        assert f"Questions {track}" in text
    without = full()
    for one in without["construct"].values():
        one["attempts"] = 0
    assert "Questions by rules are made" not in card(without)


def test_the_command_has_dotted_settings_and_no_address(tmp_path):
    config = BuildConfig(
        qa=("/elsewhere/squad.json",),
        generator="none",
        models={"judge": {"base_url": "http://10.1.2.3:8000/v1", "model": "/models/Judge-4B", "temperature": 0.2}},
        verify={"answerers": ("judge",), "votes": 5},
        decontaminate={"against": ("/bench/rows.jsonl", "bfcl-memory=/bench/bfcl/data")},
        base="/elsewhere/v1",
    )
    words = shlex.split(command(config, tmp_path / "out"))
    assert words[words.index("--qa") + 1] == "squad.json"
    assert words[words.index("--generator") + 1] == "none"
    settings = {words[n + 1] for n, word in enumerate(words) if word == "--set"}
    assert settings == {
        "models.judge.base_url=http://ENDPOINT/v1",
        "models.judge.model=Judge-4B",
        "models.judge.temperature=0.2",
        'verify.answerers=["judge"]',
        "verify.votes=5",
        'decontaminate.against=["rows.jsonl", "bfcl-memory=data"]',
        "base=v1",
    }
