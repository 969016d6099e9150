"""What is refused of the questions that a model wrote, with which reason, and what the others become."""

import json

import pytest
import synthesis_texts

from golongrl.core.documents import DocumentBuilder, Span
from golongrl.pipeline.dataset.encoding import Entry
from golongrl.pipeline.dataset.questions.items import Item, excerpt_of
from golongrl.pipeline.dataset.synthesis import schemas
from golongrl.pipeline.dataset.synthesis.judge import evidence_of, item_of
from golongrl.pipeline.dataset.synthesis.plan import Ask
from golongrl.pipeline.dataset.synthesis.question_types import TYPES

EN = synthesis_texts.documents()[0]
ZH = synthesis_texts.documents()[2]
QUAY = synthesis_texts.TEXTS[EN.title]["Origins"][0]
COUNCIL = synthesis_texts.TEXTS[EN.title]["Plans"][1]
SILVER = synthesis_texts.TEXTS[ZH.title]["缘起"][1]


def ask_of(excerpt, capability="T1"):
    block = excerpt.blocks
    window = Span(block[0].span.start, block[-1].span.end)
    kind = TYPES[capability][0]
    return Ask(0, window, (False, capability, "1k"), excerpt.language, kind, "start", "generator", 7, 1)


def judged(capability, document=EN, **written):
    """The item of a question as a model writes it, or the reason against it."""
    excerpt = excerpt_of(document, Span(0, len(document.text)))
    entry = Entry(
        sha256=document.sha256, source=document.source, title=document.title, language=document.language,
        licence="CC0-1.0", kind="prose", n_tokens=400, amounts={}, shard="", offset=0, size=1,
    )  # fmt: skip
    one = schemas.MODELS[capability].model_validate(written)
    return item_of(one, ask_of(excerpt, capability), excerpt, entry, "teacher")


def span(**changes):
    fair = {
        "question": "Who collected broken anchors before the Harbour Museum was founded?",
        "evidence": [QUAY],
        "answer": "Fishermen of the northern quay",
        "aliases": ["fishermen"],
    }
    return judged("T1", **{**fair, **changes})


def test_a_fair_question_becomes_an_item():
    item = span()
    assert isinstance(item, Item)
    assert item.gold == ("Fishermen of the northern quay", "fishermen")
    assert item.form == "llm:T1/name"
    assert item.source == "The Harbour Museum.md (teacher)"
    assert item.licence == "CC0-1.0"
    assert item.extra == {}
    [evidence] = item.evidence
    assert EN.text[evidence.start : evidence.end] == QUAY
    assert item.shown[0].start == 0
    assert item.shown[0].end == len(EN.text)
    assert Item.from_row(item.as_row()) == item


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"question": "Who?"}, "the question is too short to ask something"),
        ({"question": "Who did this " + "and then that " * 60 + "?"}, "the question is too long"),
        ({"question": "港口博物馆建成之前是谁收集了破旧的船锚？"}, "the question is in another language"),
        ({"question": "In the passage above, who collected broken anchors?"}, "the question points at a text"),
        ({"question": "According to this document, who collected anchors?"}, "the question points at a text"),
        ({"question": "Who do I thank for the broken anchors here?"}, "the question points at a text"),
        (
            {"question": f"Who is meant by: {' '.join(QUAY.split()[3:])} Say it."},
            "the question quotes a long stretch",
        ),
        ({"question": "Did the Fishermen of the northern quay collect broken anchors?"}, "the question names its"),
        ({"evidence": []}, "there is no evidence"),
        ({"evidence": [" "]}, "there is no evidence"),
        ({"evidence": [QUAY.replace("broken", "rusty")]}, "evidence is not in the document"),
        ({"evidence": ["crowns for"]}, "evidence stands in the document more than once"),
        ({"evidence": [f"anchor {number}" for number in range(30)]}, "there are too many passages"),
        ({"evidence": [COUNCIL]}, "the answer does not stand in the evidence"),
        ({"answer": QUAY}, "the answer is too long"),
        ({"answer": "Yes."}, "the answer is yes or no"),
    ],
)
def test_what_is_wrong_with_a_question_is_said(changes, reason):
    outcome = span(**changes)
    assert isinstance(outcome, str)
    assert outcome.startswith(reason)


def test_quotations_may_differ_in_white_space_and_words_in_quotes_are_not_the_askers_own():
    item = span(evidence=[QUAY.replace(" ", "\n")], question='Who collected anchors, in "we and this document"?')
    assert isinstance(item, Item)
    assert EN.slice(item.evidence[0].span) == QUAY


