"""Questions by a model: what is asked, how answers are read, and what is refused with which reason."""

import itertools
import json
from collections import Counter
from dataclasses import replace

import item_library
import jinja2
import llm_server
import pytest
import scripted_answers
import synthesis_texts
from scripted_calls import ScriptedCalls, cut, failed

from golongrl.core import chat
from golongrl.core.documents import DocumentBuilder, Span
from golongrl.core.errors import ConfigError
from golongrl.core.tasks import CAPABILITIES
from golongrl.core.tokens import ApproxTokenizer
from golongrl.pipeline.dataset.assign import assign
from golongrl.pipeline.dataset.calls import open_calls
from golongrl.pipeline.dataset.items import Item, excerpt_of
from golongrl.pipeline.dataset.settings import BuildConfig
from golongrl.pipeline.dataset.synthesis import schemas
from golongrl.pipeline.dataset.synthesis.judge import item_of
from golongrl.pipeline.dataset.synthesis.plan import Ask, plan, window_budget
from golongrl.pipeline.dataset.synthesis.prompting import PROMPTS, fields, messages
from golongrl.pipeline.dataset.synthesis.question_types import POSITIONS, TYPES, fitting
from golongrl.pipeline.dataset.synthesis.read_answer import Malformed, last_object, read_questions
from golongrl.pipeline.dataset.synthesis.synthesize import MALFORMED, NEAR, NEAR_THERE, synthesize

ALL = tuple(CAPABILITIES)


def config(**more):
    model = {"base_url": "http://127.0.0.1:1/v1", "model": "teacher"}
    settings = {
        "sources": ("docs",),
        "generator": "llm",
        "models": {"generator": model},
        "length_bins": (1024, 4096),
        "synthesis": {"oversample": 1.0},
    }
    return BuildConfig.model_validate({**settings, **more})


def shop(folder, documents=None, held_out=(), **more):
    """(library, config, assignment) of some documents."""
    library, _ = item_library.library(folder, documents or synthesis_texts.documents(), held_out)
    settings = config(**more)
    return library, settings, assign(library.entries, settings.wanted)


def cells(count, labels=("1k", "4k"), capabilities=ALL, held_out=False):
    return {(held_out, capability, label): count for capability in capabilities for label in labels}


def scripted(call):
    return scripted_answers.answer(call.messages, call.schema, "teacher", call.seed)


def ask_of(excerpt, capability="T1"):
    block = excerpt.blocks
    window = Span(block[0].span.start, block[-1].span.end)
    kind = TYPES[capability][0]
    return Ask(0, window, (False, capability, "1k"), excerpt.language, kind, "start", "generator", 7, 1)


# Plan


def test_the_plan_has_the_calls_wanted_per_cell_and_keeps_sides_and_languages_apart(tmp_path):
    library, settings, assignment = shop(tmp_path, held_out=(1, 3), synthesis={"oversample": 1.5})
    wanted = cells(4) | cells(2, held_out=True)
    asks = plan(library, settings, assignment, wanted)
    assert Counter(ask.cell for ask in asks) == {cell: 6 if not cell[0] else 3 for cell in wanted}
    assert {ask.document for ask in asks if ask.cell[0]} == {1, 3}
    assert {ask.document for ask in asks if not ask.cell[0]} == {0, 2}
    # Two documents a side, one of each language.
    spoken = Counter((ask.cell, ask.language) for ask in asks)
    assert all(spoken[cell, "en"] - spoken[cell, "zh"] in (0, 1) for cell in wanted)
    assert asks == plan(library, settings, assignment, wanted)
    assert asks != plan(library, settings.model_copy(update={"seed": 1}), assignment, wanted)


def test_questions_per_call_make_fewer_calls(tmp_path):
    library, settings, assignment = shop(tmp_path, synthesis={"oversample": 1.0, "questions_per_call": 3})
    asks = plan(library, settings, assignment, cells(7, ("4k",), ("T2",)))
    assert [ask.count for ask in asks] == [3, 3, 3]


def test_the_order_of_the_sources_changes_nothing(tmp_path):
    documents = synthesis_texts.documents()
    found = []
    for order in ([0, 1, 2, 3], [2, 0, 3, 1]):
        folder = tmp_path / str(order[0])
        folder.mkdir()
        library, settings, assignment = shop(folder, [documents[place] for place in order])
        asks = plan(library, settings, assignment, cells(3))
        found.append([replace(ask, document=0) for ask in asks])
        sources = [library.entries[ask.document].source for ask in asks]
        found[-1] = list(zip(sources, found[-1], strict=True))
    assert found[0] == found[1]


