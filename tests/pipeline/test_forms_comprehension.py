"""T2 forms: one right option, its letter and ranks as the slot asks, and brute force over the shown text."""

import collections
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golongrl.core import tasks
from golongrl.core.documents import DocumentBuilder
from golongrl.core.records import Record
from golongrl.pipeline.dataset import view
from golongrl.pipeline.dataset.construct import comprehension, distractors, labels, passages
from golongrl.pipeline.dataset.construct.distractors import Case, Label, Ranks
from golongrl.pipeline.dataset.construct.form import Candidate, Scene, Unfit
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.rewards import gold_response, score_response

WORDS = [
    "keeper",
    "lantern",
    "barn",
    "river",
    "window",
    "garden",
    "letter",
    "engine",
    "harvest",
    "copper",
    "meadow",
    "signal",
    "orchard",
    "candle",
    "bridge",
    "market",
    "carriage",
    "winter",
    "mirror",
    "kettle",
    "ladder",
    "shadow",
    "basket",
    "thunder",
    "valley",
    "mountain",
    "pocket",
    "ribbon",
    "saddle",
    "tower",
]
HAN = "春夏秋冬山水云雨风雪花草树木江河湖海日月星辰东西南北金银铜铁牛羊马车船桥路门窗灯火书画琴棋"


def sentence(rng, language):
    if language == "zh":
        return "".join(rng.choice(HAN) for _ in range(rng.randint(15, 40))) + "。"
    words = [rng.choice(WORDS) for _ in range(rng.randint(8, 22))]
    # A few common words, so that sentences share some with any question.
    words[rng.randrange(len(words))] = rng.choice(["the", "of", "in", "which"])
    words[rng.randrange(len(words))] = rng.choice(["the", "passage", "document", "one"])
    return " ".join(words).capitalize() + "."


def story(seed, title, language="en", paragraphs=60):
    rng = random.Random(seed)
    builder = DocumentBuilder()
    builder.heading(title, 1)
    for number in range(paragraphs):
        if number % 4 == 0:
            name = rng.sample(HAN, rng.randint(2, 7)) if language == "zh" else rng.sample(WORDS, rng.randint(1, 4))
            builder.heading(("" if language == "zh" else " ").join(name), 2)
        gap = "" if language == "zh" else " "
        builder.paragraph(gap.join(sentence(rng, language) for _ in range(4)))
    return Excerpt(document := builder.build(source=title, title=title), document.blocks)


def shown(excerpts):
    mark = "【文档{}】{}\n{}" if excerpts[0].language == "zh" else "[Document {}] {}\n{}"
    return view.read("\n\n".join(mark.format(n, e.document.title, e.text) for n, e in enumerate(excerpts, 1)))


def proven(candidate, scene):
    assert len(set(candidate.options)) == 4
    assert list(candidate.solve(shown(scene.excerpts))) == list(candidate.gold)
    assert candidate.gold == ("ABCD"[scene.slot % 4],)
    texts = [scene.excerpts[p.excerpt].document.slice(p.span) for p in candidate.evidence]
    assert all(any(proof in text for text in texts) for proof in candidate.proof)
    capability = tasks.CAPABILITIES["T2"]
    record = Record.model_validate(
        {
            "data_source": capability.data_source,
            "prompt": [{"role": "user", "content": candidate.question}],
            "reward_model": {"ground_truth": {"golden_label": candidate.gold[0]}},
            "extra_info": {"metric": "choice", "options": list(candidate.options), "question": candidate.question},
        }
    )
    assert score_response(record, gold_response(record)).value == 1.0


def right(candidate):
    return candidate.options["ABCD".index(candidate.gold[0])]


def test_slots_balance_letter_and_ranks():
    all_slots = [Ranks.of(slot) for slot in range(64)]
    assert len(set(all_slots)) == 64
    for start in range(0, 64, 4):
        four = all_slots[start : start + 4]
        for name in ("letter", "length", "overlap"):
            assert {getattr(ranks, name) for ranks in four} == {0, 1, 2, 3}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_next_sentence_has_the_ranks_of_its_slot(language):
    excerpt = story(1, "晴雨录" if language == "zh" else "The long story", language, 90)
    seen = collections.Counter()
    for slot in range(16):
        scene = Scene((excerpt,), slot, random.Random(slot))
        candidate = comprehension.next_sentence(scene)
        assert isinstance(candidate, Candidate)
        proven(candidate, scene)
        first, second = candidate.proof
        assert right(candidate) == second
        assert f"{first}{'' if language == 'zh' else ' '}{second}" in excerpt.text
        lengths = [len(option) for option in candidate.options]
        assert sum(length < len(second) for length in lengths) == Ranks.of(slot).length
        assert lengths.count(len(second)) == 1
        asked = passages.terms(candidate.question.split("\nA. ")[0])
        shares = [len(asked & passages.terms(option)) for option in candidate.options]
        mine = shares[candidate.options.index(second)]
        assert set(shares) == {mine} or sum(share < mine for share in shares) == Ranks.of(slot).overlap
        seen[candidate.template] += 1
    assert len(seen) == 3


