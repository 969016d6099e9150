import math
import re

import pytest
from dataset_records import make
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_calls import documented

from golongrl.core.records import Message
from golongrl.pipeline.dataset.context import BARE_INSTRUCTIONS, INSTRUCTIONS
from golongrl.pipeline.dataset.questions.extend import ANSWERS, BARE_ANSWERS
from golongrl.pipeline.dataset.verifying import luck
from golongrl.pipeline.dataset.verifying.necessity import (
    NO_EVIDENCE,
    NO_OTHERS,
    NOTHING_LEFT,
    Layout,
    Untestable,
    closed_book,
    evidence_only,
    layout,
    without_evidence,
)

HARBOUR = ("Harbour", "## Boats\n\nThe ferry is blue. It leaves at nine.\n\nThe tug is red.")
MILL = ("Mill", "The mill stands on a hill.\n\nIts owner is Ada.")
QUESTION = "What colour is the ferry?"


def text_of(messages):
    assert not isinstance(messages, Untestable), messages
    assert [message["role"] for message in messages] == ["user"]
    return messages[0]["content"]


def ferry(**more):
    return documented("T1", QUESTION, "blue", [MILL, HARBOUR], evidence=["The ferry is blue."], **more)


def test_without_its_evidence_a_prompt_loses_the_whole_paragraph_and_nothing_else():
    assert text_of(without_evidence(ferry())) == (
        "Read the documents and answer the question.\n\n"
        "[Document 1] Mill\nThe mill stands on a hill.\n\nIts owner is Ada.\n\n"
        "[Document 2] Harbour\n## Boats\n\nThe tug is red.\n\n"
        "Question: What colour is the ferry?\n\nDo answer."
    )


def test_with_its_evidence_alone_a_prompt_keeps_the_number_of_the_document_that_holds_it():
    assert text_of(evidence_only(ferry(first=True))) == (
        "Read the question, then answer it from the documents below.\n\nQuestion: What colour is the ferry?\n\n"
        "[Document 2] Harbour\n## Boats\n\nThe ferry is blue. It leaves at nine.\n\nThe tug is red.\n\nDo answer."
    )


@pytest.mark.parametrize("first", [False, True])
def test_closed_book_shows_question_and_instruction_and_no_document(first):
    assert text_of(closed_book(ferry(first=first))) == (
        "No document is given. Answer the question from what you know; if you are not sure, give your best guess.\n\n"
        "Question: What colour is the ferry?\n\nDo answer."
    )


def test_chinese_prompts_are_taken_apart_too():
    documents = [("港口", "渡轮是蓝色的。\n\n拖船是红色的。"), ("磨坊", "磨坊在山上。")]
    record = documented("T1", "渡轮是什么颜色？", "蓝色", documents, evidence=["渡轮是蓝色的"], language="zh")
    assert text_of(closed_book(record)).endswith("\n\n问题：渡轮是什么颜色？\n\nDo answer.")
    assert "【文档" not in text_of(closed_book(record))
    assert "【文档1】港口\n拖船是红色的。\n\n【文档2】磨坊" in text_of(without_evidence(record))
    assert "磨坊" not in text_of(evidence_only(record))


def test_options_stand_in_the_closed_book_prompt_once():
    question = "Which?\nA. blue\nB. red"
    record = documented("T2", question, "A", [HARBOUR], evidence=["The ferry is blue."], options=["blue", "red"])
    assert text_of(closed_book(record)).count("A. blue") == 1
    # Without a prompt of the known form, what the record says is asked, with the format that its metric reads.
    loose = make("T2", "Which?", "A", prompt="Something else altogether", options=["blue", "red"])
    assert text_of(closed_book(loose)).endswith(
        "\n\nWhich?\nA. blue\nB. red\n\n"
        'End your reply with "The correct answer is (X)", where X is the letter of the right option.'
    )


@pytest.mark.parametrize("wordings", [INSTRUCTIONS, ANSWERS])
def test_no_answer_format_speaks_of_documents_in_the_closed_book_prompt(wordings):
    for metric, texts in wordings.items():
        for language, text in texts.items():
            record = ferry(language=language)
            message = record.prompt[0].model_copy(
                update={"content": record.prompt[0].content.replace("Do answer.", text)}
            )
            bare = text_of(closed_book(record.model_copy(update={"prompt": [message]}))).split("\n\n")[-1]
            assert not re.search("document|文档|原文|⟦|⟧", bare), (metric, language)
            assert bare.startswith(text[:20])
            assert bare.endswith((".", "。"))


def test_of_an_answer_format_only_what_speaks_of_documents_goes():
    assert BARE_INSTRUCTIONS[INSTRUCTIONS["iou"]["en"]] == (
        'End your reply with the rows as JSON, <answer>{"data": [[...], [...]]}</answer>.'
    )
    assert BARE_ANSWERS[ANSWERS["em"]["en"]].endswith("below it only the answer, a word or phrase.")
    assert BARE_ANSWERS[ANSWERS["em"]["zh"]].endswith("其下只写答案，即一个词或短语。")
    assert BARE_ANSWERS[ANSWERS["f1"]["en"]].endswith("below it one item per line, and nothing else.")


