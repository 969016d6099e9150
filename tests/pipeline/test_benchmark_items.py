"""What the benchmarks ask: prompts, the place of the document in them, gold answers, buckets and clusters."""

import json
from collections import Counter

import benchmark_rows
import pytest
from test_benchmark_data import load, write

from golongrl.core.errors import DataError
from golongrl.pipeline.evaluation import benchmarks
from golongrl.pipeline.evaluation.benchmarks import corpusqa, gpqa, mrcr

QUESTIONS = {
    "longbench-v2": "How many ships passed on Monday?",
    "frames": "Which town has the older lighthouse?",
    "longbench-qa": "How many ships passed?",
    "docmath": "By how much did revenue change",
    "corpusqa-128k": "Who sold more?",
    "longmemeval": "How many days ago did I plant the pear tree?",
}
DOCUMENTS = {
    "longbench-v2": benchmark_rows.LONGBENCH_V2[0]["context"],
    "frames": "# Norwick\nIts lighthouse is of 1801.\n\n# Sudwick\nIts lighthouse is of 1855.",
    "longbench-qa": benchmark_rows.PARAGRAPH.format(7),
    "docmath": "Revenue in thousands.\n| 2019 | 2020 |\n| 105.2 | 100.1 |\nThe rest is prose.",
    "corpusqa-128k": "# Document 1:\nIron Ltd sold 5.\n# Document 2:\nTin Ltd sold 9.\nQuestion: ",
    "longmemeval": (
        "### Chat 1, 2024/05/10 (Fri) 09:00\nUser: I planted the pear tree today.\nAssistant: Good.\n\n"
        "### Chat 2, 2024/05/12 (Sun) 18:30\nUser: What is a quince?\nAssistant: A fruit."
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_only_the_document_lies_in_its_place(tmp_path, name):
    item = load(name, write(tmp_path, name))[0]
    message, start, end = item.document
    content = item.messages[message]["content"]
    assert content[start:end] == DOCUMENTS[name]
    # Cut to nothing, the prompt still asks and still says how to answer.
    rest = content[:start] + content[end:]
    assert QUESTIONS[name] in rest
    assert name == "longmemeval" or "nswer" in rest
    assert item.gold.get("question", QUESTIONS[name]) in rest


@pytest.mark.parametrize("name", ["mrcr-128k", "mmlu-pro", "aime24", "gpqa-diamond"])
def test_prompts_without_a_document_have_no_place_to_cut(tmp_path, name):
    assert all(item.document is None for item in load(name, write(tmp_path, name)))


@pytest.mark.parametrize(
    "name", ["longbench-v2", "frames", "docmath", "mmlu-pro", "aime24", "aime25", "gpqa-diamond"]
)
def test_no_prompt_holds_its_answer_key(tmp_path, name):
    for item in load(name, write(tmp_path, name)):
        text = json.dumps(item.messages, ensure_ascii=False)
        assert "ground_truth" not in text
        assert "cot_content" not in text
        assert f"ANSWER: {item.gold.get('answer')}" not in text


def test_choices_are_listed_in_the_published_order(tmp_path):
    first, second = load("mmlu-pro", write(tmp_path, "mmlu-pro"))
    assert "\nA) 4\n" in first.messages[0]["content"]
    assert "\nJ) 17\n" in first.messages[0]["content"]
    assert "a letter from A to J" in first.messages[0]["content"]
    assert "one of the 3 options" in second.messages[0]["content"]
    assert (first.id, first.gold) == ("70", {"answer": "J", "options": 10})
    v2 = load("longbench-v2", write(tmp_path, "longbench-v2"))[0]
    assert "\nA) one\nB) seven\nC) twelve\nD) none\n" in v2.messages[0]["content"]
    assert v2.buckets == {"domain": "Single-Document QA", "difficulty": "easy", "words": "short"}


def test_gpqa_orders_are_drawn_per_question_from_the_seed(tmp_path):
    # A global random state would change an item's order with what is asked before it.
    path = write(tmp_path, "gpqa-diamond")
    items = load("gpqa-diamond", path)
    alone = tmp_path / "last.jsonl"
    alone.write_bytes(benchmark_rows.jsonl(benchmark_rows.GPQA[-1:]))
    assert load("gpqa-diamond", alone) == items[-1:]
    assert load("gpqa-diamond", path) == items
    assert load("gpqa-diamond", path, seed=1) != items
    for item in items:
        options = [gpqa.COLUMNS[place] for place in item.gold["order"]]
        assert sorted(options) == sorted(gpqa.COLUMNS)
        assert options["ABCD".index(item.gold["answer"])] == "Correct Answer"
        assert f"\n{item.gold['answer']}) mercury\n" in item.messages[0]["content"] + "\n"
    assert len(Counter(item.gold["answer"] for item in items)) > 1


def test_clusters_are_what_items_share(tmp_path):
    for name, share in (
        ("longbench-v2", True),
        ("corpusqa-128k", True),
        ("longbench-qa", True),
        ("gpqa-diamond", False),
    ):
        items = load(name, write(tmp_path, name))
        assert (len({item.cluster for item in items}) < len(items)) is share, name


def test_answers_that_come_as_lists_or_numbers(tmp_path):
    golds = [item.gold["answers"] for item in load("corpusqa-128k", write(tmp_path, "corpusqa-128k"))][:3]
    assert golds[0] == ["Tin Ltd"]
    assert golds[1] == ["[]", "None: nothing fulfils the conditions"]
    assert golds[2] == ['["Iron Ltd", "Tin Ltd"]']
    assert load("longmemeval", write(tmp_path, "longmemeval"))[0].gold["answer"] == "10"
    assert load("aime24", write(tmp_path, "aime24"))[0].gold == {"answer": "24"}
    boxed = tmp_path / "boxed.jsonl"
    boxed.write_bytes(benchmark_rows.jsonl([{"problem": "x", "solution": "So it is \\boxed{073}."}]))
    assert load("aime25", boxed)[0].gold == {"answer": "73"}


def test_the_corpus_may_stand_before_or_behind_the_question():
    def place(content, question="Q?"):
        return corpusqa.corpus_place([{"role": "user", "content": content}], question)

    assert place("Intro.\n# Document 1 text text\nQ? Say so.") == (0, 7, 30)
    assert place("Q? # Document 1 text text text") == (0, 3, 30)
    assert place("no question here") is None
    apart = [{"role": "user", "content": "# Document 1 text"}, {"role": "user", "content": "Q?"}]
    assert corpusqa.corpus_place(apart, "Q?") == (0, 0, 17)
    assert corpusqa.corpus_place([{"role": "system", "content": "Q?"}], "Q?") is None


def test_other_sets_of_longbench_are_left_out(tmp_path):
    rows = [*benchmark_rows.LONGBENCH_QA, {**benchmark_rows.LONGBENCH_QA[0], "dataset": "trec", "_id": "t"}]
    path = tmp_path / "rows.jsonl"
    path.write_bytes(benchmark_rows.jsonl(rows))
    items = load("longbench-qa", path)
    assert len(items) == 10
    assert Counter(item.buckets["documents"] for item in items) == {"single": 4, "multi": 6}
    path.write_bytes(benchmark_rows.jsonl(rows[-1:]))
    with pytest.raises(DataError, match="holds no row for it"):
        load("longbench-qa", path)


def test_the_date_of_the_question_is_given(tmp_path):
    # Defect 43: without it, "how many days ago" has no answer.
    for item in load("longmemeval", write(tmp_path, "longmemeval")):
        assert "Today is 2024/05/20 (Mon) 10:00." in item.messages[1]["content"]
    items = load("longmemeval", write(tmp_path, "longmemeval"))
    assert [item.buckets["type"] for item in items][:2] == ["temporal-reasoning", "abstention"]


def test_mrcr_splits_by_the_tokens_of_the_model(tmp_path):
    edges = {
        "mrcr-128k": [131_072],
        "mrcr-512k": [131_073, 524_288],
        "mrcr-1m": [524_289, 1_048_576],
    }
    path = tmp_path / "rows.jsonl"
    lengths = [length for pair in edges.values() for length in pair] + [1_048_577]
    rows = [{**benchmark_rows.MRCR[0], "id": str(length)} for length in lengths]
    path.write_bytes(benchmark_rows.jsonl(rows))
    for name, inside in edges.items():
        asked = iter(lengths)
        # 10 approximate tokens are the answer's.
        items = load(name, path, count_prompt=lambda messages, asked=asked: next(asked) - 10)
        assert [int(item.id) for item in items] == inside, name
    with pytest.raises(DataError, match="no row of 131073 to 524288 tokens"):
        load("mrcr-512k", write(tmp_path, "mrcr-128k"))
    asked = iter(lengths)
    shorter = load("mrcr-1m", path, max_length=[524_289], count_prompt=lambda messages: next(asked) - 10)
    assert [item.id for item in shorter] == ["524289"]


def test_mrcr_reports_the_public_bins_beside(tmp_path):
    # Defect 39: they count o200k tokens of prompt and answer, whatever the model's tokenizer says.
    path = write(tmp_path, "mrcr-128k")
    counted = []

    def count(text):
        counted.append(text)
        return 300

    item = load("mrcr-128k", path, count_o200k=count)[0]
    # Every message and every answer once.
    assert len(counted) == sum(len(json.loads(row["prompt"])) + 1 for row in benchmark_rows.MRCR)
    # 17 messages and the answer: 18 x 300 = 5,400 tokens.
    assert item.buckets == {"needles": "2", "o200k": "8k", "depth": "80-100%"}
    assert load("mrcr-128k", path)[0].buckets == {"needles": "2", "depth": "80-100%"}


def test_a_row_that_is_hopelessly_long_is_not_counted(tmp_path):
    counted = []

    def count_prompt(messages):
        counted.append(messages)
        return 10

    path = tmp_path / "rows.jsonl"
    size = mrcr.CHARACTERS_PER_TOKEN * 131_072
    path.write_bytes(benchmark_rows.jsonl([benchmark_rows.mrcr_of_length(size + 1000), benchmark_rows.MRCR[0]]))
    assert len(load("mrcr-128k", path, count_prompt=count_prompt)) == 1
    assert len(counted) == 1


@pytest.mark.parametrize("name", benchmarks.GROUPS["all"])
def test_rows_that_carry_their_answers_need_no_data(tmp_path, name):
    bench = benchmarks.get(name)
    if name == "bfcl-memory":
        row = {**benchmark_rows.BFCL_ANSWERS[0], "id": "memory_kv_0-finance-0"}
        gold = {"question": "", "answers": ["old maps", "maps"]}
    else:
        row = benchmark_rows.ROWS[name][0]
        item = load(name, write(tmp_path, name))[0]
        row, gold = {**row, "id": item.id}, item.gold
    assert bench.from_row({"id": "x", "response": "y"}, "line 1") is None
    found = bench.from_row({**row, "response": "y"}, "line 1")
    if name == "gpqa-diamond":
        # Which letter is right depends on the order that was drawn.
        assert found is None
    else:
        assert (found.id, found.gold) == (str(row["id"]), gold)
        assert name.startswith("mrcr") or found.messages == []