def test_next_sentence_offers_no_sentence_that_opens_a_paragraph():
    excerpt = story(2, "The long story", paragraphs=90)
    opening = {excerpt.content(block).split(". ")[0] + "." for block in excerpt.blocks if block.kind == "paragraph"}
    for slot in range(16):
        candidate = comprehension.next_sentence(Scene((excerpt,), slot, random.Random(slot)))
        assert opening.isdisjoint(candidate.options)


def test_passage_choice_takes_wrong_options_from_other_documents():
    target = story(3, "Alpha")
    others = (story(4, "Beta"), story(5, "Gamma"))
    elsewhere = (story(6, "Delta"), story(7, "Epsilon"))
    for slot in range(16):
        scene = Scene((target, *others), slot, random.Random(slot), elsewhere)
        candidate = comprehension.passage_choice(scene)
        assert isinstance(candidate, Candidate)
        proven(candidate, scene)
        wrong = [option for option in candidate.options if option != right(candidate)]
        assert not any(option in target.document.text for option in wrong)
        assert all(any(option in other.text for other in (*others, *elsewhere)) for option in wrong)
        assert len({other.document.title for other in (*others, *elsewhere) for o in wrong if o in other.text}) == 3
    for few in ((target,), (target, *others)):
        assert comprehension.passage_choice(Scene(few, 0, random.Random(0))) == Unfit(
            "wrong options from too few documents"
        )


@given(st.integers(0, 200), st.integers(1, 4))
def test_no_two_wrong_options_are_of_one_document(seed, documents):
    rng = random.Random(seed)
    wrong = list(dict.fromkeys(sentence(rng, "en") for _ in range(40)))
    sources = {option: str(rng.randrange(documents)) for option in wrong}
    case = Case("Which of these passages stands in the document?", sentence(rng, "en"), wrong, sources=sources)
    chosen = distractors.passages_balanced([case], seed, rng)
    if documents < 3:
        assert isinstance(chosen, Unfit)
    if not isinstance(chosen, Unfit):
        assert len({sources[option] for option in chosen.options if option != case.right}) == 3


@pytest.mark.parametrize(
    ("quote", "right", "options", "told"),
    [
        ("In 1900 it began.", "In 1903 it grew.", ("In 1890 it stood.", "In 1950 it fell.", "It was."), True),
        ("In 1900 it began.", "In 1950 it fell.", ("In 1890 it stood.", "In 1903 it grew.", "It was."), False),
        ("It began.", "In 1903 it grew.", ("In 1890 it stood.", "In 1950 it fell.", "It was."), False),
        ("In 1900 it began.", "In 1903 it grew.", ("It stood.", "It fell.", "It was."), False),
    ],
)
def test_years_that_tell_what_is_next(quote, right, options, told):
    assert comprehension._by_year(quote, right, (right, *options)) is told