def test_calls_about_one_window_follow_each_other_and_begin_with_the_same_text(tmp_path):
    library, settings, assignment = shop(tmp_path)
    calls = ScriptedCalls(scripted)
    synthesize(library, settings, assignment, cells(2, ("4k",)), calls)
    first = calls.asked[: len(plan(library, settings, assignment, cells(2, ("4k",))))]
    runs = [(prefix, list(group)) for prefix, group in itertools.groupby(first, key=lambda call: call.prefix)]
    assert len(runs) == len({prefix for prefix, _ in runs})
    assert max(len(group) for _, group in runs) == len(ALL)
    for _, group in runs:
        texts = [call.messages[0]["content"] for call in group]
        heads = {text[: text.index("</document>")] for text in texts}
        assert len(heads) == 1
        assert len(set(texts)) == len(texts)


def test_windows_of_one_document_do_not_overlap_while_others_are_left(tmp_path):
    builder = DocumentBuilder()
    for number in range(400):
        builder.paragraph(
            f"Entry {number} of the register names a farm, its {number + 3} fields and their yearly rent."
        )
    library, settings, assignment = shop(tmp_path, [builder.build(source="long.md", title="Register")])
    asks = plan(library, settings, assignment, cells(5, ("1k",), ("T1", "T2")))
    windows = sorted({ask.window for ask in asks}, key=lambda span: span.start)
    assert len(windows) == 5
    assert all(one.end <= other.start for one, other in itertools.pairwise(windows))


def test_windows_fit_the_bin_and_the_model(tmp_path):
    builder = DocumentBuilder()
    for number in range(900):
        builder.paragraph(
            f"Entry {number} of the register names a farm, its {number + 3} fields and their yearly rent."
        )
    document = builder.build(source="long.md", title="Register")
    library, settings, assignment = shop(tmp_path, [document], length_bins=(1024, 8192))
    for ask in plan(library, settings, assignment, cells(2, ("1k", "8k"), ("T1",))):
        size = ApproxTokenizer().count(document.slice(ask.window))
        upper = {"1k": 1024, "8k": 8192}[ask.cell[2]]
        assert 0.4 * upper < size <= 0.75 * (upper - settings.template_tokens)


def test_a_model_too_short_for_any_document_is_an_error():
    short = config(models={"generator": {"base_url": "http://x/v1", "model": "m", "max_model_len": 4096}})
    from golongrl.pipeline.dataset.request import bins

    with pytest.raises(ConfigError, match="raise max_model_len or lower max_tokens"):
        window_budget(bins((8192,))[0], 40, "generator", short.models["generator"])
    model = short.models["generator"].model_copy(update={"max_model_len": 8000, "max_tokens": 1000})
    assert window_budget(bins((8192,))[0], 40, "generator", model) == 7200 - 1000 - 1200
    assert window_budget(bins((4096,))[0], 40, "generator", model) == 3042


def test_types_and_positions_take_turns(tmp_path):
    library, settings, assignment = shop(tmp_path)
    asks = [ask for ask in plan(library, settings, assignment, cells(24, ("4k",), ("T2",))) if ask.language == "en"]
    styles = Counter((ask.kind.name, ask.position) for ask in asks)
    assert len(asks) == 12
    assert set(styles.values()) == {1}


def test_types_are_asked_only_of_windows_that_hold_what_they_need():
    builder = DocumentBuilder()
    builder.paragraph("The ferry leaves the northern pier when the lanterns of the custom house are lit.")
    document = builder.build(source="a.md", title="Ferry")
    excerpt = excerpt_of(document, Span(0, len(document.text)))
    assert [kind.name for kind in fitting("T1", excerpt)] == ["name", "detail"]
    assert fitting("T4", excerpt) == fitting("T5", excerpt) == []
    tabled = synthesis_texts.documents()[0]
    assert fitting("T5", excerpt_of(tabled, Span(0, len(tabled.text)))) == list(TYPES["T5"])


def test_each_bin_may_have_a_model_of_its_own(tmp_path):
    models = {name: {"base_url": "http://x/v1", "model": name.upper()} for name in ("generator", "long")}
    synthesis = {"oversample": 1.0, "per_bin": {"4k": "long"}}
    library, settings, assignment = shop(tmp_path, models=models, synthesis=synthesis)
    result = synthesize(library, settings, assignment, cells(3), ScriptedCalls(scripted))
    assert {ask.model for ask in plan(library, settings, assignment, cells(3, ("4k",)))} == {"long"}
    assert set(result.facts["models"]) == {"GENERATOR", "LONG"}
    assert any(item.source.endswith(" (LONG)") for item in result.items)


