"""Task forms: hand-checked questions and golds, in English and Chinese."""

import random

import pytest

from golongrl.core.tokens import ApproxTokenizer
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct import (
    comprehension,
    exhaustive,
    matching,
    ordering,
    ranking,
    retrieval,
    summary,
)
from golongrl.pipeline.dataset.construct.form import Candidate, Unfit
from golongrl.pipeline.dataset.context import Bin, build_context
from golongrl.pipeline.dataset.excerpt import Excerpt, Measured
from golongrl.pipeline.dataset.readers import Origin, delimited, markdown, rows

MARKDOWN = """# Zoo handbook

The handbook tells keepers how the animals of the zoo are fed and how the gates are kept. Keepers read it before their
first day, and every keeper signs the list of gates and animals at the office.

## Feeding

Elephants eat about two hundred kilograms of hay on every single day. The hay comes from the northern barn before
sunrise. A keeper weighs the hay of the elephants twice.

## Gates

- north gate
- river gate
- staff gate

Every gate is locked by two keepers once the last visitor has left. The keys hang in the office beside the map.

## Visitors

Visitors may bring their own lunch but no glass into the park. Dogs wait in the kennel near the river, where hay and
water are free.

## Office

The office opens at eight and keeps the list of lost umbrellas. Hay bills, visitors and keys are all in one drawer.
"""

LAW = """# 租赁办法

本办法规定了房屋租赁的登记、租金和押金，适用于本市全部住宅。出租人和承租人应当按照本办法签订书面合同，并在三十日内办理登记。

## 登记

出租人应当在合同签订之后三十日内到房管部门办理登记手续。登记时应当提交房屋权属证明和双方身份证件。

## 租金

租金由双方协商确定，承租人应当按照合同约定的期限支付。逾期支付租金的承租人应当承担违约责任。

## 押金

押金不得超过两个月的租金，由出租人保管到合同终止之日。合同终止之后出租人应当在七日内退还押金。

## 附则

承租人和出租人对住宅的租金发生争议的，可以向房管部门申请调解。本市范围内的书面合同应当写明租赁的期限和用途。
"""

CSV = "animal,legs,home\nant,6,soil\nbee,6,hive\ncrab,10,sea\ndog,4,house\neel,0,sea\n"


def excerpt(text, reader=markdown, suffix=".md"):
    document = next(iter(reader.read(text, Origin("zoo" + suffix, "zoo", suffix, "CC0"))))
    return Excerpt(document, document.blocks)


def every(construct, shown, tries=60):
    found = [construct(shown, random.Random(seed)) for seed in range(tries)]
    return [candidate for candidate in found if isinstance(candidate, Candidate)]


def check_evidence(candidate):
    document = candidate.excerpt.document
    texts = [document.slice(span) for span in candidate.evidence]
    assert all(any(proof in text for text in texts) for proof in candidate.proof or candidate.gold)


def test_cell_value_asks_for_every_cell_but_the_key():
    table = {
        "ant": ("6", "soil"),
        "bee": ("6", "hive"),
        "crab": ("10", "sea"),
        "dog": ("4", "house"),
        "eel": ("0", "sea"),
    }
    seen = set()
    for candidate in every(retrieval.cell_value, excerpt(CSV, delimited, ".csv")):
        key = next(name for name in table if f'"animal" is "{name}"' in candidate.question)
        column = 0 if '"legs"' in candidate.question else 1
        assert candidate.gold == (table[key][column],)
        assert candidate.question.startswith('In the table of the document "zoo", what is the value of')
        check_evidence(candidate)
        seen.add((key, column))
    assert len(seen) == 10


def test_a_row_without_a_key_column_is_named_by_two():
    shown = excerpt("x,y,z\n1,1,5\n1,2,5\n2,1,7\n2,2,9\n", delimited, ".csv")
    for candidate in every(retrieval.cell_value, shown):
        assert candidate.question.count(" is ") == 3
        x, y = (int(candidate.question.split(f'"{name}" is "')[1][0]) for name in "xy")
        assert candidate.gold == ({(1, 1): "5", (1, 2): "5", (2, 1): "7", (2, 2): "9"}[x, y],)


def test_rows_that_repeat_cannot_be_asked_for():
    shown = excerpt("x,y\n1,1\n1,1\n1,1\n1,1\n", delimited, ".csv")
    assert retrieval.cell_value(shown, random.Random(0)) == Unfit("no table whose rows can be told apart")


def test_heading_of_sentence():
    found = {c.question.split("\n")[1]: c.gold[0] for c in every(retrieval.heading_of_sentence, excerpt(MARKDOWN))}
    assert found["A keeper weighs the hay of the elephants twice."] == "Feeding"
    assert found["The keys hang in the office beside the map."] == "Gates"
    assert "Hay bills, visitors and keys are all in one drawer." in found
    # This sentence holds the name of its heading.
    assert "The office opens at eight and keeps the list of lost umbrellas." in found
    assert not any(gold in sentence for sentence, gold in found.items())


