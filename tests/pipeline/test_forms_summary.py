"""T9 forms: what is taken out, what may not stand in the context, and which texts are no references."""

import random

import pytest

from golongrl.core import tasks
from golongrl.core.documents import DocumentBuilder
from golongrl.core.records import Record
from golongrl.core.text import normalise
from golongrl.pipeline.dataset import view
from golongrl.pipeline.dataset.construct import references, summary
from golongrl.pipeline.dataset.construct.form import Candidate, Scene, Unfit
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.rewards import gold_response, score_response

ABSTRACT = (
    "We describe how keepers lock the gates of the zoo at night. Every gate has two keepers, and the animals are "
    "counted before the gates are closed for the night."
)
BODY = (
    "The gates of the zoo are kept by two keepers, who lock every gate at night. The animals are counted before it "
    "is closed, and nobody leaves earlier. {} keepers describe the night in a book."
)
INTRO = (
    "This chapter explains how the gates of the zoo are closed and counted by two keepers. It describes the keepers, "
    "the animals and the long night."
)
STORY = "却说{}引兵出城，两军对阵，鼓声大振。众将一齐杀出，敌军大败而走。"


def built(title, fill):
    builder = DocumentBuilder()
    fill(builder)
    return Excerpt(document := builder.build(source="d", title=title), document.blocks)


def paper(b, *, heading=True):
    b.heading("Locking the gates", 1)
    if heading:
        b.heading("Abstract", 2)
    b.paragraph(ABSTRACT if heading else f"Abstract: {ABSTRACT}")
    for number in ("Two", "Three", "Four", "Five"):
        b.heading(f"Part {number}", 2)
        b.paragraph(BODY.format(number))


def manual(b):
    b.heading("Handbook", 1)
    b.heading("Gates", 2)
    b.paragraph(INTRO)
    for number in ("First", "Second", "Third", "Fourth"):
        b.heading(f"{number} gate", 3)
        b.paragraph(BODY.format(number))
    b.heading("Colophon", 2)
    b.paragraph("Printed in the north of the country.")


def novel(b):
    b.heading("三国故事", 1)
    for number, lines, who in (
        ("一", "宴桃园豪杰三结义　斩黄巾英雄首立功", "玄德"),
        ("二", "张翼德怒鞭督邮　何国舅谋诛宦竖", "翼德"),
        ("三", "议温明董卓叱丁原　馈金珠李肃说吕布", "董卓"),
    ):
        b.heading(f"第{number}回 {lines}", 2)
        b.paragraph(STORY.format(who))
        b.paragraph("次日又战，互有胜负，各自收兵回营，商议来日再战之事。")


def every(form, excerpt, slots=12):
    found = [form(Scene((excerpt,), slot, random.Random(slot))) for slot in range(slots)]
    return [candidate for candidate in found if isinstance(candidate, Candidate)]


def shown(excerpt):
    mark = "【文档1】" if excerpt.language == "zh" else "[Document 1] "
    return view.read(f"{mark}{excerpt.document.title}\n{excerpt.text}")


def proven(candidate, excerpt):
    assert candidate.withheld is not None
    assert not any(normalise(text) in candidate.withheld.flat for text in candidate.absent)
    assert list(candidate.solve(shown(candidate.withheld))) == list(candidate.gold)
    # With the withheld text shown, there is nothing left to restore.
    assert list(candidate.solve(shown(excerpt))) == []
    texts = [normalise(excerpt.document.slice(place.span)) for place in candidate.evidence]
    assert all(any(normalise(proof) in text for text in texts) for proof in candidate.proof)
    capability = tasks.CAPABILITIES["T9"]
    record = Record.model_validate(
        {
            "data_source": capability.data_source,
            "prompt": [{"role": "user", "content": candidate.question}],
            "reward_model": {"ground_truth": {"doc_ids": list(candidate.gold)}},
            "extra_info": {"metric": "rouge_l", "language": excerpt.language},
        }
    )
    assert score_response(record, gold_response(record)).value == pytest.approx(1.0)


@pytest.mark.parametrize("heading", [True, False])
def test_own_abstract_is_taken_out_with_every_sentence(heading):
    excerpt = built("Locking the gates", lambda b: paper(b, heading=heading))
    found = every(summary.own_abstract, excerpt)
    assert len({candidate.template for candidate in found}) == 3
    for candidate in found:
        proven(candidate, excerpt)
        assert candidate.gold == (ABSTRACT,)
        assert "about 30 words" in candidate.question
        assert "abstract" in candidate.question
        assert "Abstract" not in candidate.withheld.text
        first = "We describe how keepers lock the gates of the zoo at night."
        assert {first, ABSTRACT} <= set(candidate.absent)


