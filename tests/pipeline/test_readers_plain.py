"""The plain text reader on page-like texts: indented bodies, drawn tables, code, numbered headings, framed books."""

from hypothesis import given
from hypothesis import strategies as st

from golongrl.pipeline.dataset.readers import Origin, drawn_table, plain

ORIGIN = Origin("a.txt", "a", ".txt", "CC0")


def read(text):
    return next(plain.read(text, ORIGIN))


def kinds(text):
    document = read(text)
    return [(b.kind, document.slice(b.content)) for b in document.blocks if b.kind != "table"]


FILLED = (
    "The river rises in the hills above the town and runs for forty miles\n"
    "through open country before it meets the sea at a broad and shallow\n"
    "bay of grey sand, where the boats of three parishes lie at anchor in\n"
    "winter.\n"
)
JOINED = " ".join(FILLED.split())


def indented(text, by=4):
    return "".join(" " * by + line + "\n" if line else "\n" for line in text.splitlines())


def test_an_indented_body_is_no_code_and_what_stands_at_the_margin_is_a_heading():
    shell = "    $ ls /etc\n    $ cat /etc/hosts\n    $ exit\n"
    text = "Rivers\n\n1.1. Sources\n\n" + indented(FILLED) + "\n" + indented(FILLED) + "\n" + shell
    text += "\n1.2. Mouths\n\n" + indented(FILLED)
    assert kinds(text) == [
        ("heading", "Rivers"),
        ("heading", "1.1. Sources"),
        ("paragraph", JOINED),
        ("paragraph", JOINED),
        ("code", "$ ls /etc\n$ cat /etc/hosts\n$ exit"),
        ("heading", "1.2. Mouths"),
        ("paragraph", JOINED),
    ]
    assert [b.level for b in read(text).blocks if b.kind == "heading"] == [1, 3, 3]


def test_indented_prose_stays_prose_and_code_parted_by_blank_lines_is_one_block():
    code = "    if rain:\n        stay()\n\n    go()\n    row()\n"
    text = FILLED + "\n" + indented(FILLED, 5) + "\n" + FILLED + "\n" + code + "\n" + FILLED
    assert kinds(text) == [
        ("paragraph", JOINED),
        ("paragraph", JOINED),
        ("paragraph", JOINED),
        ("code", "if rain:\n    stay()\n\ngo()\nrow()"),
        ("paragraph", JOINED),
    ]


def test_terms_stand_apart_from_their_explanations():
    text = FILLED + "\nestuary\n" + indented(FILLED, 3) + "\n1. Delta\n\n2. Mouth\n" + indented(FILLED, 3)
    assert kinds(text) == [
        ("paragraph", JOINED),
        ("paragraph", "estuary"),
        ("paragraph", JOINED),
        ("item", "Delta"),
        ("item", "Mouth"),
        ("paragraph", JOINED),
    ]


def test_drawn_tables_with_wide_characters_and_cells_of_several_lines():
    text = (
        "+-------------------+\n"
        "|数字    |说明      |\n"
        "|--------+----------|\n"
        "|第一个可|Set-User  |\n"
        "|选数    |之和      |\n"
        "|--------+----------|\n"
        "|第二个  |组权限    |\n"
        "+-------------------+\n"
    )
    table = read(text).blocks[0].table
    assert table.columns == ("数字", "说明")
    assert [row.cells for row in table.rows] == [("第一个可选数", "Set-User之和"), ("第二个", "组权限")]


def test_drawings_that_are_no_tables_are_code():
    assert drawn_table.read_table(["+--+--+", "|a b|c|", "+--+--+"]) is None
    assert drawn_table.read_table(["+--+", "text", "+--+"]) is None
    assert drawn_table.width("a中b") == 4


def test_numbered_lines_in_one_block_are_items():
    text = "Contents\n\n1. Rivers\n  1.1. Sources\n  1.2. Mouths\n2. Lakes\n"
    assert [said for kind, said in kinds(text) if kind == "item"] == [
        "1. Rivers",
        "1.1. Sources",
        "1.2. Mouths",
        "2. Lakes",
    ]


def test_books_lose_their_frame_and_keep_parts_and_chapters():
    text = (
        "The Project Gutenberg EBook of Rivers\n\nTitle: On Rivers\n\nAuthor: Ann Lee\n\n"
        "*** START OF THIS PROJECT GUTENBERG EBOOK ON RIVERS ***\n\nProduced by Bo Ek\nand others\n\n\n"
        "     Chapter I\n     Chapter II\n\nBook the First--Upstream\n\n\n\n\nI. The Hills\n\n\n"
        f"{FILLED}\n\n\n\nII. The Town\n\n\n{FILLED}\n\n\nEnd of the Project Gutenberg EBook of Rivers\n\n"
        "*** END OF THIS PROJECT GUTENBERG EBOOK ON RIVERS ***\n\nThe licence.\n"
    )
    document = read(text)
    assert document.title == "On Rivers"
    assert "Gutenberg" not in document.text
    assert "licence" not in document.text
    assert "Bo Ek" not in document.text
    assert [(b.level, document.slice(b.content)) for b in document.blocks if b.kind == "heading"] == [
        (2, "Book the First--Upstream"),
        (3, "I. The Hills"),
        (3, "II. The Town"),
    ]


def test_several_underlined_top_headings_are_chapters_below_the_title():
    text = f"Rivers\n******\n\nOne\n***\n\n{FILLED}\nSub\n===\n\n{FILLED}\nTwo\n***\n\n{FILLED}"
    document = read(text)
    assert [b.level for b in document.blocks if b.kind == "heading"] == [1, 2, 3, 2]


@given(st.text(st.sampled_from("ab *-=+|1.\n \t中。[]#"), max_size=200))
def test_any_text_keeps_its_letters(text):
    document = read(text)
    for char in "ab中":
        assert document.text.count(char) == text.count(char)