def test_evidence_must_stand_in_the_window():
    excerpt = excerpt_of(EN, Span(0, EN.text.index("## Plans")))
    assert evidence_of([COUNCIL], excerpt) == "evidence is not in the document"
    assert evidence_of([QUAY], excerpt) == [Span(EN.text.index(QUAY), EN.text.index(QUAY) + len(QUAY))]
    # Once in the window is enough: what else the document says is not shown.
    builder = DocumentBuilder()
    for number in (1, 2):
        builder.paragraph(f"Rent {number} is due when the harvest fair opens its gates to the villages.")
    document = builder.build(source="a.md", title="Rents")
    quote = "when the harvest fair opens"
    spans = [evidence_of([quote], excerpt_of(document, Span(0, end))) for end in (40, len(document.text))]
    assert spans[0] == [Span(document.text.index(quote), document.text.index(quote) + len(quote))]
    assert spans[1] == "evidence stands in the document more than once"


SEEN = {"evidence": [QUAY, COUNCIL], "question": "Which of these did the Harbour Museum begin with?"}
NUMBER = {
    "evidence": [COUNCIL],
    "question": "How many thousand crowns did the council grant the museum for repairs and roof together?",
    "operands": ["90", "45"],
    "expression": "90 + 45",
    "number": "135",
    "unit": "",
}
ROWS = {
    "evidence": ["| Quay | 41 | 520 |", "| Loft | 67 | 310 |"],
    "question": "What are the numbers of the first two rooms of the Harbour Museum?",
    "columns": ["Room", "Objects"],
    "rows": [["Quay", "41"], ["Loft", "67"]],
}
RANKED = {
    "evidence": ["| Quay | 41 | 520 |", "| Loft | 67 | 310 |", "| Hold | 29 | 480 |"],
    "question": "Which rooms of the Harbour Museum hold most objects, from most to fewest?",
    "ranked": [{"item": n, "value": v} for n, v in (("Loft", "67"), ("Quay", "41"), ("Hold", "29"))],
}
LISTED = {"evidence": [QUAY], "question": "Which two plural nouns with six letters or more does it use?"}
STEPS = {
    "evidence": [QUAY, COUNCIL, "Children particularly enjoy turning the capstan"],
    "question": "In which order does the account of the Harbour Museum speak of these?",
    "steps": ["collected broken anchors", "turning the capstan", "for repairs"],
}
SUMMARY = {
    "evidence": [QUAY],
    "question": "What is the history of the Harbour Museum, in two or three sentences?",
    "summary": "Families from the quay set up a house for relics of the sea after decades of gathering. Gifts came "
    "in, a flood was survived, and public money now pays for a better building, though people nearby want quiet.",
}


