"""What the benchmarks give to those who keep them out of training data."""

import benchmark_rows
import pytest
from test_benchmark_data import FROM_HUB, hub, load, write  # noqa: F401  a fixture among them

from golongrl.core.errors import DataError, UsageError
from golongrl.pipeline.dataset.contamination import benchmark_rows as reader
from golongrl.pipeline.dataset.contamination.benchmark_index import open_benchmark
from golongrl.pipeline.evaluation import contents

QUESTIONS = {
    "mrcr": ("Prepend qZ7 to the 2nd poem about rain.", "qZ7Rain, verse 1: it falls and falls."),
    "longbench-v2": ("How many ships passed on Monday?", "seven"),
    "longbench-qa": ("How many ships passed?", "7"),
    "docmath": ("By how much did revenue change from 2019 to 2020?", "-5.1"),
    "corpusqa": ("Who sold more?", "Tin Ltd"),
    "mmlu-pro": ("Which of these is a prime?", "17"),
    "aime24": ("What is 3 times 8?", "24"),
    "aime25": ("What is 7 times 10?", "70"),
    "gpqa-diamond": ("Which metal is number 0, liquid at room temperature?", "mercury"),
    "longmemeval": ("How many days ago did I plant the pear tree?", "10"),
}


@pytest.mark.parametrize("name", FROM_HUB)
def test_the_bare_question_comes_first_and_its_right_answer_behind_it(hub, name):  # noqa: F811
    row = next(iter(contents.benchmark_rows(name)))
    ((sample,), shown) = reader.read(row, f"{name}#1")
    kind = name if name in QUESTIONS else name.rpartition("-")[0]
    assert (sample.question, sample.answers[0]) == QUESTIONS[kind]
    # Dates, types and instructions are none of its texts.
    assert set(sample.answers) <= {*row["answer"], *row["choices"]}
    assert bool(shown) == (kind not in ("mmlu-pro", "aime24", "aime25", "gpqa-diamond"))


@pytest.mark.parametrize(("name", "count"), [("mmlu-pro", 10), ("longbench-v2", 4), ("gpqa-diamond", 4)])
def test_choices_are_given_as_texts(hub, name, count):  # noqa: F811
    row = next(iter(contents.benchmark_rows(name)))
    assert len(row["choices"]) == count
    assert row["answer"][0] in row["choices"]


def test_the_document_is_the_context(hub, tmp_path):  # noqa: F811
    for name in ("longbench-v2", "docmath", "corpusqa-128k", "longmemeval"):
        rows = {row["id"]: row for row in contents.benchmark_rows(name)}
        for item in load(name, write(tmp_path, name)):
            message, start, end = item.document
            assert rows[item.id]["context"] == item.messages[message]["content"][start:end]


def test_answers_in_a_file_of_their_own_are_joined_to_their_questions(tmp_path):
    # As the package lays them out: what the rows of one file alone say is half of it.
    folder = tmp_path / "data"
    (folder / "possible_answer").mkdir(parents=True)
    for place, rows in (("", benchmark_rows.BFCL_QUESTIONS), ("possible_answer/", benchmark_rows.BFCL_ANSWERS)):
        (folder / f"{place}BFCL_v4_memory.json").write_bytes(benchmark_rows.jsonl(rows))
    rows = list(contents.benchmark_rows(f"bfcl-memory={folder}"))
    assert len(rows) == 6
    ((sample,), shown) = reader.read(rows[0], "x#1")
    assert (sample.question, sample.answers, shown) == ("What do I collect?", ("old maps", "maps"), [])


def test_rows_of_a_file_are_read_as_those_of_the_hub(hub, tmp_path):  # noqa: F811
    for name in ("longbench-v2", "gpqa-diamond", "longmemeval"):
        found = list(contents.benchmark_rows(f"{name}={write(tmp_path, name)}"))
        by_id = {row["id"]: row for row in contents.benchmark_rows(name)}
        assert found == [by_id[row["id"]] for row in found]
    # Taken as they are, rows of LongBench v2 have the choices first, and a letter for the answer.
    raw = benchmark_rows.ROWS["longbench-v2"][0]
    assert reader.read(raw, "x#1")[0][0].answers == ("one", "seven", "twelve", "none", "B")
    row = next(contents.benchmark_rows(f"longbench-v2={tmp_path / 'longbench-v2.jsonl'}"))
    assert reader.read(row, "x#1")[0][0].answers == ("seven", "one", "seven", "twelve", "none")


def test_an_index_goes_by_the_benchmarks_name_wherever_its_rows_lie(tmp_path):
    indexes = []
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        entry = f"longbench-v2={write(tmp_path / place, 'longbench-v2')}"
        indexes.append(open_benchmark(entry, 13, tmp_path / "cache", contents.benchmark_rows))
    assert [index.name for index in indexes] == ["longbench-v2"] * 2
    assert indexes[0].facts == indexes[1].facts
    assert indexes[0].labels["questions"][0] == "longbench-v2#1 (v2-0)"
    with pytest.raises(DataError, match="no such data file: gone"):
        open_benchmark("longbench-v2=gone", 13, tmp_path / "cache", contents.benchmark_rows)


@pytest.mark.parametrize("name", ["frames", "bfcl-memory", "mrcr"])
def test_what_the_hub_lacks_is_named_as_a_file(name):
    with pytest.raises(UsageError, match=f"no rows of {name}; give it as {name}=PATH"):
        contents.benchmark_rows(name)


def test_what_is_made_of_own_documents_is_refused():
    with pytest.raises(UsageError, match="nothing of it to keep out"):
        contents.benchmark_rows("mrcr-mini")
