"""T1 forms: hand-checked questions and golds, ambiguity, brute force over the shown text, the real reward."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core import tasks
from golongrl.core.documents import DocumentBuilder, Span
from golongrl.core.records import Record
from golongrl.core.text import normalise
from golongrl.pipeline.dataset import prose, view
from golongrl.pipeline.dataset.construct import definitions, retrieval, verbatim
from golongrl.pipeline.dataset.construct.form import Candidate, Scene, Unfit
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.rewards import gold_response, score_response


def built(title, fill):
    builder = DocumentBuilder()
    fill(builder)
    return Excerpt(document := builder.build(source="d", title=title), document.blocks)


def zoo(b):
    b.heading("Zoo handbook", 1)
    b.paragraph("The handbook tells every keeper what is done at the start of the day and at its end.")
    b.heading("Feeding", 2)
    b.paragraph("Elephants eat about two hundred kilograms of hay on every single day.")
    b.paragraph("The hay comes from the northern barn before sunrise and is weighed by two keepers.")
    b.paragraph("Lanterns hang in the barn from October until the last week of March, one at each door.")
    b.heading("Gates", 2)
    b.paragraph("Every gate is locked by two keepers once the last visitor has left the park.")
    b.paragraph("The keys hang in the office beside the map, and the barn has a lock of its own.")
    for name, value in (
        ("North gate", "opens at eight"),
        ("River gate", "opens at noon"),
        ("Barn door", "stays shut"),
    ):
        b.item(f"{name}: {value}", 1)
    b.heading("Animals", 2)
    b.table(["animal", "legs", "home"], [["ant", "6", "soil"], ["bee", "6", "hive"], ["crab", "10", "sea"]])


def lease(b):
    b.heading("租赁办法", 1)
    b.heading("登记", 2)
    b.paragraph("第一条 出租人应当在合同签订之后三十日内到房管部门办理手续，并提交房屋权属证明。")
    b.paragraph("第二条 本办法所称押金，是指承租人为担保合同的履行而交付的款项。")
    b.paragraph("第三条 本办法所称共同居住人，是指在同一住宅内与承租人一起生活的成年人。")
    b.heading("租金", 2)
    b.paragraph("租金由双方协商确定，承租人应当按照合同约定的期限支付，不得拖延。")
    b.paragraph("逾期支付租金的承租人应当承担违约责任，出租人可以解除合同。")
    b.heading("附则", 2)
    b.paragraph("双方对本办法的解释有争议的，可以向房管部门申请调解。")


def talk(b):
    b.turn("Ann", "The meeting starts with the budget of the coming spring, as the board has asked.")
    b.turn("Bo", "I think the budget for lanterns is far too small for all of those doors.")
    b.turn("Cy", "We could ask the northern office for another two hundred coins this week.")
    b.turn("Bo", "Then the lanterns should be ordered before the next meeting takes place.")
    b.turn("Ann", "Bo will write a letter about lanterns to the northern office until Friday.")


def every(form, excerpt, slots=40):
    found = [form(Scene((excerpt,), slot, random.Random(slot))) for slot in range(slots)]
    return [candidate for candidate in found if isinstance(candidate, Candidate)]


def shown(*excerpts):
    mark = "【文档{}】{}\n{}" if excerpts[0].language == "zh" else "[Document {}] {}\n{}"
    return view.read("\n\n".join(mark.format(n, e.document.title, e.text) for n, e in enumerate(excerpts, 1)))


def proven(candidate, excerpt):
    """Brute force over the prompt's text gives the gold, the evidence holds the proof, the reward gives 1.0."""
    assert sorted(map(normalise, candidate.solve(shown(excerpt)))) == sorted(map(normalise, candidate.gold))
    texts = [normalise(excerpt.document.slice(place.span)) for place in candidate.evidence]
    assert all(any(normalise(proof) in text for text in texts) for proof in candidate.proof or candidate.gold)
    assert all(excerpt.once(text) for text in candidate.once)
    capability = tasks.CAPABILITIES["T1"]
    record = Record.model_validate(
        {
            "data_source": capability.data_source,
            "prompt": [{"role": "user", "content": candidate.question}],
            "reward_model": {"ground_truth": {"golden_label": candidate.gold[0]}},
            "extra_info": {"metric": "em", "question": candidate.question, **candidate.extra},
        }
    )
    assert score_response(record, gold_response(record)).value == pytest.approx(1.0)
    return record