# Prompts and schemas


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("capability", ALL)
def test_every_prompt_renders_with_the_document_first_and_names_the_keys_of_its_schema(capability, language):
    document = next(one for one in synthesis_texts.documents() if one.language == language)
    excerpt = excerpt_of(document, Span(0, len(document.text)))
    inner = schemas.answer_schema(capability)["properties"]["questions"]["items"]
    told = [name for name, _ in fields(capability, language)]
    assert told == list(inner["properties"]) == inner["required"]
    assert told[:2] == ["evidence", "question"]
    assert inner["additionalProperties"] is False
    for kind, position in itertools.product(TYPES[capability], POSITIONS):
        [message] = messages(excerpt, capability, kind, position, 2)
        text = message["content"]
        task = text.partition("</document>")[2]
        assert excerpt.text in text
        assert text.index(excerpt.text) < 120
        assert kind.wording(language) in task
        assert "{" + '"questions": [...]' + "}" in task
        assert all(f'"{name}"' in task for name in told)
        assert scripted_answers.count_of(text) == 2


def test_every_template_belongs_to_a_capability_or_is_included():
    names = {path.name for path in PROMPTS.glob("*.jinja")}
    parts = {f"{part}.{language}.jinja" for part in ("document", "closing", "repair") for language in ("en", "zh")}
    assert names == parts | {f"{name}.{language}.jinja" for name in ALL for language in ("en", "zh")}


def test_documents_are_not_escaped_and_templates_do_not_render_with_a_gap(monkeypatch):
    builder = DocumentBuilder()
    builder.paragraph('Salt & pepper <b>stay</b> as "they" are, and {{ so }} do braces in every prompt.')
    document = builder.build(source="a.md", title="A & B")
    excerpt = excerpt_of(document, Span(0, len(document.text)))
    [message] = messages(excerpt, "T1", TYPES["T1"][0], "end", 1)
    assert document.text in message["content"]
    assert "Title: A & B" in message["content"]
    from golongrl.pipeline.dataset.synthesis import prompting

    with pytest.raises(jinja2.UndefinedError):
        prompting._environment().get_template("closing.en.jinja").render(kind="x")


# Reading


def said(text, finish="stop"):
    return chat.Generation(key="k", text=text, finish_reason=finish)


GOOD = {"evidence": ["a b"], "question": "Which?", "answer": "b", "aliases": []}


def test_the_last_object_after_the_thinking_counts():
    other = json.dumps({"questions": [{**GOOD, "answer": "first"}]})
    reply = f"<think>{other}</think>Here: {other} or rather\n```json\n{json.dumps({'questions': [GOOD, GOOD]})}\n```"
    [one] = read_questions(said(reply), "T1", 1, "optional")
    assert one == schemas.Span(**GOOD)
    assert len(read_questions(said(reply), "T1", 8, "required")) == 2
    assert last_object("{not json} and {") is None


@pytest.mark.parametrize(
    ("reply", "think", "reason"),
    [
        (said("No."), "optional", "no JSON object"),
        (said('{"questions": []}'), "optional", 'no "questions" list'),
        (said("<think>" + json.dumps({"questions": [GOOD]})), "optional", "thinking does not end"),
        (said(json.dumps({"questions": [GOOD]})), "required", "thinking does not end"),
        (said(json.dumps({"questions": [GOOD]}), "length"), "optional", "token limit"),
        (said(json.dumps({"questions": [{**GOOD, "more": 1}]})), "optional", "more: Extra inputs"),
        (said(json.dumps({"questions": [{"evidence": [], "question": "x"}]})), "optional", "answer: Field required"),
    ],
)
def test_malformed_answers_say_what_is_wrong(reply, think, reason):
    with pytest.raises(Malformed, match=reason):
        read_questions(reply, "T1", 1, think)


# Judging

EN = synthesis_texts.documents()[0]
ZH = synthesis_texts.documents()[2]
QUAY = synthesis_texts.TEXTS[EN.title]["Origins"][0]
COUNCIL = synthesis_texts.TEXTS[EN.title]["Plans"][1]
SILVER = synthesis_texts.TEXTS[ZH.title]["缘起"][1]


