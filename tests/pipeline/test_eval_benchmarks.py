import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core import tokens
from golongrl.core.errors import DataError, UsageError
from golongrl.pipeline.evaluation import benchmarks
from golongrl.pipeline.evaluation.benchmarks import mrcr, mrcr_mini, passages
from golongrl.pipeline.evaluation.benchmarks.base import LoadOptions
from golongrl.rewards.mrcr_ratio import mrcr_ratio

PARITY = Path(__file__).parents[1] / "rewards" / "parity" / "mrcr.jsonl"
APPROX = tokens.load("approx")


def options(**changes):
    defaults = {
        "data": None,
        "tokenizer": APPROX,
        "count_prompt": lambda messages: sum(APPROX.count(m["content"]) + 8 for m in messages),
        "max_length": [1024],
        "limit": 4,
        "needles": [2, 4],
        "answer_tokens": 64,
        "seed": 0,
    }
    return LoadOptions(**{**defaults, **changes})


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def row(**changes):
    prompt = [
        {"role": "user", "content": "Write a poem about rain."},
        {"role": "assistant", "content": "Rain falls."},
        {"role": "user", "content": "Prepend abc to the 1st poem about rain."},
    ]
    return {
        "prompt": prompt,
        "answer": "abcRain falls.",
        "random_string_to_prepend": "abc",
        "n_needles": 2,
        **changes,
    }


def test_unknown_name_lists_all_names():
    with pytest.raises(UsageError, match=r"did you mean 'mrcr-mini'\? Benchmarks: mrcr, mrcr-mini"):
        benchmarks.get("mrcr-min")


def test_prompt_as_json_text_or_list_is_the_same_item(tmp_path):
    text = write_rows(tmp_path / "a.jsonl", [row(prompt=json.dumps(row()["prompt"]))])
    plain = write_rows(tmp_path / "b.jsonl", [row()])
    assert list(mrcr.load(options(data=text))) == list(mrcr.load(options(data=plain)))


def test_parquet_of_the_public_schema(tmp_path):
    import pyarrow
    import pyarrow.parquet

    rows = [
        row(
            prompt=json.dumps(row()["prompt"]),
            desired_msg_index=1,
            total_messages=3,
            n_chars=60,
            answer=f"abc{number}",
        )
        for number in range(3)
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "2needle.parquet")
    items = list(mrcr.load(options(data=str(tmp_path), limit=2)))
    assert [item.id for item in items] == ["0", "1"]
    assert items[1].gold == {"answer": "abc1", "prefix": "abc"}
    assert items[0].buckets == {"needles": "2"}
    # Both rows ask about one conversation.
    assert items[0].cluster == items[1].cluster


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"prompt": "not json"}, "row 2, field prompt"),
        ({"prompt": []}, "row 2, field prompt"),
        ({"prompt": [{"role": "user"}]}, "row 2, field prompt"),
        ({"answer": None}, "row 2, field answer"),
        ({"random_string_to_prepend": 5}, "row 2, field random_string_to_prepend"),
        ({"id": "x"}, "'x' occurs twice"),
    ],
)
def test_bad_rows_are_named(tmp_path, bad, message):
    path = write_rows(tmp_path / "rows.jsonl", [row(id="x"), row(**bad)])
    with pytest.raises(DataError, match=message):
        list(mrcr.load(options(data=path)))


def test_length_filter_comes_before_the_limit(tmp_path):
    long_row = row(prompt=[{"role": "user", "content": "x " * 4000}])
    path = write_rows(tmp_path / "rows.jsonl", [long_row, row(), row(answer="abcOther.")])
    assert [item.id for item in mrcr.load(options(data=path, limit=1))] == ["1"]
    with pytest.raises(DataError, match="no row of at most 4 tokens"):
        list(mrcr.load(options(data=path, max_length=[4])))


def test_mrcr_without_data_says_what_to_pass():
    with pytest.raises(UsageError, match="--data"):
        mrcr.load(options())


def test_every_parity_row_scores_as_expected():
    for line in PARITY.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        gold = {"answer": case["answer"], "prefix": case["random_string_to_prepend"]}
        expected = case["reference_score"] if case["expected"] is None else case["expected"]
        assert mrcr.score(gold, case["response"], "optional").value == pytest.approx(expected, abs=1e-6), case["note"]


GOLD = {"answer": "abcRain falls.", "prefix": "abc"}


@pytest.mark.parametrize(
    ("response", "think", "value", "reason"),
    [
        ("abcRain falls.", "optional", 1.0, "ok"),
        ("abcRain falls.", "required", 0.0, "unclosed_think"),
        ("so</think>abcRain falls.", "required", 1.0, "ok"),
        # The draft in the thinking does not count, even though the response starts with the prefix.
        ("abcRain falls.</think>no idea", "required", 0.0, "ok"),
        ("<think>abcRain falls.", "optional", 0.0, "unclosed_think"),
        ("<think>hm</think>", "optional", 0.0, "no_answer"),
        ("  \n", "optional", 0.0, "no_answer"),
        ("Rain falls.", "optional", 0.0, "ok"),
        # 2 * 4 matching characters / (4 + 11).
        ("abcRain", "optional", 8 / 15, "ok"),
    ],
)
def test_score_reasons(response, think, value, reason):
    score = mrcr.score(GOLD, response, think)
    assert (score.value, score.reason) == (pytest.approx(value), reason)