def test_a_wrong_passage_that_joins_the_document_shows_as_a_second_answer():
    elsewhere = (story(6, "Delta"), story(7, "Epsilon"))
    scene = Scene((story(3, "Alpha"), story(4, "Beta")), 0, random.Random(0), elsewhere)
    candidate = comprehension.passage_choice(scene)
    wrong = candidate.options[1]
    text = f"[Document 1] Alpha\n{scene.target.text}\n\n{wrong}"
    assert candidate.solve(view.read(text)) == ["A", "B"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_section_choice(language):
    excerpt = story(8, "晴雨录" if language == "zh" else "The long story", language)
    lengths = collections.Counter()
    for slot in range(16):
        scene = Scene((excerpt,), slot, random.Random(slot))
        candidate = labels.section_choice(scene)
        assert isinstance(candidate, Candidate)
        proven(candidate, scene)
        quote = candidate.proof[0]
        before = excerpt.text[: excerpt.text.index(quote)]
        assert before.rpartition("\n## ")[2].split("\n")[0] == right(candidate)
        assert not passages.gives_away(right(candidate), quote)
        lengths[sum(len(option) < len(right(candidate)) for option in candidate.options)] += 1
    assert lengths == {0: 4, 1: 4, 2: 4, 3: 4}


def test_source_choice_needs_four_documents():
    titles = ["North", "Southern", "Eastern part", "Western district"]
    excerpts = tuple(story(seed, title, paragraphs=8) for seed, title in enumerate(titles, 20))
    for slot in range(8):
        scene = Scene(excerpts, slot, random.Random(slot))
        candidate = labels.source_choice(scene)
        assert isinstance(candidate, Candidate)
        proven(candidate, scene)
        assert sorted(candidate.options) == sorted(titles)
        assert right(candidate) == sorted(titles, key=len)[Ranks.of(slot).length]
    assert isinstance(labels.source_choice(Scene(excerpts[:3], 0, random.Random(0))), Unfit)


def test_cell_choice_has_no_second_right_value():
    builder = DocumentBuilder()
    rows = [("a", "1.0"), ("b", "1"), ("c", "20"), ("d", "300"), ("e", "4000"), ("f", "5"), ("g", "6"), ("h", "7")]
    builder.table(["name", "size"], rows)
    excerpt = Excerpt(document := builder.build(source="t", title="Sizes"), document.blocks)
    for slot in range(32):
        scene = Scene((excerpt,), slot, random.Random(slot))
        candidate = labels.cell_choice(scene)
        assert isinstance(candidate, Candidate)
        proven(candidate, scene)
        assert not {"1.0", "1"} <= set(candidate.options)
        sizes = {len(option) for option in candidate.options}
        assert len(sizes) in (1, 4)


def test_labels_of_equal_length_where_ranks_are_impossible():
    cases = {text: Case(f"Question {text}?", text, (), "t/1") for text in ("alfa", "beta", "gama", "dzta", "epsilon")}
    named = [Label(text, [case]) for text, case in cases.items()]
    order = [[n for n in range(5) if n != m] for m in range(5)]
    for slot in range(8):
        chosen = distractors.labels_balanced(named, order.__getitem__, slot, random.Random(slot))
        # The question names its own label, so that the right option shares a word more than the others.
        assert chosen == distractors.UNBALANCED
    plain = [Label(text, [Case("Which one?", text, (), "t/1")]) for text in cases]
    for slot in range(8):
        chosen = distractors.labels_balanced(plain, order.__getitem__, slot, random.Random(slot))
        assert sorted(chosen.options) == ["alfa", "beta", "dzta", "gama"]
        assert chosen.options["ABCD".index(chosen.letter)] == chosen.case.right


@given(st.lists(st.integers(1, 60), min_size=8, max_size=40, unique=True), st.integers(0, 63), st.randoms())
def test_passages_are_balanced_or_passed_over(lengths, slot, rng):
    # All passages are of one word, so that none shares anything with the question.
    texts = ["x" * length for length in lengths]
    cases = [Case("Which?", text, [other for other in texts if other != text]) for text in texts]
    chosen = distractors.passages_balanced(cases, slot, random.Random(rng.random()))
    assert not isinstance(chosen, Unfit)
    mine = len(chosen.case.right)
    assert chosen.letter == "ABCD"[slot % 4]
    assert chosen.options[slot % 4] == chosen.case.right
    assert sum(len(option) < mine for option in chosen.options) == Ranks.of(slot).length


def test_neighbours_find_what_is_alike():
    texts = [
        "The barn is red and old.",
        "The barn is red and new.",
        "Rivers flow to the sea.",
        "Rivers reach the sea.",
    ]
    near = distractors.Neighbours(texts, "en")
    assert near.nearest(0, 1) == [1]
    assert near.nearest(2, 1) == [3]
    assert texts[0] not in near.wrong(0, random.Random(0), central=1)
    assert near.wrong(0, random.Random(0), frozenset([1, 2]), central=1) == [texts[3]]


def test_terms_and_what_gives_a_name_away():
    assert passages.terms("The 2 barns!") == {"the", "2", "barns"}
    assert passages.terms("租赁办法 A") == {"租赁", "赁办", "办法", "a"}
    assert passages.gives_away("Feeding times", "Nobody likes feeding them.")
    assert passages.gives_away("登记手续", "应当办理登记。")
    assert not passages.gives_away("Feeding times", "Elephants eat hay about noon.")
    assert passages.gives_away("A b", "He said a B twice.")
