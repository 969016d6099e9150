"""Filters of phase 1: what is taken out of documents, which language they are in, what is refused and why."""

import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golongrl.core.documents import DocumentBuilder
from golongrl.core.text import normalise
from golongrl.pipeline.dataset.filters import boilerplate, characters, gutenberg, language, quality, site_text
from golongrl.pipeline.dataset.filters import contents as contents_filter
from golongrl.pipeline.dataset.filters.quality import fault

PROSE = (
    "The mill stands where the river leaves the wood, and the path to it is hard to find in winter. ",
    "Every spring the miller opens the sluice by hand, because the wheel of the gate has rusted away. ",
    "Nobody in the village knows who built it or why the stones are marked with the sign of a heron. ",
)


def document(*blocks, title="", source="notes/walk.txt", licence="unknown"):
    """A document of (kind, text) blocks; a bare string is a paragraph."""
    builder = DocumentBuilder()
    for block in blocks:
        kind, text = ("paragraph", block) if isinstance(block, str) else block
        if kind == "heading":
            builder.heading(text, 2)
        elif kind == "item":
            builder.item(text, 1)
        elif kind == "code":
            builder.code(text)
        elif kind == "turn":
            builder.turn("Ann", text)
        elif kind == "table":
            builder.table(text[0], text[1:])
        else:
            builder.paragraph(text)
    return builder.build(source=source, title=title, fallback="walk", licence=licence)


def prose(count):
    """Distinct paragraphs of about 300 characters."""
    return [f"Note {number}x tells this. " + "".join(PROSE) for number in range(count)]


def contents(stripped):
    return [stripped.slice(block.content) for block in stripped.blocks]


def test_a_plain_document_is_returned_as_it_is():
    given_document = document(("heading", "Walk"), *prose(5))
    stripped, removed = boilerplate.strip(given_document)
    assert stripped is given_document
    assert removed == {}


def test_gutenberg_frame_goes_and_gives_licence_and_title():
    stripped, removed = boilerplate.strip(
        document(
            "The Project Gutenberg EBook of The Mill, by A. Weir",
            "This eBook is for the use of anyone anywhere at no cost.",
            "Title: The Mill Author: Ann Weir Release Date: May, 1999",
            "*** START OF THIS PROJECT GUTENBERG EBOOK THE MILL ***",
            "Produced by Some Volunteer",
            *prose(3),
            "End of the Project Gutenberg EBook of The Mill, by A. Weir",
            "*** END OF THIS PROJECT GUTENBERG EBOOK THE MILL ***",
            "Section 1. General Terms of Use",
        )
    )
    assert contents(stripped) == [text.strip() for text in prose(3)]
    assert removed == {"Project Gutenberg licence": 8}
    assert stripped.licence == gutenberg.LICENCE
    assert stripped.title == "The Mill"


def test_small_print_of_old_etexts_goes():
    stripped, _ = boilerplate.strip(
        document(
            "**Welcome To The World of Free Plain Vanilla Electronic Texts**",
            "***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***",
            "Please do not remove this.",
            "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
            *prose(2),
            "End of Project Gutenberg Etext of The Mill",
        )
    )
    assert contents(stripped) == [text.strip() for text in prose(2)]


def test_a_mark_inside_the_only_paragraph_shortens_it():
    book = "".join(PROSE)
    stripped, removed = boilerplate.strip(
        document(
            f"Header *** START OF THE PROJECT GUTENBERG EBOOK X *** {book}*** END OF THE PROJECT GUTENBERG EBOOK X"
        )
    )
    assert stripped.text == book.strip()
    assert removed == {"Project Gutenberg licence": 1}


def test_a_known_licence_stays_and_a_copyrighted_book_gets_none():
    marks = "*** START OF THE PROJECT GUTENBERG EBOOK X ***", *prose(1)
    assert boilerplate.strip(document(*marks, licence="CC0"))[0].licence == "CC0"
    said = "This is a COPYRIGHTED Project Gutenberg eBook."
    assert boilerplate.strip(document(said, *marks))[0].licence == "unknown"


def test_talk_about_project_gutenberg_is_no_frame():
    told = document(*prose(1), "It was the end of the Project Gutenberg of old, they said.", *prose(1))
    assert boilerplate.strip(told)[0] is told


def test_contents_with_leaders_go_and_ellipses_stay():
    lines = ["1 The Mill . . . . . . . . 3", "2 The River ........ 17", "3 The Wood ········ 29"]
    stripped, removed = boilerplate.strip(document(*lines, *prose(2), "He waited......", "And then....", "So……"))
    assert removed == {"table of contents": 3}
    assert contents(stripped)[-3:] == ["He waited......", "And then....", "So……"]


