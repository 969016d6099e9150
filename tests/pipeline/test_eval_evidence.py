"""Where the evidence of an item stands, how deep, and what a report shows of its prompt."""

import json

import benchmark_rows
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.pipeline.evaluation import asked, benchmarks, excerpts
from golongrl.pipeline.evaluation.benchmarks import docmath, longmemeval, mrcr
from golongrl.pipeline.evaluation.benchmarks.base import Item
from golongrl.pipeline.evaluation.benchmarks.evidence import BANDS, band, depth, located


def messages(*contents):
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(contents)]


def texts(item):
    return [item.messages[place]["content"][start:end] for place, start, end in item.evidence]


def test_depth_by_hand():
    prompt = messages("a" * 10, "b" * 20, "c" * 70)
    # The middle of the second message is 20 of 100 characters down; that of two pieces (20 + 80) / 2.
    assert depth(prompt, [(1, 0, 20)]) == pytest.approx(0.2)
    assert depth(prompt, [(1, 0, 20), (2, 45, 55)]) == pytest.approx(0.5)
    assert [band(share) for share in (0.0, 0.1999, 0.2, 0.99, 1.0)] == [
        "0-20%",
        "0-20%",
        "20-40%",
        "80-100%",
        "80-100%",
    ]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6), st.data())
def test_depth_is_a_share_and_rises_with_the_place(sizes, data):
    prompt = messages(*("x" * size for size in sizes))
    spans = [(place, 0, size) for place, size in enumerate(sizes)]
    shares = [depth(prompt, [span]) for span in spans]
    assert all(0 <= share <= 1 for share in shares)
    assert shares == sorted(shares)
    chosen = data.draw(st.lists(st.sampled_from(spans), min_size=1, max_size=4))
    assert min(shares) <= depth(prompt, chosen) + 1e-12 <= max(shares) + 1e-9
    item = located(Item("a", prompt, {}), chosen)
    assert item.buckets["depth"] in BANDS
    assert located(item, []) == item


def test_the_needle_of_mrcr_is_where_the_row_says_or_where_its_text_is():
    (row, _) = benchmark_rows.MRCR
    item = mrcr.from_row({"id": "1", **row}, "row 1")
    assert texts(item) == ["Rain, verse 1: it falls and falls."]
    assert item.evidence[0][0] == row["desired_msg_index"]
    # The text of the whole answer stands twice: the index decides.
    twice = messages("Write.", "Rain.", "Write.", "Rain.", "Prepend a to the 2nd.")
    gold = {"answer": "aRain.", "prefix": "a"}
    assert mrcr.needle(twice, gold, 3) == [(3, 0, 5)]
    assert mrcr.needle(twice, gold) == [(1, 0, 5)]
    # An index that is wrong is not believed.
    assert mrcr.needle(twice, gold, 99) == mrcr.needle(twice, gold, 2) == [(1, 0, 5)]
    assert mrcr.needle(twice, {"answer": "aSnow.", "prefix": "a"}, 1) == []


def test_the_needle_of_mrcr_mini_is_the_answer(tmp_path):
    from golongrl.core import chat_template, tokens
    from golongrl.pipeline.evaluation.benchmarks.base import LoadOptions

    tokenizer = tokens.load(tokens.APPROX)
    options = LoadOptions(
        data=None,
        tokenizer=tokenizer,
        count_prompt=lambda prompt: chat_template.prompt_tokens(tokenizer, prompt, None),
        max_length=[2048],
        limit=12,
        needles=[2, 4],
        answer_tokens=64,
        seed=0,
    )
    for item in benchmarks.get("mrcr-mini").load(options):
        assert [item.gold["prefix"] + text for text in texts(item)] == [item.gold["answer"]]
        assert 0 < item.depth < 1


def test_the_evidence_of_longmemeval_are_the_turns_with_the_answer():
    (row, *_) = benchmark_rows.LONGMEMEVAL
    assert texts(longmemeval.read(row, "row 1")) == ["User: I planted the pear tree today."]
    several = json.loads(json.dumps(row))
    several["haystack_sessions"][1][1]["has_answer"] = True
    item = longmemeval.read(several, "row 1")
    assert texts(item) == ["User: I planted the pear tree today.", "Assistant: A fruit."]
    several["haystack_sessions"][0][0]["has_answer"] = several["haystack_sessions"][1][1]["has_answer"] = False
    bare = longmemeval.read(several, "row 1")
    assert (bare.evidence, bare.depth, "depth" in bare.buckets) == ((), None, False)