TABLE = "Before.\n\n| Ship | Year |\n| Aurora | 1901 |\n| Boreas | 1902 |\n| Ceres | 1903 |\n\nAfter."


@pytest.mark.parametrize(
    ("evidence", "left"),
    [
        (["| Boreas | 1902 |"], "| Ship | Year |\n| Aurora | 1901 |\n| Ceres | 1903 |"),
        (["Boreas", "1903"], "| Ship | Year |\n| Aurora | 1901 |"),
        # Column names stay while there are rows below them.
        (["| Ship | Year |\n| Aurora | 1901 |"], "| Ship | Year |\n| Boreas | 1902 |\n| Ceres | 1903 |"),
        (["| Ship | Year |"], "| Aurora | 1901 |\n| Boreas | 1902 |\n| Ceres | 1903 |"),
        (["Aurora", "Boreas", "Ceres"], None),
    ],
)
def test_of_a_table_only_rows_go(evidence, left):
    record = documented("T5", "Which ships?", "[[1]]", [MILL, ("Ships", TABLE)], evidence=evidence)
    body = f"Before.\n\n{left}\n\nAfter." if left else "Before.\n\nAfter."
    assert f"[Document 2] Ships\n{body}\n\nQuestion" in text_of(without_evidence(record))


def test_of_a_list_only_items_go_with_the_lines_that_continue_them():
    text = "Tools:\n\n- saw\n- axe, which\nis sharp\n- plane"
    record = documented("T3", "Which tools?", ["axe"], [MILL, ("Tools", text)], evidence=["is sharp"])
    assert "Tools:\n\n- saw\n- plane\n\nQuestion" in text_of(without_evidence(record))


def test_of_code_only_lines_go_and_marks_inside_it_open_no_document():
    text = "```\n[Document 3] is a string\n\nx = 1\ny = 2\n```\n\nEnd."
    record = documented("T1", "What is x?", "1", [("Code", text), MILL], evidence=["x = 1"])
    assert len(layout(record).documents) == 2
    assert "[Document 1] Code\n```\n[Document 3] is a string\n\ny = 2\n```\n\nEnd." in text_of(
        without_evidence(record)
    )


def test_a_document_of_nothing_but_evidence_goes_with_its_title():
    record = documented(
        "T1", "Who?", "Ada", [MILL, ("Ada", "She was born in 1815.")], evidence=["She was born in 1815."]
    )
    left = text_of(without_evidence(record))
    assert "[Document 2]" not in left
    assert "[Document 1] Mill\nThe mill stands on a hill.\n\nIts owner is Ada.\n\nQuestion: Who?" in left


def test_what_cannot_be_tested_says_why():
    assert without_evidence(documented("T9", "Sum up.", ["A mill."], [MILL])) == NO_EVIDENCE
    assert evidence_only(documented("T9", "Sum up.", ["A mill."], [MILL])) == NO_EVIDENCE
    alone = documented("T1", "Where?", "a hill", [("Mill", "It stands on a hill.")], evidence=["stands on a hill"])
    assert (evidence_only(alone), without_evidence(alone)) == (NO_OTHERS, NOTHING_LEFT)
    outside = documented("T1", "Where is it?", "a hill", [MILL], evidence=["Where is it?"])
    assert (
        without_evidence(outside).reason
        == evidence_only(outside).reason
        == "its evidence stands outside the documents"
    )
    unmarked = make(
        "T1", "Where?", "a hill", prompt="A mill stands on a hill.\n\nWhere?\n\nDo answer.", evidence=[(0, 9)]
    )
    assert without_evidence(unmarked).reason == "the documents of its prompt cannot be told apart"
    assert layout(make("T1", "Where?", "x", prompt="Nothing")).reason == "its question does not stand in the prompt"
    # One document more than the record knows of: a title that was quoted.
    quoted = documented("T1", "Where?", "a hill", [MILL, ("Quoted", "[Document 3] Mill\nas we said")])
    assert layout(quoted) == Untestable("the documents of its prompt cannot be told apart")


def test_other_messages_stay_as_they_are():
    record = ferry()
    record = record.model_copy(update={"prompt": [Message(role="system", content="Be brief."), *record.prompt]})
    messages = closed_book(record)
    assert messages[0] == {"role": "system", "content": "Be brief."}
    assert (len(messages), messages[1]["role"]) == (2, "user")
    assert without_evidence(record)[0] == messages[0]
    turns = [Message(role="user", content="The ferry is blue."), Message(role="assistant", content="Noted.")]
    record = record.model_copy(update={"prompt": [*turns, *record.prompt]})
    assert closed_book(record) == messages
    assert [message["content"] for message in evidence_only(record)[:2]] == ["The ferry is blue.", "Noted."]