FORMS = (
    (retrieval.cell_value, zoo),
    (retrieval.heading_of_sentence, zoo),
    (retrieval.heading_of_sentence, lease),
    (retrieval.missing_word, zoo),
    (retrieval.missing_word, lease),
    (retrieval.speaker_of_sentence, talk),
    (verbatim.paragraph_with_word, zoo),
    (verbatim.paragraph_with_word, lease),
    (verbatim.paragraph_below_heading, zoo),
    (verbatim.paragraph_below_heading, lease),
    (verbatim.turn_of_speaker, talk),
    (definitions.term_of_definition, lease),
    (definitions.definition_of_term, lease),
    (definitions.entry_value, zoo),
)


@pytest.mark.parametrize(("form", "fill"), FORMS)
def test_every_candidate_is_proven_and_asked_in_three_wordings(form, fill):
    excerpt = built("租赁办法" if fill is lease else "Zoo", fill)
    found = every(form, excerpt)
    assert len({candidate.template for candidate in found}) == 3
    for candidate in found:
        proven(candidate, excerpt)
        assert excerpt.document.title in candidate.question
        assert "{" not in candidate.question


@pytest.mark.parametrize(("form", "fill"), FORMS)
def test_the_same_scene_gives_the_same_question(form, fill):
    excerpt = built("租赁办法" if fill is lease else "Zoo", fill)
    one, other = (form(Scene((excerpt,), 5, random.Random(1))) for _ in range(2))
    assert (one.question, one.gold) == (other.question, other.gold)


def test_cell_value_asks_for_every_cell_but_the_key():
    found = every(retrieval.cell_value, built("Zoo", zoo), 120)
    # Of "legs" two cells are equal, so that it has only two values and is not asked for.
    assert {c.gold[0] for c in found} == {"soil", "hive", "sea"}
    assert all('"animal" is "' in c.question for c in found)


def test_heading_of_sentence_skips_sentences_that_name_it():
    found = {
        c.question.split("\n")[1]: c.gold[0] for c in every(retrieval.heading_of_sentence, built("Zoo", zoo), 80)
    }
    assert found["The hay comes from the northern barn before sunrise and is weighed by two keepers."] == "Feeding"
    assert found["The keys hang in the office beside the map, and the barn has a lock of its own."] == "Gates"
    assert set(found.values()) == {"Feeding", "Gates"}


def test_missing_word_has_one_filling():
    excerpt = built("Zoo", zoo)
    for candidate in every(retrieval.missing_word, excerpt):
        gapped = candidate.question.split("\n")[1]
        assert gapped.count("____") == 1
        assert gapped.replace("____", candidate.gold[0]) in excerpt.text


def test_a_frequent_word_is_not_left_out_unless_it_is_a_name():
    def talk_of_lamps(b):
        for n in range(5):
            b.paragraph(f"Every evening the lamps beside {'Utrecht'} are lighted by keeper number {n} of them.")
        b.paragraph("Every morning the lamps beside Utrecht are cleaned with vinegar by the other keepers.")

    golds = {c.gold[0] for c in every(retrieval.missing_word, built("Zoo", talk_of_lamps))}
    assert golds <= {"Utrecht", "morning", "cleaned", "vinegar", "keepers"}
    assert "Utrecht" in golds


def test_quoted_sentences_do_not_begin_with_a_mark():
    assert not prose.quotable("．系统启动之后，各项服务按照顺序运行。", "zh")
    assert prose.quotable("“系统”启动之后，各项服务按照顺序运行。", "zh")


def test_a_speaker_named_in_the_sentence_is_not_asked_for():
    found = every(retrieval.speaker_of_sentence, built("Talk", talk))
    assert {c.gold[0] for c in found} == {"Ann", "Bo", "Cy"}
    two = built(
        "Talk", lambda b: [b.turn(who, "This is a sentence with quite enough words to quote.") for who in "AB"]
    )
    assert retrieval.speaker_of_sentence(Scene((two,), 0, random.Random(0))) == Unfit("fewer than three speakers")