def test_missing_word_fits_exactly_one_place():
    for text in (MARKDOWN, LAW):
        shown = excerpt(text)
        found = every(retrieval.missing_word, shown)
        assert found
        for candidate in found:
            sentence = candidate.question.split("\n")[1]
            assert sentence.count("____") == 1
            assert sentence.replace("____", candidate.gold[0]) in shown.text
            assert candidate.gold[0] not in sentence


def test_choices_hold_one_right_option():
    for construct in (comprehension.section_choice, comprehension.next_sentence):
        for candidate in every(construct, excerpt(MARKDOWN)):
            assert len(set(candidate.options)) == 4
            right = candidate.options["ABCD".index(candidate.gold[0])]
            assert candidate.proof == (right,)
            check_evidence(candidate)
    pairs = {
        c.question.split("\n")[1]: c.proof[0]
        for c in every(comprehension.next_sentence, excerpt(MARKDOWN), tries=200)
    }
    start = "Every gate is locked by two keepers once the last visitor has left."
    assert pairs[start] == "The keys hang in the office beside the map."


def test_cell_choice_has_no_second_right_value():
    shown = excerpt("n,size\na,1.0\nb,1\nc,2\nd,3\ne,4\n", delimited, ".csv")
    found = every(comprehension.cell_choice, shown)
    assert found
    for candidate in found:
        assert not {"1.0", "1"} <= set(candidate.options)


def test_rows_where_lists_all_and_only_the_rows():
    answers = {
        '"home" is "sea"': {"crab", "eel"},
        '"legs" is greater than 4': {"ant", "bee", "crab"},
        '"legs" is greater than 6': {"crab"},
        '"legs" is greater than 0': {"ant", "bee", "crab", "dog"},
    }
    seen = set()
    for candidate in every(exhaustive.rows_where, excerpt(CSV, delimited, ".csv")):
        condition = candidate.question.split("every row where ")[1].split(" and list")[0]
        assert set(candidate.gold) == answers[condition]
        check_evidence(candidate)
        seen.add(condition)
    assert seen == {'"home" is "sea"', '"legs" is greater than 4'}


def test_headings_with_word():
    sections = {"Zoo handbook", "Feeding", "Gates", "Visitors", "Office"}
    found = {
        c.question.split('"')[-2]: set(c.gold) for c in every(exhaustive.headings_with_word, excerpt(MARKDOWN), 200)
    }
    assert found["river"] == {"Gates", "Visitors"}
    assert found["keepers"] == {"Zoo handbook", "Gates"}
    assert all(gold < sections for gold in found.values())
    # A heading holds "Office", and "elephants" stands in one section only.
    assert not {"office", "elephants", "visitors"} & set(found)


def test_sentences_with_word_counts_no_longer_words():
    text = (
        "# T\n\nThe falcon sleeps on the tall tower all day long. Nobody feeds the falcon when it is raining hard. "
        "The keeper counts the birds in the yard at noon. Two keepers sweep the yard before the first guests come. "
        "A bird in the hand is worth two in the bush.\n"
    )
    found = {c.question.split('"')[-2]: c.gold for c in every(exhaustive.sentences_with_word, excerpt(text), 100)}
    assert found["falcon"] == (
        "The falcon sleeps on the tall tower all day long.",
        "Nobody feeds the falcon when it is raining hard.",
    )
    assert "keeper" not in found


def test_list_items():
    found = every(exhaustive.list_items, excerpt(MARKDOWN))
    assert {c.gold for c in found} == {("north gate", "river gate", "staff gate")}
    assert '"Gates"' in found[0].question


def test_cells_of_keys():
    homes = {"ant": "soil", "bee": "hive", "crab": "sea", "dog": "house", "eel": "sea"}
    for candidate in every(matching.cells_of_keys, excerpt(CSV, delimited, ".csv")):
        asked = candidate.question.split("\n")[1:]
        if '"home" of each' in candidate.question:
            assert list(candidate.gold) == [f"{name}: {homes[name]}" for name in asked]


def test_headings_of_sentences():
    heads = {"The hay comes from the northern barn before sunrise.": "Feeding"}
    hits = 0
    for candidate in every(matching.headings_of_sentences, excerpt(MARKDOWN)):
        for line in candidate.question.split("\n")[1:]:
            letter, sentence = line.split(". ", 1)
            if sentence in heads:
                assert f"{letter}: {heads[sentence]}" in candidate.gold
                hits += 1
    assert hits


