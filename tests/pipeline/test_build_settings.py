"""Settings of a build: what they refuse, what decides the result, and how they may be written."""

import re
import tomllib
from pathlib import Path

import pytest
from builds import write_corpus

from golongrl.core import config as configuration
from golongrl.core.config import command_table, parse_set
from golongrl.core.errors import ConfigError, UsageError
from golongrl.pipeline.dataset.build import build
from golongrl.pipeline.dataset.estimate import estimate
from golongrl.pipeline.dataset.settings import BuildConfig, generator_table
from golongrl.pipeline.dataset.verifying.rollouts import calls_for

MODEL = {"base_url": "http://127.0.0.1:1/v1", "model": "m"}


ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "build-all.toml"


def test_the_tables_of_the_documentation_hold():
    blocks = re.findall(r"^```toml\n(.*?)^```", (ROOT / "docs" / "dataset.md").read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        configuration.build(BuildConfig, {"sources": ["x.md"], **tomllib.loads(block)["build-dataset"]})


def test_the_example_of_all_phases_holds():
    table, where = command_table("build-dataset", EXAMPLE)
    table.pop("out")
    config = configuration.build(BuildConfig, table, where=where)
    assert (config.asks_model, config.by_rules, config.verify.votes, config.difficulty.large) == (
        True,
        True,
        4,
        "second",
    )
    assert config.models["first"].think == "required"


def made(*given, **table):
    return configuration.build(BuildConfig, {"sources": ["x.md"], **table}, parse_set(given))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"sources": []}, "name the files or folders to read"),
        ({"generator": "none"}, "name question sets with --qa"),
        ({"generator": "llm"}, "--base-url URL --model NAME gives one"),
        ({"generator": "llm", "models": {"generator": {"model": "m"}}}, "has no base_url"),
        ({"models": {"generator": MODEL}}, "pass --generator llm or both"),
        ({"verify": {"answerers": ["a"]}}, "verify.answerers names 'a'"),
        ({"difficulty": {"small": "a"}}, "difficulty.small names 'a'"),
        ({"models": {"a": MODEL}, "difficulty": {"small": "a", "large": "a"}}, "small and large are one entry"),
        ({"engine": "vllm"}, "engine serves models.generator"),
        ({"models": {"a": MODEL}, "max_cost": 1.0}, "max_cost stops nothing without prices"),
        (
            {"generator": "llm", "models": {"generator": MODEL}, "synthesis": {"per_bin": {"128K": "generator"}}},
            "the bins are 4k, 16k, 32k",
        ),
    ],
)
def test_settings_that_would_do_nothing_are_refused(table, says):
    with pytest.raises(ConfigError) as error:
        made(**table)
    assert says in str(error.value)


def test_lists_inside_tables_may_be_written_as_text():
    config = made("verify.answerers=a, b", "decontaminate.against=x.jsonl,y.jsonl", models={"a": MODEL, "b": MODEL})
    assert config.verify.answerers == ("a", "b")
    assert config.decontaminate.against == ("x.jsonl", "y.jsonl")


def test_where_a_model_is_served_decides_nothing_and_how_long_its_prompts_may_be_does():
    def identity(**changes):
        return made(generator="llm", models={"generator": {**MODEL, **changes}}).identity()

    first = identity()
    assert identity(base_url="http://other:2/v1", concurrency=3, timeout=9.0, input_price=1.0) == first
    assert identity(max_model_len=4096) != first
    assert identity(model="n") != first
    assert made(base="v1").identity() == made(base="./v1").identity() != made().identity()


def test_the_generator_from_flags():
    assert generator_table("http://h/v1", "m", None) == {
        "models.generator.base_url": "http://h/v1",
        "models.generator.model": "m",
    }
    with pytest.raises(UsageError, match="--model is missing"):
        generator_table("http://h/v1", None, None)
    with pytest.raises(UsageError, match="give one of them"):
        generator_table("http://h/v1", "m", "vllm")


def test_a_base_inside_the_output_folder_is_refused(tmp_path):
    (tmp_path / "x.md").write_text("# A\n\nText.\n")
    config = made(sources=[str(tmp_path / "x.md")], base=str(tmp_path / "out"))
    with pytest.raises(UsageError, match="a folder of its own"):
        build(config, tmp_path / "out", fresh=True)


def test_the_dry_run_counts_questions_and_calls(tmp_path):
    rows = [
        f'{{"id": "{n}", "title": "Mill {n}", "context": "The mill of Brook{n} was built by Ada Hill{n} in a dry '
        f'summer, and its wheel turned for ninety years.", "question": "Who built the mill of Brook{n}?", '
        f'"answers": {{"text": ["Ada Hill{n}"], "answer_start": [32]}}}}\n'
        for n in range(5)
    ]
    (tmp_path / "squad.jsonl").write_text("".join(rows))
    table = {"generator": "none", "qa": [str(tmp_path / "squad.jsonl")], "capabilities": "T1", "target": 4}
    models = {"a": MODEL, "b": MODEL}
    checks = {"verify": {"answerers": ["a"], "votes": 3}, "difficulty": {"small": "a", "large": "b", "rollouts": 8}}
    found = estimate(made(sources=[], models=models, **table, **checks))
    assert [(row["capability"], row["questions"], row["expected"]) for row in found["capabilities"]] == [("T1", 5, 4)]
    # 4 records, 1.5 times as many for the votes: 6 x 3 votes, 6 x 3 prompts x 2 answers; 4 x 8 rollouts x 2 stages.
    assert found["calls"] == {"votes": 18, "necessity": 36, "rollouts": 64}


def test_a_base_of_other_lengths_gives_up_what_is_no_longer_wanted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = {"sources": [str(write_corpus(tmp_path / "docs"))], "capabilities": "T1,T3", "target": 12, "seed": 3}
    first = build(configuration.build(BuildConfig, {**table, "length_bins": "1k,2k"}), tmp_path / "v1")
    second = build(
        configuration.build(BuildConfig, {**table, "length_bins": "2k,4k", "base": str(first.out)}), tmp_path / "v2"
    )
    tallies = second.facts["versions"]["removed"].values()
    removed = sum(tally.get("its length bin is no longer wanted", 0) for tally in tallies)
    short = [cell for cell in first.facts["records"]["cells"] if cell["length_bin"] == "1k"]
    assert removed == sum(cell["records"] for cell in short) > 0
    assert {cell["length_bin"] for cell in second.facts["records"]["cells"]} <= {"2k", "4k"}


def test_two_entries_that_serve_models_by_one_name_are_asked_apart():
    messages = ({"role": "user", "content": "?"},)
    calls = calls_for(messages, ("a", "b", "a"), seed=1, stage="vote", key="k")
    assert len({call.seed for call in calls}) == 3
