"""T5 forms: rows of tables, joins, outlines, speakers; hand-computed tables, ambiguity, both languages."""

import json
import random
import re

import pytest

from golongrl.core import tasks
from golongrl.core.documents import DocumentBuilder
from golongrl.core.records import Record
from golongrl.pipeline.dataset import view
from golongrl.pipeline.dataset.construct import extraction, outline
from golongrl.pipeline.dataset.construct.form import Candidate, Scene, Unfit
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.rewards import gold_response, score_response


def built(builder, title):
    document = builder.build(source=f"{title}.md", title=title)
    return Excerpt(document, document.blocks)


def table(title, names, rows, text="This is what the clerks wrote down in the spring."):
    builder = DocumentBuilder()
    builder.paragraph(text)
    builder.table(names, rows)
    return built(builder, title)


def rendered(*excerpts):
    marks = (f"【文档{i}】" if e.language == "zh" else f"[Document {i}] " for i, e in enumerate(excerpts, 1))
    return view.read("\n\n".join(f"{m}{e.document.title}\n{e.text}" for m, e in zip(marks, excerpts, strict=True)))


def record(candidate):
    capability = tasks.CAPABILITIES["T5"]
    return Record.model_validate(
        {
            "data_source": capability.data_source,
            "prompt": [{"role": "user", "content": candidate.question}],
            "reward_model": {"ground_truth": {"golden_label": candidate.gold[0]}},
            "extra_info": {"metric": "iou"},
        }
    )


def every(form, *excerpts, tries=30):
    """All candidates of a form, each checked: brute force, evidence, size, and the real reward."""
    found = [form(Scene(excerpts, seed, random.Random(seed))) for seed in range(tries)]
    candidates = [candidate for candidate in found if isinstance(candidate, Candidate)]
    for candidate in candidates:
        assert candidate.solve(rendered(*excerpts)) == list(candidate.gold)
        texts = [excerpts[place.excerpt].document.slice(place.span) for place in candidate.evidence]
        assert all(any(proof.lower() in text.lower() for text in texts) for proof in candidate.proof)
        assert 2 <= len(rows_of(candidate)) <= 12
        assert score_response(record(candidate), gold_response(record(candidate))).value == 1.0
    return candidates


def rows_of(candidate):
    return [tuple(row) for row in json.loads(candidate.gold[0])["data"]]


NAMES = ["Shop", "Region", "Staff", "Sales"]
SHOPS = [
    ["Aston", "North", "12", "1,500"],
    ["Barrow", "South", "40", "2,750"],
    ["Corby", "North", "31", "900"],
    ["Dover", "South", "55", "4,000"],
    ["Exeter", "South", "29", "1,250"],
    ["Fowey", "East", "8", "600"],
]
SHOP_TABLE = table("Shops", NAMES, SHOPS)


def test_rows_that_meet_a_condition():
    templates = set()
    for candidate in every(extraction.table_rows, SHOP_TABLE):
        templates.add(candidate.template)
        if region := re.search(r'"Region" is "(\w+)"', candidate.question):
            kept = [row for row in SHOPS if row[1] == region[1]]
        else:
            name, relation, bound = re.search(
                r'"(Staff|Sales)" is (\w+) than ([\d,]+\d)', candidate.question
            ).groups()
            index, limit = NAMES.index(name), int(bound.replace(",", ""))
            numbers = [(int(row[index].replace(",", "")), row) for row in SHOPS]
            kept = [row for number, row in numbers if (number > limit if relation == "greater" else number < limit)]
        listed = re.search(r'(?:order: |order, |columns )((?:"\w+"(?:, )?)+)', candidate.question)[1]
        columns = [NAMES.index(name) for name in re.findall(r'"(\w+)"', listed)]
        assert rows_of(candidate) == [tuple(row[index] for index in columns) for row in kept]
    assert len(templates) == 3


def test_rows_count_by_their_typed_cells_in_any_order():
    candidate = every(extraction.table_rows, SHOP_TABLE)[0]
    rows = [[cell.replace(",", "") for cell in row] for row in rows_of(candidate)]
    answer = json.dumps({"data": rows[::-1]})
    assert score_response(record(candidate), f"<answer>{answer}</answer>").value == 1.0
    assert score_response(record(candidate), f'<answer>{{"data": {json.dumps(rows[1:])}}}</answer>').value < 1


def test_rows_with_empty_cells_or_twice_the_same_are_left_out():
    empty = [[*row[:3], "—"] for row in SHOPS]
    for candidate in every(extraction.table_rows, table("Shops", NAMES, empty)):
        assert '"Sales"' not in candidate.question
    twice = [["x", "North", "5", "7"]] * 6
    assert isinstance(extraction.table_rows(Scene((table("Shops", NAMES, twice),), 0, random.Random(0))), Unfit)