def test_headings_by_count():
    texts = {"One": "maple maple maple", "Two": "maple oaken", "Three": "maple maple oaken", "Four": "elm"}
    body = "# T\n\n" + "".join(f"## {name}\n\n{text}\n\n" for name, text in texts.items())
    found = every(ranking.headings_by_count, excerpt(body))
    assert {c.gold for c in found} == {("One", "Three", "Two")}
    tie = body.replace("maple oaken\n", "maple maple oaken\n")
    assert every(ranking.headings_by_count, excerpt(tie)) == []


def test_heading_order_and_its_guard_against_numbers():
    order = ["Feeding", "Gates", "Visitors", "Office"]
    found = every(ordering.heading_order, excerpt(MARKDOWN))
    assert found
    for candidate in found:
        assert list(candidate.gold) == order
        assert candidate.question.split("\n")[1:] != order
    numbered = "# T\n\n" + "".join(f"## {n}. {name}\n\ntext\n\n" for n, name in enumerate(order, 1))
    assert every(ordering.heading_order, excerpt(numbered)) == []


def test_sentence_order_gives_letters_in_document_order():
    for text in (MARKDOWN, LAW):
        found = every(ordering.sentence_order, excerpt(text))
        assert found
        for candidate in found:
            lettered = dict(line.split(". ", 1) for line in candidate.question.split("\n")[1:])
            places = [candidate.excerpt.text.index(lettered[letter]) for letter in candidate.gold]
            assert places == sorted(places)
            assert list(candidate.gold) != sorted(candidate.gold)


def test_numbered_clauses_are_not_ordered():
    clauses = "\n\n".join(f"第{n}条 出租人应当在合同签订之后及时办理第{n}项登记手续。" for n in "一二三四五六")
    assert every(ordering.sentence_order, excerpt(f"# 办法\n\n{clauses}\n")) == []


@pytest.mark.parametrize(
    ("sentence", "language", "whole"),
    [
        ('He said "we will leave the house at nine" and left.', "en", True),
        ("The crowd was deriding him and calling out: “Yah!", "en", False),
        ("And hallo you there in the dark!” said Jerry hoarsely.", "en", False),
        ('Nobody in the whole town had ever said so." ', "en", False),
        ("维曰：“我见诸将不服，请尽坑之。”", "zh", True),
        ("我正要大起川兵，杀下江南，报我之恨！”", "zh", False),
        ("管理人（包括物业服务企业应当及时公开有关事项。", "zh", False),
        ("Only the second “of ”these two“ is wrong in this line.", "en", False),
    ],
)
def test_sentences_cut_out_of_a_quotation_are_not_quoted(sentence, language, whole):
    assert prose.quotable(sentence, language) == whole


def test_ordinals_and_guessed_words_are_no_content_words():
    assert set(prose.content_words("第九条规定，卓问李儒。", "zh")).isdisjoint({"第九", "卓问"})


def test_opening_is_taken_out_of_the_context():
    for text, start in ((MARKDOWN, "The handbook tells"), (LAW, "本办法规定了")):
        (candidate, *_) = every(summary.opening, excerpt(text))
        assert candidate.gold[0].startswith(start)
        assert candidate.gold[0] not in candidate.excerpt.text
        check_evidence(candidate)


@pytest.mark.parametrize(
    ("text", "language", "reason"),
    [
        ("第五百一十二条 " + "人民检察院可以向人民法院提出没收违法所得的申请。" * 3, "zh", "numbered clause"),
        ("（三）" + "人民检察院可以向人民法院提出没收违法所得的申请。" * 3, "zh", "numbered clause"),
        ("2. " + "The keeper locks the gates of the zoo at night. " * 4, "en", "numbered clause"),
        ("却说张郃部兵三万，分为三寨，各傍山险。" * 4, "zh", "tells a story"),
        ("孔明分付黄忠：“你既要去，吾教法正助你。凡事计议而行。”" * 3, "zh", "tells a story"),
        ("本章介绍系统的启动过程，以及如何配置各项服务。" * 3, "zh", None),
        ("The second chapter tells how the gates are locked. " * 4, "en", None),
    ],
)
def test_clauses_and_narration_are_no_summaries(text, language, reason):
    found = summary.unfit_reference(text, language)
    assert found is None if reason is None else reason in found


def test_own_abstract():
    body = "The gates are kept by two keepers, who lock every gate of the zoo at night and count the animals. " * 8
    abstract = (
        "We describe how keepers lock the gates of the zoo at night. Every gate has two keepers, and the animals "
        "are counted before the gates are closed for the night."
    )
    (candidate, *_) = every(summary.own_abstract, excerpt(f"# P\n\n## Abstract\n\n{abstract}\n\n## Text\n\n{body}\n"))
    assert candidate.gold == (abstract,)
    assert "Abstract" not in candidate.excerpt.text