WORDS = st.text("abc ", min_size=1, max_size=12).map(str.strip).filter(bool)
BLOCKS = st.one_of(
    WORDS,
    st.lists(WORDS, min_size=1, max_size=4).map(lambda items: "\n".join(f"- {item}" for item in items)),
    st.lists(WORDS, min_size=1, max_size=4).map(lambda rows: "\n".join(f"| {row} | x |" for row in rows)),
    WORDS.map(lambda line: f"```\n{line}\n\n{line}\n```"),
)
DOCUMENTS = st.lists(
    st.tuples(WORDS, st.lists(BLOCKS, min_size=1, max_size=5).map("\n\n".join)), min_size=1, max_size=4
)


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS, st.booleans(), st.data())
def test_documents_are_found_whatever_they_hold_and_evidence_never_stays(documents, first, data):
    record = documented("T1", "Where, then?", "here", documents, first=first)
    taken = layout(record)
    assert isinstance(taken, Layout)
    shown = [taken.text[document.start : document.end] for document in taken.documents]
    assert shown == [f"[Document {n}] {title}\n{text}" for n, (title, text) in enumerate(documents, 1)]
    assert taken.joined(shown) == taken.text
    chosen = taken.documents[data.draw(st.integers(0, len(documents) - 1))]
    body = taken.text.index("\n", chosen.start) + 1
    start = data.draw(st.integers(body, chosen.end - 1))
    end = data.draw(st.integers(start + 1, chosen.end))
    record.extra_info["evidence_in_prompt"] = [{"start": start, "end": end}]
    left = without_evidence(record)
    touched = taken.text[start:end].strip("\n`")
    if isinstance(left, Untestable):
        assert left in (NOTHING_LEFT, Untestable("its evidence stands outside the documents"))
    elif touched:
        assert len(text_of(left)) < len(taken.text)
        # What is left is lines of the prompt in their order.
        lines = iter(taken.text.split("\n"))
        assert all(line in lines for line in text_of(left).split("\n") if line)
    alone = evidence_only(record)
    if len(documents) == 1:
        assert alone == NO_OTHERS
    else:
        assert text_of(alone) == taken.joined([taken.text[chosen.start : chosen.end]])


def test_luck_is_the_upper_tail_of_the_binomial_distribution():
    # Four options, two answers: both right in 1/16 of all cases, one right or more in 7/16.
    assert luck.beyond_luck(2, 2, 0.25)
    assert not luck.beyond_luck(1, 2, 0.25)
    # Four answers: three right or more in 13/256 = 0.051, two or more in 67/256.
    assert luck.beyond_luck(3, 4, 0.25)
    assert not luck.beyond_luck(2, 4, 0.25)
    # One of one cannot be told from luck, nor two of two between two options.
    assert not luck.beyond_luck(1, 1, 0.25)
    assert not luck.beyond_luck(2, 2, 0.5)
    # Half of 64 between two options: exactly so many in 1/sqrt(32 pi) = 0.0997 of all cases, so many or more in 0.55.
    assert not luck.beyond_luck(32, 64, 0.5)
    # Nothing passes by luck where there is nothing to guess from; nothing is proved where nothing passes.
    assert luck.beyond_luck(1, 8, 0.0)
    assert not luck.beyond_luck(0, 8, 0.0)


def test_chance_counts_the_choices_and_orders_of_what_the_question_states():
    options = ["blue", "red", "green", "white"]
    question = "Which?\n" + "\n".join(f"{letter}. {text}" for letter, text in zip("ABCD", options, strict=True))
    assert luck.chance(make("T2", question, "B", options=options), 1.0) == 0.25
    # Three items: of six orders one has all three pairs right, two more have two of three.
    listed = ["one", "two", "three"]
    order = make("T8", "Order one, two, three.", listed, listed=listed)
    assert luck.chance(order, 1.0) == pytest.approx(1 / 6)
    assert luck.chance(order, 0.6) == pytest.approx(3 / 6)
    assert luck.chance(order, 0.75) == pytest.approx(1 / 6)
    # Seven items have 5040 orders: a sample, the same each time.
    many = make("T8", "Order " + ", ".join("abcdefg"), list("abcdefg"), listed=list("abcdefg"))
    assert luck.chance(many, 1.0) < 0.01
    assert luck.chance(many, 0.5) == luck.chance(many, 0.5) == pytest.approx(0.5, abs=0.1)
    assert math.isclose(luck.chance(many, 0.0), 1.0)


def test_chance_of_open_questions_is_that_of_the_answers_people_guess():
    assert luck.chance(make("T1", "Is it blue?", "Yes"), 1.0) == 0.5
    assert luck.chance(make("T4", "How many?", "7"), 1.0) == 0.1
    assert luck.chance(make("T4", "How many?", "73"), 1.0) == 0.0
    assert luck.chance(make("T1", "Who?", "Ada"), 1.0) == 0.0
    assert luck.chance(make("T2", "Which?", "B"), 1.0) == 0.25
    assert luck.chance(make("T2", "Which?\nA. x\nB. y", "B"), 1.0) == 0.5