CITIES = ["Bern", "Graz", "Linz", "Lyon", "Nice"]
RAIN = table("Rain", ["City", "Days", "Depth"], [[city, str(90 + n), f"{n},500"] for n, city in enumerate(CITIES)])
MAYORS = table("Mayors", ["City", "Mayor"], [[city, f"Mayor of {city}"] for city in ("Lyon", "Bonn", "Graz", "Nice")])
JOINED = {"Graz": ("91", "1,500"), "Lyon": ("93", "3,500"), "Nice": ("94", "4,500")}


def test_two_documents_are_joined_on_the_column_they_share():
    for candidate in every(extraction.tables_joined, RAIN, MAYORS):
        values = {key: pair['"Depth"' in candidate.question] for key, pair in JOINED.items()}
        assert rows_of(candidate) == [(key, value, f"Mayor of {key}") for key, value in values.items()]
        assert {place.excerpt for place in candidate.evidence} == {0, 1}
    for candidate in every(extraction.tables_joined, MAYORS, RAIN):
        assert [row[0] for row in rows_of(candidate)] == ["Lyon", "Graz", "Nice"]


def test_two_tables_of_one_document_are_joined():
    builder = DocumentBuilder()
    builder.table(["City", "Days"], [[city, str(90 + n)] for n, city in enumerate(CITIES)])
    builder.paragraph("The mayors of these towns are listed below.")
    builder.table(["City", "Mayor"], [[city, f"Mayor of {city}"] for city in ("Lyon", "Bonn", "Graz")])
    shown = built(builder, "Towns")
    rows = {tuple(sorted(rows_of(candidate))) for candidate in every(extraction.tables_joined, shown)}
    assert {("Graz", "91", "Mayor of Graz"), ("Lyon", "93", "Mayor of Lyon")} in map(set, rows)


def test_keys_that_differ_in_case_or_repeat_are_not_joined():
    lower = table("Mayors", ["City", "Mayor"], [["lyon", "a b"], ["Graz", "c d"], ["Nice", "e f"]])
    twice = table("Mayors", ["City", "Mayor"], [["Lyon", "a b"], ["Lyon", "c d"], ["Nice", "e f"]])
    for other in (lower, twice):
        assert isinstance(extraction.tables_joined(Scene((RAIN, other), 0, random.Random(0))), Unfit)


def test_a_column_of_both_tables_is_not_asked_for():
    other = table("Sun", ["City", "Days"], [[city, str(200 + n)] for n, city in enumerate(CITIES)])
    assert isinstance(extraction.tables_joined(Scene((RAIN, other), 0, random.Random(0))), Unfit)


def test_chinese_tables():
    rows = [["河北", "华北", "3,500"], ["山西", "华北", "1,200"], ["四川", "西南", "2,800"], ["云南", "西南", "900"]]
    shown = table("产量", ["省份", "地区", "产量"], rows, "下表列出各省的粮食产量。")
    found = {(candidate.question, candidate.gold[0]) for candidate in every(extraction.table_rows, shown)}
    assert any("“地区”为“华北”" in question and "河北" in gold for question, gold in found)
    areas = table("面积", ["省份", "面积"], [["四川", "486"], ["云南", "394"], ["湖南", "211"]], "下表列出面积。")
    joined = every(extraction.tables_joined, shown, areas)
    assert {row[0] for candidate in joined for row in rows_of(candidate)} == {"四川", "云南"}


HEADINGS = ["Feeding the goats", "Gates of the park", "Lost umbrellas", "Opening hours", "Where dogs wait"]


def handbook():
    """Sections of 1, 2, 3, 4, 5 paragraphs; section n says "goat" n times in all, "umbrella" in the last three."""
    builder = DocumentBuilder()
    for n, name in enumerate(HEADINGS, 1):
        builder.heading(name, 2)
        for k in range(n):
            more = " The umbrella is wet." * (k < n - 2)
            builder.paragraph(f"Item {'abcde'[n - 1]}{k} says something and the goat stands beside the gate.{more}")
        builder.item("a list item is no paragraph", n)
    return built(builder, "Handbook")


def test_outline_of_a_document():
    for candidate in every(outline.outline_rows, handbook()):
        rows = rows_of(candidate)
        first = HEADINGS.index(rows[0][0])
        assert rows == [(HEADINGS[n], n + 1) for n in range(first, first + len(rows))]
        assert f'from "{rows[0][0]}" to "{rows[-1][0]}"' in candidate.question


def test_an_outline_that_can_be_guessed_is_not_asked_for():
    numbered, alike = DocumentBuilder(), DocumentBuilder()
    for n in range(8):
        numbered.heading(f"Chapter {n + 1}", 2)
        alike.heading(f"About the {'abcdefgh'[n]} gate of the park", 2)
        for _ in range(n % 3 + 1):
            numbered.paragraph("Something is said here.")
        alike.paragraph("Something is said here.")
    for builder in (numbered, alike):
        assert isinstance(outline.outline_rows(Scene((built(builder, "x"),), 0, random.Random(0))), Unfit)