def test_a_second_place_in_another_document_shows_as_two_answers_or_none():
    excerpt = built("Zoo", zoo)
    (candidate, *_) = every(retrieval.heading_of_sentence, excerpt)
    with pytest.raises(LookupError):
        candidate.solve(shown(excerpt, excerpt))
    sentence = candidate.once[0]
    other = built("Zoo", lambda b: [zoo(b), b.heading("Echo", 2), b.paragraph(sentence)])
    assert candidate.solve(shown(other)) == [candidate.gold[0], "Echo"]


def test_the_ordinal_picks_one_of_the_paragraphs_that_hold_a_word():
    excerpt = built("Zoo", zoo)
    barn = [
        "The hay comes from the northern barn before sunrise and is weighed by two keepers.",
        "Lanterns hang in the barn from October until the last week of March, one at each door.",
        "The keys hang in the office beside the map, and the barn has a lock of its own.",
    ]
    seen = set()
    for candidate in every(verbatim.paragraph_with_word, excerpt, 300):
        prefix = candidate.extra["strict_prefix"]
        assert len(prefix) == 10
        assert prefix.isalnum()
        assert prefix in candidate.question
        assert prefix in candidate.instruction
        passage = candidate.gold[0].removeprefix(prefix)
        number = next(n for n, word in enumerate(verbatim.ORDINALS["en"]) if f" {word} " in candidate.question)
        word = candidate.question.split('word "')[1].split('"')[0]
        # "barn" stands in a list item too, and "keeper" inside "keepers".
        assert word not in ("barn", "keeper")
        holders = [b for b in map(excerpt.content, excerpt.blocks) if word in b.lower() and b.endswith(".")]
        assert holders[number] == passage
        seen.add((word, number))
    assert ("keepers", 1) in seen
    assert all(text in excerpt.text for text in barn)