def test_a_summary_of_one_chapter_is_not_that_of_the_document():
    def book(b):
        b.heading("Book", 1)
        for number in range(12):
            b.paragraph(BODY.format(f"Number {number}"))
        for number in ("Two", "Three"):
            b.heading(f"Chapter {number}", 2)
            b.paragraph(BODY.format(number))
            b.heading("Summary", 3)
            b.paragraph(ABSTRACT)

    assert every(summary.own_abstract, built("Book", book)) == []


def test_opening_needs_most_of_the_document():
    def article(b):
        b.heading("The gates of the zoo", 1)
        b.paragraph(ABSTRACT)
        for number in range(12):
            b.paragraph(BODY.format(f"Number {number}"))

    excerpt = built("The gates of the zoo", article)
    found = every(summary.opening, excerpt)
    assert found
    for candidate in found:
        proven(candidate, excerpt)
    part = Excerpt(excerpt.document, excerpt.blocks[:6])
    assert summary.opening(Scene((part,), 0, random.Random(0))) == Unfit(
        "most of what the summary is about is not shown"
    )


def test_section_lead_shows_the_rest_of_the_document():
    def sections(b):
        b.heading("Handbook", 1)
        b.heading("Gates", 2)
        b.paragraph(INTRO)
        for number in ("First", "Second", "Third", "Fourth"):
            b.paragraph(BODY.format(number))
        b.heading("Colophon", 2)
        b.paragraph("Printed in the north of the country.")

    excerpt = built("Handbook", sections)
    found = every(summary.section_lead, excerpt)
    assert {candidate.gold for candidate in found} == {(INTRO,)}
    for candidate in found:
        proven(candidate, excerpt)
        assert '"Gates"' in candidate.question
        assert "Colophon" in candidate.withheld.text
    # The last section may go on behind the edge of the excerpt.
    cut = Excerpt(excerpt.document, excerpt.blocks[:-3])
    assert every(summary.section_lead, cut) == []


def test_chapter_summary_by_introduction_and_by_a_section_called_summary():
    excerpt = built("Handbook", manual)
    found = every(summary.chapter_summary, excerpt)
    assert {candidate.gold for candidate in found} == {(INTRO,)}
    assert all("introduction" in candidate.question and '"Gates"' in candidate.question for candidate in found)
    for candidate in found:
        proven(candidate, excerpt)

    def closing(b):
        b.heading("Handbook", 1)
        b.heading("Gates", 2)
        for number in ("First", "Second", "Third", "Fourth"):
            b.heading(f"{number} gate", 3)
            b.paragraph(BODY.format(number))
        b.heading("Summary", 3)
        b.paragraph(ABSTRACT)

    excerpt = built("Handbook", closing)
    found = every(summary.chapter_summary, excerpt)
    assert {candidate.gold for candidate in found} == {(ABSTRACT,)}
    for candidate in found:
        proven(candidate, excerpt)
        assert "Summary" not in candidate.withheld.text


def test_a_reference_whose_sentence_stands_twice_is_passed_over():
    excerpt = built("Handbook", lambda b: [manual(b), b.paragraph(INTRO.split(". ")[0] + ".")])
    assert every(summary.chapter_summary, excerpt) == []


def test_couplet_headings_are_restored():
    excerpt = built("三国故事", novel)
    found = every(summary.couplet_heading, excerpt, 30)
    assert {candidate.gold[0] for candidate in found} == {
        "宴桃园豪杰三结义 斩黄巾英雄首立功",
        "张翼德怒鞭督邮 何国舅谋诛宦竖",
        "议温明董卓叱丁原 馈金珠李肃说吕布",
    }
    for candidate in found:
        proven(candidate, excerpt)
        first = candidate.gold[0].split()[0]
        assert f"{len(first)}字" in candidate.question
        assert candidate.once[0] in candidate.question
    # A chapter that the excerpt cuts is not whole, and one whose lines differ in length has no couplet.
    assert {
        c.gold[0][:3] for c in every(summary.couplet_heading, Excerpt(excerpt.document, excerpt.blocks[:-1]), 30)
    } == {
        "宴桃园",
        "张翼德",
    }
    assert summary.count_couplets(excerpt.document) == 3
    assert (
        summary.count_couplets(built("法", lambda b: [b.heading("第一章 总则", 2), b.paragraph("条文。")]).document)
        == 0
    )