def test_a_heading_that_stands_twice_leaves_the_outline_open():
    candidate = every(outline.outline_rows, handbook())[0]
    builder = DocumentBuilder()
    for name in (*HEADINGS, *HEADINGS):
        builder.heading(name, 2)
        builder.paragraph("Something is said here.")
    with pytest.raises(LookupError):
        candidate.solve(rendered(built(builder, "Handbook")))


def test_headings_with_the_count_of_a_word():
    expected = {
        "umbrella": [("Lost umbrellas", 1), ("Opening hours", 2), ("Where dogs wait", 3)],
    }
    # "Lost umbrellas" holds "umbrella" within a longer word, so only other words are asked for.
    builder = DocumentBuilder()
    for n in range(6):
        builder.heading(f"Notes about gate {'abcdef'[n]}", 2)
        builder.paragraph("Here we wait." + " The pelican sleeps." * n * (n < 4))
    found = every(outline.section_word_rows, built(builder, "Birds"))
    rows = [(f"Notes about gate {'abcdef'[n]}", n) for n in (1, 2, 3)]
    assert {tuple(rows_of(candidate)) for candidate in found} == {tuple(rows)}
    asked = {candidate.proof[-1] for candidate in every(outline.section_word_rows, handbook())}
    assert asked.isdisjoint(expected)


def test_paragraphs_with_the_count_of_a_word():
    builder = DocumentBuilder()
    for n in range(6):
        builder.paragraph(f"In the {'abcdef'[n]} yard we wait here." + " The pelican sleeps." * n * (n < 4))
    found = every(outline.paragraph_word_rows, built(builder, "Birds"))
    rows = [(f"In the {'abcdef'[n]} yard we", n) for n in (1, 2, 3)]
    assert {tuple(rows_of(candidate)) for candidate in found} == {tuple(rows)}
    assert all("first 5 words" in c.question or "5 words" in c.question for c in found)


def test_chinese_paragraphs_are_named_by_eight_characters():
    builder = DocumentBuilder()
    for n in range(6):
        builder.paragraph(f"第{'甲乙丙丁戊己'[n]}个院子里没有人。" + "图书馆今天关门。" * n * (n < 4))
    found = every(outline.paragraph_word_rows, built(builder, "院子"))
    rows = [(f"第{'甲乙丙丁戊己'[n]}个院子里没有", n) for n in (1, 2, 3)]
    assert tuple(rows) in {tuple(rows_of(candidate)) for candidate in found}


def test_speakers_with_turns_or_last_words():
    builder = DocumentBuilder()
    for n in range(12):
        name = ("Ada", "Bob", "Cy")[(0, 1, 0, 2, 0, 1)[n % 6]]
        builder.turn(name, f"Well {name} says thing number {n}." if n < 11 else "Yes.")
    found = {tuple(rows_of(candidate)) for candidate in every(outline.speaker_rows, built(builder, "Talk"))}
    turns = (("Ada", 6), ("Bob", 4), ("Cy", 2))
    last = (("Ada", "Well Ada says thing number"), ("Bob", "Well Bob says thing number"))
    assert found == {turns, (*last, ("Cy", "Well Cy says thing number"))}


def test_the_turns_of_a_long_dialogue_are_not_counted():
    builder = DocumentBuilder()
    for n in range(160):
        name = ("Ada", "Bob", "Cy", "Ada")[n % 4]
        builder.turn(name, f"Well {name} says thing number {n}.")
    found = every(outline.speaker_rows, built(builder, "Talk"))
    assert found
    assert all("how many turns" not in c.question and "number of turns" not in c.question for c in found)


def test_cells_with_unpaired_quotation_marks_are_no_condition():
    rows = [[shop, f"“{region}", *rest] for shop, region, *rest in SHOPS]
    assert all("“" not in candidate.question for candidate in every(extraction.table_rows, table("S", NAMES, rows)))


def test_of_many_speakers_only_those_who_speak_often_are_asked_for():
    builder = DocumentBuilder()
    for n in range(15):
        for _ in range(n // 3 + 1):
            builder.turn(f"Speaker {'abcdefghijklmno'[n]}", "We should talk about that.")
    for candidate in every(outline.speaker_rows, built(builder, "Talk")):
        rows = rows_of(candidate)
        assert rows == [(f"Speaker {'abcdefghijklmno'[n]}", n // 3 + 1) for n in range(3, 15)]
        assert "only those with 2 turns or more" in candidate.question


def test_another_document_does_not_change_what_is_asked_of_the_first():
    candidate = every(outline.outline_rows, handbook())[0]
    other = DocumentBuilder()
    other.heading(HEADINGS[0], 2)
    other.paragraph("Something else is said here.")
    assert candidate.solve(rendered(built(other, "Other"), handbook())) == list(candidate.gold)


def test_criterion():
    assert outline.holds_headings_and_paragraphs(handbook().document) == 5
    assert outline.holds_headings_and_paragraphs(SHOP_TABLE.document) == 0