@pytest.mark.parametrize(
    ("capability", "written", "changes", "reason"),
    [
        ("T2", {**SEEN, "options": ["anchors", "a pavilion", "bees", "a roof"], "right": "A"}, {}, None),
        ("T2", {**SEEN, "options": ["a", "b", "c"], "right": "A"}, {}, "there are not four options"),
        ("T2", {**SEEN, "options": ["a", "b", "A.", "c"], "right": "A"}, {}, "two options read the same"),
        (
            "T2",
            {**SEEN, "options": ["anchors that had been gathered for decades by fishermen", "bees", "no", "art"]},
            {"right": "A"},
            "the right option is much longer",
        ),
        ("T3", {**LISTED, "items": ["Fishermen", "anchors"]}, {}, None),
        ("T3", {**LISTED, "items": ["anchors"]}, {}, "the answer has too few items"),
        ("T3", {**LISTED, "items": ["anchors", "Anchors"]}, {}, "two items read the same"),
        ("T3", {**LISTED, "items": ["anchors", "submarines"]}, {}, "an item of the answer does not stand in the doc"),
        ("T3", {**LISTED, "items": ["anchors", "portraits"]}, {}, "an item of the answer does not stand in the evi"),
        ("T3", {**LISTED, "items": ["anchors"] * 21}, {}, "the answer has too many items"),
        ("T4", NUMBER, {}, None),
        ("T4", NUMBER, {"number": "many"}, "the answer is not a number"),
        ("T4", NUMBER, {"number": "136"}, "the number is not the value"),
        ("T4", NUMBER, {"number": "0.7", "expression": "90 / (90 + 45)"}, None),
        ("T4", NUMBER, {"number": "0.66", "expression": "90 / (90 + 45)"}, "the number is not the value"),
        ("T4", NUMBER, {"operands": ["90", "44"]}, "an operand does not stand in the evidence"),
        ("T4", NUMBER, {"operands": ["90"]}, "the operands are not two numbers"),
        ("T4", NUMBER, {"expression": "ninety plus"}, "the expression cannot be worked out"),
        ("T4", NUMBER, {"question": "Did the council grant 135 thousand crowns?"}, "the question names its answer"),
        ("T5", ROWS, {}, None),
        ("T5", ROWS, {"columns": ["Room"], "rows": [["Quay"], ["Loft"]]}, "the answer has no two columns"),
        ("T5", ROWS, {"rows": [["Quay", "41"]]}, "the answer has too few items"),
        ("T5", ROWS, {"rows": [["Quay", "41"], ["Loft"]]}, "a row has more or fewer cells"),
        ("T5", ROWS, {"rows": [["Quay", "41"], ["Loft", "68"]]}, "a cell does not stand in the document"),
        ("T5", ROWS, {"rows": [["Quay", "41"], ["Hold", "29"]]}, "a cell does not stand in the evidence"),
        ("T5", ROWS, {"rows": [["Quay", "41"], ["Quay", "41"]]}, "two items read the same"),
        ("T6", {**LISTED, "matches": ["anchors", "12 families"]}, {}, None),
        ("T6", {**LISTED, "matches": ["anchors", "plural nouns"]}, {}, "an item of the answer does not stand"),
        ("T7", RANKED, {}, None),
        ("T7", RANKED, {"ranked": RANKED["ranked"][:2]}, "the answer has too few items"),
        ("T7", RANKED, {"ranked": [*RANKED["ranked"][1:], RANKED["ranked"][0]]}, "the ranking does not follow"),
        (
            "T7",
            RANKED,
            {"ranked": [*RANKED["ranked"][:2], {"item": "Hold", "value": "41.0"}]},
            "two items of the ranking have the same figure",
        ),
        ("T7", RANKED, {"ranked": [*RANKED["ranked"][:2], {"item": "Hold", "value": "few"}]}, "a figure of the rank"),
        ("T8", STEPS, {}, None),
        ("T8", STEPS, {"steps": STEPS["steps"][:2]}, "the answer has too few items"),
        ("T8", STEPS, {"question": "Does turning the capstan come first?"}, "the question names its answer"),
        ("T9", SUMMARY, {}, None),
        ("T9", SUMMARY, {"summary": "渔家建起一座博物馆，" * 8}, "the summary is in another language"),
        ("T9", SUMMARY, {"summary": "Things happened."}, "the summary is too short or too long"),
        ("T9", SUMMARY, {"summary": f"{QUAY} {COUNCIL}"}, "the summary copies the document"),
        ("T9", SUMMARY, {"summary": "and so on " * 80}, "the summary is hardly shorter"),
    ],
)
def test_each_capability_has_checks_of_its_own(capability, written, changes, reason):
    outcome = judged(capability, **{**written, **changes})
    if reason is None:
        assert isinstance(outcome, Item), outcome
    else:
        assert str(outcome).startswith(reason)


def test_what_the_form_of_an_answer_needs_is_said_in_the_question():
    number = judged("T4", **{**NUMBER, "unit": "marks"})
    assert number.question.endswith("together? Give the number in this unit: marks.")
    assert number.gold == ("135",)
    assert judged("T4", **{**NUMBER, "unit": "crowns"}).question == NUMBER["question"]
    rows = judged("T5", **ROWS)
    assert rows.question.endswith("Give these columns in this order: Room, Objects.")
    assert json.loads(rows.gold[0]) == {"data": [["Quay", "41"], ["Loft", "67"]]}
    steps = judged("T8", **STEPS)
    head, *listed = steps.question.split("\n- ")
    assert head == STEPS["question"]
    assert sorted(listed) == sorted(STEPS["steps"])
    assert steps.gold == tuple(STEPS["steps"])


def test_chinese_questions_are_judged_alike():
    asked = {"evidence": [SILVER], "question": "筹建青溪灯塔时，白银的两数与石料的车数之和是多少？", "unit": "",
             "operands": ["320", "45"], "expression": "320+45", "number": "365"}  # fmt: skip
    assert isinstance(judged("T4", ZH, **asked), Item)
    pointing = judged("T4", ZH, **{**asked, "question": "根据上文，白银与石料的数目之和是多少？"})
    assert isinstance(pointing, str)
    assert pointing.startswith("the question points")
    answer = {"evidence": [SILVER], "question": "青溪灯塔的石料由谁拨出？", "answer": "县衙", "aliases": []}
    assert isinstance(judged("T1", ZH, **answer), Item)
    long = judged("T1", ZH, **{**answer, "answer": SILVER})
    assert isinstance(long, str)
    assert long.startswith("the answer is too long")


def test_a_gold_answer_that_its_own_metric_cannot_read_is_refused():
    builder = DocumentBuilder()
    builder.paragraph("The riddle ends with the line [Answer] Eel, and nobody in the tavern laughed about it.")
    document = builder.build(source="a.md", title="Riddles")
    asked = {"evidence": [document.text], "question": "With which line does the tavern riddle end?", "aliases": []}
    assert isinstance(judged("T1", document, **asked, answer="Eel"), Item)
    refused = "the gold answer does not score 1: scores 0.0 under em (ok)"
    assert judged("T1", document, **asked, answer="[Answer] Eel") == refused