def test_a_strict_prefix_is_needed_and_partly_right_answers_earn_part():
    excerpt = built("Zoo", zoo)
    (candidate, *_) = every(verbatim.paragraph_below_heading, excerpt)
    record = proven(candidate, excerpt)
    prefix, passage = candidate.extra["strict_prefix"], candidate.proof[0]
    assert score_response(record, passage).value == 0.0
    assert score_response(record, f"Here it is: {prefix}{passage}").value == 0.0
    assert 0.5 < score_response(record, prefix + passage[: len(passage) // 2]).value < 1.0


def test_paragraphs_below_a_heading_need_a_section_of_paragraphs_only():
    found = every(verbatim.paragraph_below_heading, built("Zoo", zoo), 60)
    # Items stand below "Gates".
    assert all('"Feeding"' in candidate.question for candidate in found)
    assert {candidate.proof[0].split()[0] for candidate in found} == {"Elephants", "The", "Lanterns"}


def test_turns_count_for_their_speaker_only():
    excerpt = built("Talk", talk)
    found = every(verbatim.turn_of_speaker, excerpt, 200)
    lanterns = [c for c in found if '"lanterns"' in c.question]
    assert lanterns
    for candidate in lanterns:
        assert "Bo" in candidate.question
        nth = " first " in candidate.question
        assert candidate.proof[0].startswith("I think" if nth else "Then the lanterns")


@pytest.mark.parametrize(
    ("text", "language", "term"),
    [
        ('"Fees" means the applicable amounts described in an Order Form.', "en", "Fees"),
        ("The term front matter refers to the pages before the first chapter.", "en", "front matter"),
        ("A lease is defined as a contract by which a house is let.", "en", "lease"),
        ("This means that the package is not built at all.", "en", None),
        ("He means well, and nobody doubts that he will go on.", "en", None),
        ("第九十三条 本法所称国家工作人员，是指国家机关中从事公务的人员。", "zh", "国家工作人员"),
        ("共同犯罪是指二人以上共同故意犯罪。", "zh", "共同犯罪"),
        ("本法所称公共财产，是指下列财产：", "zh", None),
        ("这是指第二次所说的那件事情而言。", "zh", None),
        ("广义上是指一切有价值的东西。", "zh", None),
        ("后者是指二人以上共同故意犯罪。", "zh", None),
        ("广义货币是指流通中的现金和各种存款。", "zh", "广义货币"),
        ("前款所称“近亲属”是指夫、妻、父、母、子、女。", "zh", "近亲属"),
    ],
)
def test_definitions(text, language, term):
    found = list(definitions.definitions(text, Span(0, len(text)), language))
    assert [d.term for d in found] == ([term] if term else [])
    assert all(text[d.span.start : d.span.end] == d.sentence for d in found)


def test_a_definition_is_quoted_without_its_term_and_given_without_its_number():
    excerpt = built("租赁办法", lease)
    terms = {c.question.split("\n")[1]: c.gold[0] for c in every(definitions.term_of_definition, excerpt)}
    assert terms["承租人为担保合同的履行而交付的款项。"] == "押金"
    assert terms["在同一住宅内与承租人一起生活的成年人。"] == "共同居住人"
    sentences = {c.proof[0] for c in every(definitions.definition_of_term, excerpt)}
    assert "本办法所称押金，是指承租人为担保合同的履行而交付的款项。" in sentences


def test_a_term_that_is_defined_twice_is_not_asked_for():
    def twice(b):
        b.paragraph('"Fees" means the applicable amounts that are described in an Order Form.')
        b.paragraph('"Fees" means something else in the second part of this long agreement.')

    assert every(definitions.definition_of_term, built("Agreement", twice)) == []


@pytest.mark.parametrize(
    ("item", "pair"),
    [
        ("North gate: opens at eight", ("North gate", "opens at eight")),
        ("“-h” – shows the help", ("-h", "shows the help")),
        ("押金：两个月租金", ("押金", "两个月租金")),
        ("for $x: y$ the claim holds", None),
        ("no entry at all", None),
        ("see https://example.org", None),
    ],
)
def test_entries(item, pair):
    assert definitions.entry(item) == pair


def test_entry_value_needs_a_list_of_entries_and_a_key_of_its_own():
    found = every(definitions.entry_value, built("Zoo", zoo))
    assert {c.gold[0] for c in found} == {"opens at eight", "opens at noon", "stays shut"}

    def repeated(b):
        for _ in range(3):
            b.item("Gate: closed", 1)

    excerpt = built("Gates", repeated)
    assert definitions.entry_value(Scene((excerpt,), 0, random.Random(0))) == Unfit(
        "every key stands in the lists twice"
    )


def test_amounts_for_assignment():
    assert definitions.count_definitions(built("租赁办法", lease).document) == 2
    assert definitions.count_entries(built("Zoo", zoo).document) == 3


SAID = ["The term fee means a sum. ", '"Fee" refers to ', '"Fee" refers to: a sum. ', '"Fee" denotes a sum. ']
SAID += ["A fee is defined as a sum. ", "means ", "The fee has the meaning of a sum. ", "x"]
SAID += ["本法所称租金，是指钱。", "指"]
KINDS = st.sampled_from(["paragraph", "item", "turn", "code"])


@settings(deadline=None)
@given(st.lists(st.tuples(KINDS, st.lists(st.sampled_from(SAID), max_size=4)), max_size=6), st.booleans())
def test_definitions_are_counted_as_every_block_by_itself_holds_them(stretches, chinese):
    def fill(b):
        b.heading("这是一部关于租赁的法律" if chinese else "A law", 1)
        for kind, parts in stretches:
            text = "".join(parts)
            {"paragraph": b.paragraph, "code": b.code}.get(kind, lambda _: None)(text)
            if kind == "item":
                b.item(text, 1)
            elif kind == "turn":
                b.turn("A", text)

    document = built("Law", fill).document
    spans = [block.content for block in document.blocks if block.kind in ("paragraph", "item")]
    each = [len(list(definitions.definitions(document.text, span, document.language))) for span in spans]
    assert definitions.count_definitions(document) == sum(each)