def test_announced_contents_end_where_the_text_begins():
    stripped, removed = boilerplate.strip(
        document(
            ("heading", "CONTENTS"),
            ("item", "Chapter 1 The Mill"),
            ("item", "Chapter 2 The River"),
            ("item", "Chapter 3 The Wood"),
            ("heading", "Chapter 1 The Mill"),
            *prose(2),
        )
    )
    assert removed == {"table of contents": 4}
    assert contents(stripped)[0] == "Chapter 1 The Mill"
    chinese = document(
        "目 录", "第一章 河流 1", "第二章 山谷 9", "第三章 村庄 20", ("heading", "第一章 河流"), "正文在此。"
    )
    assert contents(boilerplate.strip(chinese)[0]) == ["第一章 河流", "正文在此。"]


def test_a_list_of_the_own_headings_goes_without_announcement():
    names = ["Aim", "Tools", "Method", "Findings", "Limits"]
    body = [block for name, text in zip(names, prose(5), strict=True) for block in (("heading", name), text)]
    stripped, removed = boilerplate.strip(document("Report of May.", *(("item", name) for name in names), *body))
    assert removed == {"table of contents": 5}
    assert contents(stripped)[:2] == ["Report of May.", "Aim"]


def test_a_table_of_figures_below_contents_is_no_table_of_contents():
    sales = ("table", (("Item", "Sold"), ("tea", "30"), ("milk", "12"), ("salt", "25"), ("rice", "7")))
    given_document = document("Contents", sales, *prose(2))
    assert boilerplate.strip(given_document)[0] is given_document
    pages = ("table", (("Part", "Page"), ("Tea", "3"), ("Milk", "12"), ("Salt", "25"), ("Rice", "70")))
    assert boilerplate.strip(document("Contents", pages, *prose(2)))[1] == {"table of contents": 2}


