"""What the benchmarks give to those who keep them out of training data."""

import pytest
from test_benchmark_data import FROM_HUB, hub, load, write  # noqa: F401  a fixture among them

from golongrl.core.errors import UsageError
from golongrl.pipeline.dataset.contamination import benchmark_rows as reader
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


@pytest.mark.parametrize("name", ["frames", "bfcl-memory", "mrcr"])
def test_what_the_hub_lacks_is_named_as_a_file(name):
    with pytest.raises(UsageError, match=f"no rows of {name}; name a file or folder"):
        contents.benchmark_rows(name)


def test_what_is_made_of_own_documents_is_refused():
    with pytest.raises(UsageError, match="nothing of it to keep out"):
        contents.benchmark_rows("mrcr-mini")
