"""Which document can carry what, which are held out, and how requests are spread over them."""

from collections import Counter
from pathlib import Path

import pytest

from golongrl.core.tasks import CAPABILITIES
from golongrl.pipeline.dataset.assign import CRITERIA, assign, lacks, split, why
from golongrl.pipeline.dataset.cells import wanted_cells
from golongrl.pipeline.dataset.compose import spread
from golongrl.pipeline.dataset.construct import TASK_FORMS
from golongrl.pipeline.dataset.encoding import Entry
from golongrl.pipeline.dataset.library import hold_out
from golongrl.pipeline.dataset.produce import Slots, _able, _ask, _cells, _lanes, _retire, _share_out
from golongrl.pipeline.dataset.request import bins
from golongrl.pipeline.dataset.settings import BuildConfig

DOCS = Path(__file__).parents[2] / "docs" / "dataset.md"


def entry(number, language="en", **amounts):
    held = {**dict.fromkeys(CRITERIA, 0), **amounts}
    return Entry(f"{number:064x}", f"{number}.md", f"Title {number}", language, "CC0", "prose", 900, held, "s", 0, 0)


def test_every_capability_has_two_forms_and_every_form_a_criterion():
    forms = Counter(form.capability for form in TASK_FORMS.values())
    assert set(forms) == set(CAPABILITIES)
    assert min(forms.values()) >= 2
    assert {form.needs for form in TASK_FORMS.values()} == set(CRITERIA)


def test_the_documentation_lists_every_form_and_every_criterion():
    text = DOCS.read_text(encoding="utf-8")
    for name in TASK_FORMS:
        assert f"`{name}`" in text
    for name, criterion in CRITERIA.items():
        assert f"| `{name}` | {criterion.sentence} |" in text


def test_documents_are_assigned_by_what_they_hold():
    entries = [entry(1, prose=400), entry(2, prose=399), entry(3, "zh", couplets=2), entry(4, couplets=2)]
    found = assign(entries, ["T1", "T9"])
    assert set(found["T1"]) == {0}
    assert {form.name for form in found["T1"][0]} == {"paragraph_with_word", "missing_word"}
    assert set(found["T9"]) == {2}
    assert why("T1", entries[0]) == "holds prose 400"
    assert why("T1", entries[1]).startswith("lacks 400 characters of running text (200 of Chinese), or 3 headings")
    assert lacks("T9", entries[3]) == "lacks " + ", or ".join(
        CRITERIA[name].sentence for name in ("abstract", "opening", "sections", "chapters", "couplets")
    )


def test_the_documents_held_out_cover_forms_and_languages():
    entries = [entry(n, prose=900) for n in range(16)] + [entry(n, "zh", prose=900) for n in (16, 17)]
    entries += [entry(18, couplets=1, table=9), entry(19, table=9)]
    assignment = assign(entries, ["T1", "T5"])
    chosen = split(entries, assignment, 0.15, seed=1)
    assert len(chosen) == 3
    assert {16, 17} & set(chosen)
    assert {18, 19} & set(chosen)
    assert split(entries, assignment, 0.15, seed=1) == chosen
    assert split(entries, assignment, 0, seed=1) == []
    assert split(entries[:1], assign(entries[:1], ["T1"]), 0.5, seed=1) == []


def test_lanes_are_forms_and_languages():
    entries = [entry(n, prose=900, sections=9) for n in range(6)] + [entry(6, "zh", prose=900)]
    served = assign(entries, ["T8"])["T8"]
    able = _able(entries, range(len(entries)), served)
    lanes = _lanes(0, able[False], False, "T8", bins((4096,))[0], wanted=4)
    assert {lane: sorted(numbers) for lane, numbers in lanes.items()} == {
        ("heading_order", "en"): [0, 1, 2, 3, 4, 5],
        ("sentence_order", "en"): [0, 1, 2, 3, 4, 5],
        ("sentence_order", "zh"): [6],
        ("step_order", "en"): [0, 1, 2, 3, 4, 5],
        ("step_order", "zh"): [6],
    }
    assert _lanes(0, able[True], True, "T8", bins((4096,))[0], wanted=4) == {}
    assert _lanes(0, able[False], False, "T8", bins((4096,))[0], wanted=0) == {}


def cell(**changes):
    entries = [entry(n, table=9) for n in range(4)]
    config = BuildConfig(sources=("x",), target=10, capabilities=("T5",), length_bins=(4096,), val_share=0)
    (found,) = (c for c in _cells(config, entries, assign(entries, ["T5"]), wanted_cells(config, ())) if c.wanted)
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def test_a_cell_asks_again_by_what_came_of_its_requests():
    asked, slots = cell(), Slots()
    first = list(_ask(asked, slots))
    assert len(first) == 11
    assert {request.attempt for request in first} == {0, 1}
    assert Counter(request.form for request in first) in (
        {"table_rows": 6, "tables_joined": 5},
        {"table_rows": 5, "tables_joined": 6},
    )
    asked.made = asked.kept = 4
    assert len(list(_ask(asked, slots))) == 15  # 6 missing, 12 asked per 5 made (each count from one on)


def test_the_lane_that_came_to_least_is_asked_most():
    asked = cell(load=Counter({("table_rows", "en"): 40}))
    assert {request.form for request in _ask(asked, Slots())} == {"tables_joined"}


def test_a_document_that_keeps_failing_leaves_its_lane():
    asked = cell()
    lane = ("table_rows", "en")
    first, second, *others = asked.lanes[lane]
    asked.turns[lane] = 1
    _retire(asked, lane, first)
    assert asked.lanes[lane] == [second, *others]
    assert asked.lanes[lane][asked.turns[lane] % 3] == second
    for number in (second, *others):
        _retire(asked, lane, number)
    assert lane not in asked.lanes


def test_what_a_bin_cannot_give_is_asked_of_the_others():
    entries = [entry(n, table=9) for n in range(4)]
    config = BuildConfig(sources=("x",), target=9, capabilities=("T5",), length_bins=(512, 1024, 2048), val_share=0)
    cells = [
        cell for cell in _cells(config, entries, assign(entries, ["T5"]), wanted_cells(config, ())) if cell.wanted
    ]
    cells[0].lanes = {}
    cells[0].kept = 1
    _share_out(cells)
    assert [cell.wanted for cell in cells] == [1, 4, 4]


def test_slots_that_came_to_nothing_are_taken_first():
    slots = Slots()
    assert [slots.take("a"), slots.take("a"), slots.take("b"), slots.take("a")] == [0, 1, 0, 2]
    slots.give_back("a", 1)
    assert [slots.take("a"), slots.take("a")] == [1, 3]


@pytest.mark.parametrize("count", [8, 100])
def test_slots_spread_over_the_depths_of_a_context(count):
    depths = Counter(int(spread(slot) * 4) for slot in range(count))
    assert max(depths.values()) - min(depths.values()) <= 1


def test_documents_are_marked_as_held_out():
    assert [e.held_out for e in hold_out([entry(1), entry(2), entry(3)], [1])] == [False, True, False]