def test_the_evidence_of_docmath_are_the_paragraphs_that_count():
    (row, *_) = benchmark_rows.DOCMATH
    assert texts(docmath.read(row, "row 1")) == ["| 2019 | 2020 |\n| 105.2 | 100.1 |"]
    both = docmath.read({**row, "paragraph_evidence": [0, 99, "1"], "table_evidence": [1]}, "row 1")
    assert texts(both) == ["Revenue in thousands.", "| 2019 | 2020 |\n| 105.2 | 100.1 |"]
    assert docmath.read({**row, "table_evidence": None}, "row 1").evidence == ()


def test_an_excerpt_shows_the_needle_between_its_neighbours():
    prompt = messages("Hello.", "Hi.", "Write a poem." + "!" * 1000, "Rain falls.", "Next." + "?" * 1000, "So.")
    ((label, pieces),) = excerpts.excerpts_of(Item("a", prompt, {}, evidence=((3, 0, 11),)))
    # "Hello." and "Hi." and the request stand before it.
    assert label == "evidence, from character 1,022 of the prompt"
    assert [text for text, marked in pieces if marked] == ["Rain falls."]
    shown = "".join(text for text, _ in pieces)
    assert "!\n\n[assistant] Rain falls.\n\n[user] Next.??" in shown
    assert len(shown) < 2 * excerpts.AROUND + 20
    assert "Hello" not in shown


def test_many_places_are_counted_and_a_document_without_evidence_shows_its_ends():
    long = "".join(f"[{number}]" + "." * 2000 for number in range(6))
    spans = tuple((0, long.index(f"[{number}]"), long.index(f"[{number}]") + 3) for number in range(6))
    found = excerpts.excerpts_of(Item("a", messages(long), {}, evidence=spans))
    assert [label for label, _ in found][-1] == "more evidence"
    assert found[-1][1] == (("at 3 other places", False),)
    plain = Item("a", messages("Read: " + long + " Who?"), {}, document=(0, 6, 6 + len(long)))
    ((label, ((text, marked),)),) = excerpts.excerpts_of(plain)
    assert (label, marked) == ("document, its start and end", False)
    assert text.startswith("[0]...")
    assert f"({len(long) - excerpts.LONGEST_DOCUMENT:,} characters)" in text
    assert excerpts.excerpts_of(Item("a", messages("Who?"), {})) == []


def test_the_row_of_an_item_is_small_and_has_what_grading_needs():
    item = mrcr.from_row({"id": "1", **benchmark_rows.mrcr_of_length(3_000_000)}, "row 1")
    row = asked.row_of(item)
    assert (row["gold"], row["question"]) == (item.gold, "Prepend qZ7 to the 2nd poem about rain.")
    assert row["n_characters"] > 2_900_000
    assert len(json.dumps(row)) < 3_000
    assert asked.gold_texts(row) == ["qZ7Rain, verse 1: it falls and falls."]


def test_the_right_choice_is_shown_with_its_text():
    from golongrl.pipeline.evaluation.benchmarks import longbench_v2, mmlu_pro

    assert asked.gold_texts(asked.row_of(mmlu_pro.read(benchmark_rows.MMLU_PRO[0], "row"))) == ["J) 17"]
    row = asked.row_of(longbench_v2.read(benchmark_rows.LONGBENCH_V2[0], "row"))
    assert (row["question"], asked.gold_texts(row)) == ("How many ships passed on Monday?", ["B) seven"])


def test_every_benchmark_is_of_a_known_capability_or_of_none():
    from golongrl.core.tasks import CAPABILITIES

    assert set(benchmarks.CAPABILITIES.values()) <= set(CAPABILITIES)
    assert set(benchmarks.CAPABILITIES) <= set(benchmarks.BENCHMARKS)
    without = set(benchmarks.BENCHMARKS) - set(benchmarks.CAPABILITIES)
    assert without == {"mmlu-pro", "aime24", "aime25", "gpqa-diamond", "bfcl-memory"}