@pytest.mark.parametrize(
    ("text", "language", "reason"),
    [
        ("第五百一十二条 " + "人民检察院可以向人民法院提出没收违法所得的申请。" * 3, "zh", "numbered clause"),
        ("（三）" + "人民检察院可以向人民法院提出没收违法所得的申请。" * 3, "zh", "numbered clause"),
        ("2. " + "The keeper locks the gates of the zoo at night. " * 4, "en", "numbered clause"),
        ("却说张郃部兵三万，分为三寨，各傍山险。" * 4, "zh", "tells a story"),
        ("孔明分付黄忠：“你既要去，吾教法正助你。凡事计议而行。”" * 3, "zh", "tells a story"),
        ("Note: " + "The keeper locks the gates of the zoo at night. " * 4, "en", "aside"),
        ("The keeper locks the gates. " * 6 + "In the next chapter we will open them.", "en", "other chapters"),
        ("提示 " + "本章介绍系统的启动过程，以及如何配置各项服务。" * 3, "zh", "aside"),
        ("The keeper locks the gates, as [fig:gates] shows, at night. " * 4, "en", "one step"),
        ("Locked Gates at night: " + "The keeper locks the gates of the zoo. " * 4, "en", "one step"),
        ("Let’s lock the gates. " + "The keeper locks the gates of the zoo. " * 4, "en", "one step"),
        ("The first gate is locked. " + "The keeper locks the gates of the zoo. " * 4, "en", "one step"),
        ("The keeper locks the gates of the zoo, as Listing 3 has it. " * 4, "en", "one step"),
        ("系统的启动过程可以用下列方式配置，各项服务也是这样。" * 3, "zh", "one step"),
        ("Short.", "en", "too short"),
        ("本章介绍系统的启动过程，以及如何配置各项服务。" * 3, "zh", None),
        ("The second chapter tells how the gates are locked. " * 4, "en", None),
    ],
)
def test_texts_that_are_no_references(text, language, reason):
    found = references.unfit_reference(text, language)
    assert found is None if reason is None else reason in found


@pytest.mark.parametrize(
    ("title", "text", "language", "names"),
    [
        ("Locking gates", "The gate is locked.", "en", True),
        ("multi_news 10", "A multitude of damaging effects.", "en", False),
        ("Async, Await, Futures", "Using async with futures.", "en", True),
        ("租赁办法", "本办法规定了房屋租赁的登记。", "zh", True),
        ("租赁办法", "出租人应当签订合同。", "zh", False),
    ],
)
def test_names_subject(title, text, language, names):
    assert references.names_subject(title, text, language) is names


def test_rules_do_not_introduce_a_section():
    rest = "Every package must ship its licence. Licence files are small, and the licence file is never compressed."
    assert not references.introduces("Every package must ship a copy of its licence file.", rest, "en")
    assert references.introduces("This section says which licence file every package must ship.", rest, "en")


@pytest.mark.parametrize(("mark", "asked"), [("“", True), ("", False)])
def test_a_chapter_that_opens_with_half_a_quotation_is_passed_over(mark, asked):
    def opened(b):
        b.heading("第一回 宴桃园豪杰三结义　斩黄巾英雄首立功", 2)
        b.paragraph(f"却说玄德引军前进，对众人曰：{mark}吾等当先往救之。”遂率三千人马星夜赶到城下扎住营寨。")
        b.paragraph("次日又战，互有胜负，各自收兵回营，商议来日再战之事。")
        b.heading("第二回 张翼德怒鞭督邮　何国舅谋诛宦竖", 2)

    assert bool(every(summary.couplet_heading, built("三国故事", opened))) is asked


def test_the_length_that_is_asked_for():
    assert references.about("系统使用 Linux kernel 6 启动。" * 10, "zh") == "90"
    assert references.about("one two three " * 10, "en") == "30"


def test_amounts_for_assignment():
    document = built("Handbook", manual).document
    assert (summary.count_abstracts(document), summary.count_chapters(document)) == (0, 2)
    assert summary.count_abstracts(built("Locking the gates", lambda b: paper(b, heading=False)).document) == 1