def judged(capability, document=EN, **written):
    """The item of a question as a model writes it, or the reason against it."""
    excerpt = excerpt_of(document, Span(0, len(document.text)))
    entry = item_library.Entry(
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
    from golongrl.pipeline.dataset.synthesis.judge import evidence_of

    assert evidence_of([COUNCIL], excerpt) == "evidence is not in the document"
    assert evidence_of([QUAY], excerpt) == [Span(EN.text.index(QUAY), EN.text.index(QUAY) + len(QUAY))]
    # Once in the window is enough: what else the document says is not shown.
    assert isinstance(evidence_of(["ledger"], excerpt_of(EN, Span(0, 60))), str)


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


# The whole phase


def test_every_capability_gives_items_in_both_languages(tmp_path):
    library, settings, assignment = shop(tmp_path)
    result = synthesize(library, settings, assignment, cells(8), ScriptedCalls(scripted))
    assert {(item.capability, item.language) for item in result.items} == set(itertools.product(ALL, ("en", "zh")))
    assert result.facts["items"] == len(result.items) == sum(result.facts["types"].values())
    assert sum(result.facts["rejected"].values()) == len(result.rejects)
    # One question a call: every call came to an item or to a reject.
    assert len(result.items) + len(result.rejects) == result.facts["asked"] - result.facts["malformed"] == 144
    assert set(result.facts["positions"]) == set(POSITIONS)
    assert result.facts["capabilities"]["T1"]["asked"] == 16
    reasons = {reject.reason for reject in result.rejects}
    assert {MALFORMED, NEAR_THERE, "evidence is not in the document", "the question names its answer"} <= reasons
    assert all(reject.bin in ("1k", "4k") and reject.form.startswith("llm:T") for reject in result.rejects)
    again = synthesize(library, settings, assignment, cells(8), ScriptedCalls(scripted))
    assert (again.items, again.rejects, again.facts) == (result.items, result.rejects, result.facts)


def test_a_malformed_answer_is_asked_once_more_with_what_is_wrong_and_then_rejected(tmp_path):
    library, settings, assignment = shop(tmp_path, synthesis_texts.documents()[:2])
    whole = json.dumps({"questions": [{**GOOD, "question": "Who?"}]})

    def script(call):
        if len(call.messages) == 1:
            return cut("cut off") if call.seed % 2 else "no JSON"
        return whole if call.seed % 2 else "still none"

    calls = ScriptedCalls(script)
    result = synthesize(library, settings, assignment, cells(6, ("4k",), ("T1",)), calls)
    repairs = [call for call in calls.asked if len(call.messages) == 3]
    assert len(calls.asked) == 12
    assert len(repairs) == result.facts["malformed"] == 6
    for first, again in zip(calls.asked, repairs, strict=False):
        assert again.messages[0] == first.messages[0]
        assert again.seed != first.seed
        assert again.prefix == first.prefix
        assert again.schema == first.schema
        reply, problem = ("cut off", "token limit") if first.seed % 2 else ("no JSON", "no JSON object")
        assert again.messages[1] == {"role": "assistant", "content": reply}
        assert problem in again.messages[2]["content"]
    mended = sum(call.seed % 2 for call in repairs)
    assert 0 < mended < 6
    assert result.facts["repaired"] == mended
    assert result.facts["rejected"] == {MALFORMED: 6 - mended, "the question is too short to ask something": mended}


def test_calls_without_an_answer_are_rejected_with_their_reason(tmp_path):
    library, settings, assignment = shop(tmp_path)
    kinds = iter(["overlong", "refused"])
    made = {}

    def script(call):
        return made.setdefault(call.seed, failed(next(kinds)) if len(made) < 2 else failed("overlong"))

    result = synthesize(library, settings, assignment, cells(2, ("4k",), ("T1",)), ScriptedCalls(script))
    assert Counter(reject.reason for reject in result.rejects) == {
        "the prompt is longer than the model": 1,
        "the server refuses the prompt": 1,
    }
    assert result.items == []
    assert result.facts["asked"] == 2
    assert result.facts["malformed"] == 0


def test_near_copies_are_refused_within_a_document_and_over_all(tmp_path):
    documents = synthesis_texts.documents()[:2]
    library, settings, assignment = shop(tmp_path, documents)
    sure = {documents[0].title: (QUAY, "Fishermen"), documents[1].title: ("Beginners usually purchase", "Beginners")}

    def script(call):
        quote, name = next(pair for title, pair in sure.items() if f"Title: {title}\n" in call.messages[0]["content"])
        question = "Who is named at the very start of everything that is told here about the old trade by the sea?"
        written = {"evidence": [quote], "question": question, "answer": name, "aliases": []}
        return json.dumps({"questions": [written]})

    result = synthesize(library, settings, assignment, cells(4, ("4k",), ("T1",)), ScriptedCalls(script))
    assert Counter(reject.reason for reject in result.rejects) == {NEAR_THERE: 2, NEAR: 1}
    assert len(result.items) == 1


def test_the_folder_of_a_model_is_not_told(tmp_path):
    models = {"generator": {"base_url": "http://x/v1", "model": "/home/someone/models/teacher-7b/"}}
    library, settings, assignment = shop(tmp_path, models=models)
    result = synthesize(library, settings, assignment, cells(2, ("4k",), ("T1", "T6")), ScriptedCalls(scripted))
    assert set(result.facts["models"]) == {"teacher-7b"}
    assert not any("someone" in one.source for one in (*result.items, *result.rejects))


def test_a_faulty_server_changes_nothing_and_nothing_is_asked_twice(tmp_path):
    library, settings, assignment = shop(tmp_path)
    plain = synthesize(library, settings, assignment, cells(1), ScriptedCalls(scripted))
    script = ("--script", scripted_answers.__file__, "--models", "teacher")
    with llm_server.start(*script, "--probability", 0.3, "--faults", "429,500,cut,nonsense") as server:
        models = {"generator": {"base_url": server.base_url, "model": "teacher", "timeout": 20}}
        settings = config(models=models)
        with open_calls(tmp_path, settings.models, max_cost=None, tokenizer=ApproxTokenizer()) as calls:
            first = synthesize(library, settings, assignment, cells(1), calls)
        stats = server.stats()
        with open_calls(tmp_path, settings.models, max_cost=None, tokenizer=ApproxTokenizer()) as calls:
            second = synthesize(library, settings, assignment, cells(1), calls)
        assert server.stats()["requests"] == stats["requests"]
    assert stats["faults"]
    assert max(stats["answered"].values()) <= 2
    assert first.items == second.items == plain.items
    assert first.rejects == plain.rejects
    assert first.facts == second.facts == plain.facts


# The scripted model


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("capability", ALL)
def test_the_scripted_model_answers_its_own_questions_from_the_documents_alone(tmp_path, capability, language):
    from golongrl.pipeline.dataset.construct.form import lettered
    from golongrl.pipeline.dataset.context import INSTRUCTIONS
    from golongrl.rewards import score_response

    library, settings, assignment = shop(tmp_path)
    result = synthesize(library, settings, assignment, cells(24, ("4k",), (capability,)), ScriptedCalls(scripted))
    metric = CAPABILITIES[capability].metric
    values = []
    for item in result.items:
        if item.language != language:
            continue
        text = next(one.text for one in synthesis_texts.documents() if one.sha256 == item.shown[0].doc)
        question = f"{item.question}\n{lettered(item.options)}" if item.options else item.question
        label = "问题：" if language == "zh" else "Question: "
        tail = f"{label}{question}\n\n{INSTRUCTIONS[metric][language]}"
        single = metric in ("em", "choice", "math", "iou")
        record = {
            "data_source": CAPABILITIES[capability].data_source,
            "prompt": [{"role": "user", "content": "-"}],
            "reward_model": {
                "ground_truth": {
                    "golden_label": item.gold[0] if single else "",
                    "doc_ids": list(item.gold[1:] if single else item.gold),
                }
            },
            "extra_info": {"metric": metric, "language": language, "question": item.question},
        }
        reply = scripted_answers.answer([{"role": "user", "content": f"Read.\n\n{text}\n\n{tail}"}], None, "m", 1)
        values.append(score_response(record, reply).value)
        blind = scripted_answers.answer([{"role": "user", "content": f"Answer.\n\n{tail}"}], None, "m", 1)
        if " plus " not in question and "加" not in question:
            assert blind.endswith(scripted_answers.UNKNOWN)
        weak = [
            scripted_answers.answer([{"role": "user", "content": f"Read.\n\n{text}\n\n{tail}"}], None, "weak-50", n)
            for n in range(40)
        ]
        assert 5 < sum(one.endswith(scripted_answers.UNKNOWN) for one in weak) < 35 or values[-1] != 1
    # Some golds are wrong on purpose.
    assert values
    assert sum(value == 1 for value in values) >= 0.5 * len(values)
