"""Questions by a model: what is asked, how answers are read, and what is refused with which reason."""

import itertools
import json
from collections import Counter
from dataclasses import replace

import jinja2
import llm_server
import pytest
import scripted_answers
import synthesis_texts
from scripted_calls import ScriptedCalls, cut, failed
from synthesis_texts import ALL, cells, config, scripted, shop

from golongrl.core import chat
from golongrl.core.documents import DocumentBuilder, Span
from golongrl.core.errors import ConfigError
from golongrl.core.tokens import ApproxTokenizer
from golongrl.pipeline.dataset.calls import open_calls
from golongrl.pipeline.dataset.questions.items import excerpt_of
from golongrl.pipeline.dataset.request import bins
from golongrl.pipeline.dataset.synthesis import prompting, schemas
from golongrl.pipeline.dataset.synthesis.plan import REPEATS, plan, window_budget
from golongrl.pipeline.dataset.synthesis.prompting import PROMPTS, fields, messages
from golongrl.pipeline.dataset.synthesis.question_types import POSITIONS, TYPES, fitting
from golongrl.pipeline.dataset.synthesis.read_answer import Malformed, last_object, read_questions
from golongrl.pipeline.dataset.synthesis.synthesize import MALFORMED, NEAR, NEAR_THERE, synthesize

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

    def head(call):
        text = call.messages[0]["content"]
        return text[: text.index("</document>")]

    runs = [(window, list(group)) for window, group in itertools.groupby(first, key=head)]
    assert len(runs) == len({window for window, _ in runs})
    assert max(len(group) for _, group in runs) == len(ALL)
    for _, group in runs:
        texts = [call.messages[0]["content"] for call in group]
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


def test_a_document_that_was_used_up_waits_until_the_others_are(tmp_path):
    long = DocumentBuilder()
    for number in range(400):
        long.paragraph(f"Entry {number} of the register names a farm, its {number + 3} fields and their yearly rent.")
    short = DocumentBuilder()
    short.paragraph("A leaflet about the register says that the clerk reads every entry aloud at the harvest fair.")
    short.paragraph("Farmers who live beyond the river send their sons, since the ferry does not wait for anybody.")
    shown = [long.build(source="long.md", title="Register"), short.build(source="short.md", title="Leaflet")]
    library, settings, _ = shop(tmp_path, shown)
    everything = {"T1": {0: [], 1: []}}
    asks = plan(library, settings, everything, cells(5, ("1k",), ("T1",)))
    assert Counter(ask.document for ask in asks) == {0: 4, 1: 1}
    many = plan(library, settings, everything, cells(100, ("1k",), ("T1",)))
    # Each once whole or in parts, then again as often as a document may be asked that holds nothing new.
    assert Counter(ask.document for ask in many)[1] == 1 + REPEATS


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


def test_documents_are_not_escaped_and_templates_do_not_render_with_a_gap():
    builder = DocumentBuilder()
    builder.paragraph('Salt & pepper <b>stay</b> as "they" are, and {{ so }} do braces in every prompt.')
    document = builder.build(source="a.md", title="A & B")
    excerpt = excerpt_of(document, Span(0, len(document.text)))
    [message] = messages(excerpt, "T1", TYPES["T1"][0], "end", 1)
    assert document.text in message["content"]
    assert "Title: A & B" in message["content"]
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
        assert again.schema == first.schema
        reply, problem = ("cut off", "token limit") if first.seed % 2 else ("no JSON", "no JSON object")
        assert again.messages[1] == {"role": "assistant", "content": reply}
        assert problem in again.messages[2]["content"]
    mended = sum(call.seed % 2 for call in repairs)
    assert 0 < mended < 6
    assert result.facts["repaired"] == mended
    assert result.facts["rejected"] == {MALFORMED: 6 - mended, "the question is too short to ask something": mended}


def test_questions_that_a_second_call_put_right_stand_in_the_order_of_the_plan(tmp_path, monkeypatch):
    monkeypatch.setattr(scripted_answers, "FAULT_PERIOD", 10**12)
    library, settings, assignment = shop(tmp_path)
    plain = synthesize(library, settings, assignment, cells(4, ("4k",)), ScriptedCalls(scripted))
    first = {}

    def script(call):
        asked = call.messages[0]["content"]
        if len(call.messages) > 1:
            return scripted_answers.answer(call.messages[:1], call.schema, "teacher", first[asked])
        first[asked] = call.seed
        return "no JSON" if call.seed % 2 else scripted(call)

    mended = synthesize(library, settings, assignment, cells(4, ("4k",)), ScriptedCalls(script))
    assert mended.facts["repaired"] > 5
    assert mended.items == plain.items


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


def test_a_repair_that_gets_no_answer_repairs_nothing(tmp_path):
    library, settings, assignment = shop(tmp_path)
    calls = ScriptedCalls(lambda call: "no JSON" if len(call.messages) == 1 else failed("overlong"))
    result = synthesize(library, settings, assignment, cells(3, ("4k",), ("T1",)), calls)
    assert (result.facts["malformed"], result.facts["repaired"]) == (3, 0)
    assert result.facts["rejected"] == {"the prompt is longer than the model": 3}


def test_near_copies_are_refused_within_a_document_and_over_all(tmp_path):
    documents = synthesis_texts.documents()[:2]
    library, settings, assignment = shop(tmp_path, documents)
    quotes = ("Fishermen of the northern quay", "Fishermen"), ("Beginners usually purchase", "Beginners")
    sure = {document.title: pair for document, pair in zip(documents, quotes, strict=True)}

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