def test_speaker_of_sentence():
    turns = [("Ann", "The meeting starts with the budget of the coming spring."), ("Bo", "I think it is too small.")]
    turns += [("Cy", "We could ask the northern office for another two hundred coins.")]
    row = '{"turns": [' + ", ".join(f'{{"speaker": "{who}", "text": "{text}"}}' for who, text in turns) + "]}"
    found = every(retrieval.speaker_of_sentence, excerpt(row, rows, ".jsonl"))
    assert {c.gold[0] for c in found} == {"Ann", "Cy"}
    assert all(dict(turns)[c.gold[0]] in c.question for c in found)


@pytest.mark.parametrize(
    ("construct", "words"),
    [
        (retrieval.heading_of_sentence, "之前最近的标题是什么"),
        (comprehension.next_sentence, "紧接在"),
        (ordering.sentence_order, "先后顺序"),
        (summary.opening, "概括文档《租赁办法》"),
    ],
)
def test_chinese_documents_are_asked_in_chinese(construct, words):
    found = every(construct, excerpt(LAW))
    assert found
    assert all(words in candidate.question for candidate in found)


def test_sentences_know_abbreviations():
    text = 'Mr. Smith met Dr. Jones at 3 p.m. on Monday. They spoke (briefly). "Done!" he said.'
    from golongrl.core.documents import Span

    spans = list(prose.sentences(text, Span(0, len(text)), "en"))
    assert [text[s.start : s.end] for s in spans][:2] == [
        "Mr. Smith met Dr. Jones at 3 p.m. on Monday.",
        "They spoke (briefly).",
    ]


def filler(number):
    words = f"Filler number {number} speaks about clouds and rivers without any end. " * 12
    document = next(iter(markdown.read(f"# Filler {number}\n\n{words}", Origin(f"f{number}.md", "f", ".md", "CC0"))))
    return Measured(document, ApproxTokenizer())


def context(candidate, upper=1024, lower=0, fillers=()):
    return build_context(
        candidate,
        "em",
        fillers,
        bin=Bin("1k", lower, upper),
        limit=upper,
        size=upper,
        tokenizer=ApproxTokenizer(),
        rng=random.Random(0),
    )


def test_contexts_fill_up_to_the_bin_and_never_above():
    candidate = every(retrieval.heading_of_sentence, excerpt(MARKDOWN))[0]
    for upper in (700, 1024, 1500):
        built = context(candidate, upper, fillers=[filler(n) for n in range(20)])
        assert built.n_tokens == ApproxTokenizer().count(built.prompt) <= upper
        assert built.n_tokens > upper - 300
        assert candidate.excerpt.text in built.prompt
        titles = [shown.document.title for shown in built.excerpts]
        assert len(set(titles)) == len(titles) > 1
    assert context(candidate, 250) == Unfit("longer than the bin")
    assert context(candidate, 1024, lower=512) == Unfit("too few other documents to fill the bin")


def test_a_context_that_repeats_the_quoted_sentence_is_refused():
    candidate = every(retrieval.heading_of_sentence, excerpt(MARKDOWN))[0]
    copy = candidate.once[0].upper()
    document = next(iter(markdown.read(f"# Echo\n\n{copy}", Origin("e.md", "e", ".md", "CC0"))))
    built = context(candidate, fillers=[Measured(document, ApproxTokenizer())])
    assert built == Unfit("what the question quotes stands in the context more than once")
    long = next(iter(markdown.read(f"# Echo\n\n{copy}\n\n" + "Cloud. " * 100, Origin("e.md", "e", ".md", "CC0"))))
    built = context(candidate, 1500, fillers=[Measured(long, ApproxTokenizer())])
    assert built == Unfit("what the question quotes stands in the context more than once")


def test_windows_keep_to_the_budget_and_to_block_boundaries():
    body = "".join(f"## Part {n}\n\nSentence number {n} is here to be counted.\n\n" for n in range(200))
    table = "| k | v |\n|---|---|\n" + "".join(f"| key{n} | {n} |\n" for n in range(200))
    document = next(iter(markdown.read(f"# Long\n\n{body}\n{table}", Origin("l.md", "l", ".md", "CC0"))))
    tokenizer = ApproxTokenizer()
    measured = Measured(document, tokenizer)
    for seed in range(200):
        rng = random.Random(seed)
        budget = rng.randint(80, 900)
        shown, used = measured.window(budget, rng)
        assert tokenizer.count(shown.text) <= used + 1 <= budget + 1
        assert shown.blocks[-1].kind != "heading"
        for block in shown.blocks:
            if block.table:
                assert "| k | v |\n| key" in shown.text
            else:
                assert document.slice(block.span) in shown.text