def test_page_numbers_and_running_heads_go():
    pages = [
        block
        for number, text in enumerate(prose(16), start=1)
        for block in ([text, "The Mill Annual", str(number // 4 + 3)] if number % 4 == 0 else [text])
    ]
    # Four pages of about 1,200 characters are too few to count.
    assert boilerplate.strip(document(*pages))[1] == {}
    more = [
        block
        for number, text in enumerate(prose(28), start=1)
        for block in ([text, "The Mill Annual", str(number // 4 + 3)] if number % 4 == 0 else [text])
    ]
    stripped, removed = boilerplate.strip(document(*more))
    assert removed == {"page furniture": 14}
    assert contents(stripped) == [text.strip() for text in prose(28)]


def test_numbered_stanzas_and_scattered_numbers_stay():
    stanzas = [block for number in range(1, 9) for block in (str(number), PROSE[number % 3] + str(number))]
    scattered = [block for number in (7, 3, 90, 41, 2, 8) for block in (str(number), *prose(4))]
    for blocks in (stanzas, scattered):
        assert boilerplate.strip(document(*blocks))[1].get("page furniture") is None


def test_pages_said_in_words_go():
    blocks = [block for number in range(1, 6) for block in (f"Page {number} of 5", PROSE[number % 3])]
    assert boilerplate.strip(document(*blocks))[1] == {"page furniture": 5}
    blocks = [block for number in range(1, 6) for block in (f"第{number}页 共5页", "河边的磨坊很旧了。" * number)]
    assert boilerplate.strip(document(*blocks))[1] == {"page furniture": 5}


def test_menus_breadcrumbs_and_notices_go():
    stripped, removed = boilerplate.strip(
        document(
            *(("item", name) for name in ("Home", "About us", "River Guide", "Contact", "Login")),
            "Home > Guides > Rivers",
            *prose(40),
            "Back to top",
            "We use cookies to give you the best experience. Accept all cookies",
            "© 2019 River Club. All rights reserved.",
        )
    )
    assert removed == {"navigation": 7, "site notices": 2}
    assert contents(stripped) == [text.strip() for text in prose(40)]


def test_lists_of_things_and_text_about_cookies_stay():
    things = [("item", name) for name in ("tea", "milk", "salt", "rice", "news", "honey", "bread")]
    given_document = document(
        ("heading", "Privacy and cookies"), "We use cookies to count visits.", *things, *prose(2)
    )
    assert boilerplate.strip(given_document)[0] is given_document


def test_data_for_machines_goes():
    data = " ".join("ab0" * 60 for _ in range(5))
    assert boilerplate.strip(document(data, *prose(1)))[1] == {"machine data": 1}
    chinese = "河边的磨坊很旧了没有人知道是谁修建的" * 30
    assert boilerplate.strip(document(chinese))[1] == {}


def test_a_passage_bound_in_twice_is_kept_once():
    passage = prose(8)
    stripped, removed = boilerplate.strip(document(*passage, "In between.", *passage, "After it."))
    assert removed == {"repeated passages": 8}
    assert contents(stripped)[-2:] == ["In between.", "After it."]


WORDS = st.text(alphabet="abcdé中 12.*>©", min_size=1, max_size=40)
BLOCKS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["heading", "paragraph", "item", "code", "turn"]), WORDS),
        st.sampled_from(
            ["Contents", "Home", "Login", "Next", "Search", "1 The Mill ........ 3", "Page 3", "4", PROSE[0]]
        ),
        st.lists(st.tuples(WORDS, WORDS), min_size=2, max_size=4).map(lambda rows: ("table", rows)),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=60)
@given(BLOCKS)
def test_what_stays_is_rendered_as_the_builder_renders_it(blocks):
    before = document(*blocks)
    after, removed = boilerplate.strip(before)
    assert len(before.blocks) - len(after.blocks) == sum(removed.values())
    assert after.sha256 == hashlib.sha256(normalise(after.text).encode()).hexdigest()
    position = 0
    for number, block in enumerate(after.blocks):
        tight = number and block.kind == after.blocks[number - 1].kind == "item"
        assert after.text[position : block.span.start] == ("" if not number else "\n" if tight else "\n\n")
        position = block.span.end
        if block.table is not None:
            for row in block.table.rows:
                assert tuple(after.slice(span) for span in row.cell_spans) == row.cells
    assert position == len(after.text)
    kept = iter([(b.kind, before.slice(b.span), before.slice(b.content)) for b in before.blocks])
    assert all((b.kind, after.slice(b.span), after.slice(b.content)) in kept for b in after.blocks)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The cat sat on the mat and looked at the dog.", "en"),
        ("河边的磨坊很旧了，没有人知道是谁修建的。", "zh"),
        ("河邊的磨坊很舊了，沒有人知道是誰修建的。", "zh"),
        ("执行 apt install vim 命令即可安装编辑器，然后编辑 /etc/fstab 文件。", "zh"),
        ("川のそばの水車小屋はとても古くて、誰が建てたのか分かりません。", "ja"),
        ("강가의 방앗간은 매우 오래되어 누가 지었는지 아무도 모릅니다.", "ko"),
        ("Die Mühle steht am Fluss, und niemand weiß, wer sie gebaut hat.", "de"),
        ("Le moulin se trouve au bord de la rivière et personne ne sait qui l'a construit.", "fr"),
        ("El molino está junto al río y nadie sabe quién lo construyó.", "es"),
        ("Мельница стоит у реки, и никто не знает, кто её построил.", "ru"),
        ("| 12 | 3.5 | 88 |\n| 14 | 2.5 | 91 |", "unknown"),
        ("| id | qty |\n| a1 | 3 |\n| b2 | 4 |", "unknown"),
        ("", "unknown"),
        ("ok", "unknown"),
    ],
)
def test_language_of_short_texts(text, code):
    assert language.detect(text) == code


def test_the_language_of_most_of_a_long_text_counts():
    english, german = "".join(PROSE), "Die Mühle steht am Fluss, und niemand weiß, wer sie gebaut hat. " * 5
    assert language.detect(english * 60 + german * 20) == "en"
    assert language.detect(english * 20 + german * 60) == "de"


def test_tables_and_code_between_english_text_change_nothing():
    rows = "".join(f"| {number} | {number * 7} | x{number} |\n" for number in range(400))
    assert language.detect("".join(PROSE) * 10 + rows) in ("en", "unknown")


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("abTz09_@/.- \n'"), max_size=40))
def test_words_of_plain_ascii_are_those_of_any_text(text):
    assert language._ASCII_WORD.findall(text) == language._WORD.findall(text)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab- \n\u3000中"), min_size=1, max_size=40))
def test_words_are_counted_as_splitting_counts_them(sample):
    words, dense = quality._words(characters.classes(sample))
    assert (words, dense) == (len(sample.split()), len("".join(sample.split())))
    assert quality._lone_dashes(sample) == sample.split().count("-")