def test_mini_items_are_deterministic_and_of_the_asked_length():
    asked = options(max_length=[1024, 2048], limit=8)
    items = mrcr_mini.load(asked)
    assert items == mrcr_mini.load(asked)
    assert items != mrcr_mini.load(options(max_length=[1024, 2048], limit=8, seed=1))
    assert [item.id for item in items[:5]] == ["1k-2n-0", "1k-4n-0", "2k-2n-0", "2k-4n-0", "1k-2n-1"]
    for item in items:
        length = tokens.parse_length(item.id.split("-")[0])
        total = asked.count_prompt(item.messages) + item.n_answer_tokens
        assert length - 150 <= total <= length


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([2, 4, 8]), st.sampled_from([1024, 4096]))
def test_mini_questions_have_exactly_one_right_answer(seed, needles, length):
    item = mrcr_mini.load(options(seed=seed, needles=[needles], max_length=[length], limit=1))[0]
    turns = item.messages[:-1]
    assert [message["role"] for message in turns] == ["user", "assistant"] * (len(turns) // 2)
    question = item.messages[-1]["content"]
    index = next(i for i in range(needles) if f"the {mrcr_mini.ordinal(i + 1)} " in question)
    phrase = question.split(f"{mrcr_mini.ordinal(index + 1)} ")[1].split(", counted")[0]
    replies = [
        reply["content"]
        for request, reply in zip(turns[::2], turns[1::2], strict=True)
        if request["content"].split(" ", 2)[2] == f"{phrase}."
    ]
    assert len(replies) == needles
    assert len(set(replies)) == needles
    prefix = item.gold["prefix"]
    assert item.gold["answer"] == prefix + replies[index]
    assert sum(message["content"] == replies[index] for message in turns) == 1
    # The right needle scores 1, another needle does not.
    assert mrcr.score(item.gold, prefix + replies[index], "optional").value == 1.0
    assert mrcr.score(item.gold, prefix + replies[index - 1], "optional").value < 1.0
    assert mrcr.score(item.gold, item.gold["answer"], "optional").value == mrcr_ratio(
        item.gold["answer"], item.gold["answer"], prefix
    )


def test_mini_passages_are_verbatim_text_of_the_documents():
    sources = passages.read_sources(None, APPROX, 64)
    raw = {" ".join(text.split()) for _, text in passages.read_documents(None)}
    some = [passage for source in sources[:20] for passage in source.passages[:3]]
    assert len(some) > 30
    assert all(any(passage in document for document in raw) for passage in some)
    assert all(16 <= APPROX.count(passage) <= 64 for passage in some)


def test_topics_are_names_and_headings_are_no_part_of_a_passage(tmp_path):
    sentence = "The {} falls on the quiet town in the long night of this cold winter, again and again."
    for path, word in (("a/rain.rst", "rain"), ("a/snow.rst", "snow"), ("b/snow.rst", "hail")):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("Weather\n=======\n" + sentence.format(word), encoding="utf-8")
    sources = passages.read_sources(str(tmp_path), APPROX, 64)
    assert [(source.topic, source.passages) for source in sources] == [
        ("rain", [sentence.format("rain")]),
        ("a/snow", [sentence.format("snow")]),
        ("b/snow", [sentence.format("hail")]),
    ]


def test_mini_goes_on_when_the_documents_run_out(tmp_path):
    for name in ("rain", "snow"):
        sentences = [f"The {name} number {i} falls on the quiet town in the long winter night." for i in range(6)]
        (tmp_path / f"{name}.md").write_text("\n\n".join(sentences), encoding="utf-8")
    item = mrcr_mini.load(options(data=str(tmp_path), limit=1, needles=[2], max_length=[8192]))[0]
    assert options().count_prompt(item.messages) > 7900


def test_mini_rows_can_be_read_as_mrcr(tmp_path):
    items = mrcr_mini.load(options())
    path = write_rows(tmp_path / "items.jsonl", [mrcr_mini.as_row(item) for item in items])
    read = mrcr.load(options(data=path, max_length=[]))
    assert [(i.id, i.messages, i.gold) for i in read] == [(i.id, i.messages, i.gold) for i in items]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no .txt, .md, .rst document"),
        ({"a.txt": b""}, "the most is 0"),
        ({"a.txt": b"\xff\xfe\xfa"}, "a.txt is not UTF-8"),
        (
            {"a.md": b"One sentence of the only document here, which is long enough to be one passage."},
            "the most is 1",
        ),
    ],
)
def test_bad_documents(tmp_path, files, message):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        mrcr_mini.load(options(data=str(tmp_path)))


def test_missing_documents():
    with pytest.raises(DataError, match="no such document or folder"):
        mrcr_mini.load(options(data="/nowhere/at/all"))


def test_too_short_a_length_says_what_to_change():
    with pytest.raises(DataError, match="--max-length"):
        mrcr_mini.load(options(max_length=[100], needles=[4]))


def test_ordinals():
    assert [mrcr_mini.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 21, 102, 111)] == [
        "1st",
        "2nd",
        "3rd",
        "4th",
        "11th",
        "12th",
        "21st",
        "102nd",
        "111th",
    ]