FILLERS = ("mill", "a", "éé", "naïve", "x1", "up-on", "b.c", "«да»", "of")


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 9), st.sampled_from(FILLERS), st.integers(0, 190))
def test_english_that_is_sure_is_english_word_by_word(function_words, filler, others):
    sample = " ".join(["then"] + [filler, "the"] * function_words + [filler] * others)
    if language._is_surely_english(sample, sample.encode()):
        found = language._WORD.findall(sample)
        assert len(found) >= language.MIN_WORDS
        assert found.count("the") + found.count("of") >= max(2, language.ENGLISH_SHARE * len(found))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from((".", ". ", "·", "_ ", "…", "-")), max_size=14))
def test_every_line_with_leaders_has_the_row_of_marks_that_is_looked_for_first(marks):
    line = f"A{''.join(marks)} 12"
    assert contents_filter._ROW_OF_MARKS.search(line) or not contents_filter._LEADER.fullmatch(line)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["a" * 60, "b" * 120, "中" * 30, " ", "\n", "\u3000"]), min_size=1, max_size=12))
def test_unbroken_strings_are_those_between_any_white_space_and_other_scripts(parts):
    text = "".join(parts)
    whole = sum(map(len, re.findall(r"[!-~]{100,}", text))) / len(text)
    assert site_text._share_unbroken(text) == whole


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("a1٢#.… "), max_size=40))
def test_symbols_are_hash_signs_that_number_nothing_and_runs_that_are_ellipses(sample):
    wanted = sum(len(re.findall(pattern, sample)) for pattern in (r"#(?!\d)", "…+", r"\.\.\.+"))
    assert quality._symbols(sample) == wanted


def test_blocks_as_long_as_earlier_ones_stay_unless_they_say_the_same():
    passage = prose(8)
    other = [text.replace("river", "stone") for text in passage]
    assert boilerplate.strip(document(*passage, "In between.", *other))[1] == {}


def test_good_kinds_of_documents_pass():
    table = ("table", (("name", "2021", "2022"), *((f"row {n}", str(n), str(n * 3)) for n in range(200))))
    dialogue = [("turn", "Yes." if number % 2 else f"{PROSE[number % 3]} {number}") for number in range(60)]
    statute = [("item", f"{number}. {PROSE[number % 3]} Rule {number} holds.") for number in range(60)]
    chinese = [f"第{number}条 河边的磨坊属于村民共有，任何人不得独占第{number}号水闸。" for number in range(60)]
    code = [("code", f"value_{number} = compute({number})\nprint(value_{number})") for number in range(40)]
    for blocks in ([table], dialogue, statute, chinese, code, prose(10), []):
        assert fault(document(*blocks)) is None


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        (["\ufffd" * 30 + "".join(PROSE)] * 2, "garbled"),
        (["(cid:12)(cid:7)(cid:44) " * 40], "garbled"),
        (["Lorem ipsum dolor sit amet, consectetur. " * 3, *prose(2)], "placeholder text"),
        (["12.5 88 / 93 % 41 -- 7 " * 40], "hardly any words"),
        ([" ".join("the mill stands by the river" * 30)], "no normal words"),
        (["https://example.org/a/b/c/d/page-one-of-many " * 20], "no normal words"),
        (["#mill #river #wood " * 40], "mostly symbols"),
        ([*prose(2), *prose(2), *prose(2)], "repeats itself"),
        ([f"Number {n} of the mills stands by the river ..." for n in range(20)], "cut off"),
        ([("item", f"Mill number {n}") for n in range(100)], "a mere list"),
    ],
)
def test_faults_are_named(blocks, reason):
    assert fault(document(*blocks)).startswith(reason)


def test_measures_by_hand():
    stats = quality.measure(document("abcd ef 12.", ("item", "gh"), ("code", "not counted 123")))
    # Running text is "abcd ef 12." and "gh": 13 characters, 8 of 11 that are not white space are letters.
    assert (stats.blocks, stats.characters, stats.items) == (2, 13, 1)
    assert stats.letters == pytest.approx(8 / 11)
    assert stats.word_length == pytest.approx(11 / 4)


def test_samples_of_a_long_text_come_from_all_of_it():
    parts = list(quality._samples(["a" * 40_000, "b" * 40_000, "c" * 40_000], 120_000))
    assert {part[0] for part in parts} == {"a", "b", "c"}
    assert sum(map(len, parts)) <= quality.SAMPLES * quality.SAMPLE_CHARACTERS
