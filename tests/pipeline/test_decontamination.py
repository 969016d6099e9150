"""Decontamination: questions and documents shared with benchmarks of our own making, and near-duplicate questions."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet
import pytest

from golongrl.core.errors import DataError, UsageError
from golongrl.pipeline.dataset.contamination import benchmark_rows
from golongrl.pipeline.dataset.contamination.decontamination import STOP_ROWS, near_duplicate_questions, open_index

ASKED = (
    "Which clerk of the old river mill signed the letter about the broken wheel that the widow kept in her attic "
    "until the flood?"
)
WORDS = ASKED.rstrip("?").split()
HAN = "河边的旧磨坊里哪位书记员签署了关于断裂水轮的信件并交给寡妇保管"


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def index_of(tmp_path, rows, n=13):
    return open_index([jsonl(tmp_path / "bench.jsonl", rows)], n, tmp_path / "cache")


def question_hit(index, question, answer=""):
    return next(index.question_hits([(question, answer)]))


@pytest.mark.parametrize(("count", "hit"), [(12, False), (13, True), (14, True)])
def test_thirteen_words_are_the_bound(tmp_path, count, hit):
    index = index_of(tmp_path, [{"id": "a1", "question": ASKED, "answer": "Ann Hale"}])
    shared = " ".join(WORDS[3 : 3 + count])
    text = f"Quite another beginning, {shared.upper()}; then something else follows here."
    found = question_hit(index, text, "No.")
    assert (found is not None) is hit
    if found:
        assert (found.benchmark, found.row, found.rule, found.ngrams) == (
            "bench.jsonl",
            "bench.jsonl#1 (a1)",
            "n-gram",
            count - 12,
        )
        assert found.text == text[found.start : found.end] == " ".join(WORDS[3:16]).upper()
        assert json.loads(json.dumps(found.as_row()))["text"] == found.text


@pytest.mark.parametrize(("count", "hit"), [(12, False), (13, True)])
def test_thirteen_chinese_characters_are_the_bound(tmp_path, count, hit):
    index = index_of(tmp_path, [{"query": HAN, "answers": ["王大"]}])
    found = question_hit(index, f"请问：{HAN[2:8]}，{HAN[8 : 2 + count]}。此外还有什么人在场呢", "")
    assert (found is not None) is hit


def test_an_ngram_may_reach_from_question_into_answer(tmp_path):
    index = index_of(
        tmp_path, [{"question": "Who signed it and where was that?", "answer": "Ann Hale at the mill by noon"}]
    )
    assert (
        question_hit(index, "Tell: who signed it and where was that?", "Ann Hale at the mill by noon").rule
        == "n-gram"
    )
    # The answer alone has seven words and says nothing.
    assert question_hit(index, "What did she do?", "Ann Hale at the mill by noon") is None


def test_a_short_answer_without_its_question_is_no_hit(tmp_path):
    rows = [{"answer": "the mill by the old river"}, {"answer": " ".join(WORDS)}]
    index = index_of(tmp_path, rows)
    assert question_hit(index, "Where is it?", "It is the mill by the old river, of course.") is None
    assert question_hit(index, "Where is the mill by the old river?") is None
    # A long one is a text of its own.
    assert question_hit(index, "What does it say?", " ".join(WORDS)).row == "bench.jsonl#2"


@pytest.mark.parametrize(
    ("question", "rule"),
    [
        ("Was the mill ever rebuilt?", "question within a benchmark question"),
        (
            "Read on. Was the mill ever rebuilt after the spring flood? Answer now.",
            "benchmark question within the question",
        ),
        ("Was the mill ever?", None),
        ("Was the mill ever sold after the spring?", None),
        ("断裂的水轮在哪里", "question within a benchmark question"),
        ("断裂的水轮在", None),
    ],
)
def test_short_questions_are_found_whole(tmp_path, question, rule):
    rows = [
        {"question": "Was the mill ever rebuilt after the spring flood?", "answer": "yes"},
        {"question": "断裂的水轮在哪里", "answer": "阁楼"},
        {"question": "Was the mill ever rebuilt?"},
    ]
    found = question_hit(index_of(tmp_path, rows), question, "It was not, or so they say.")
    assert (found.rule if found else None) == rule


def test_templates_of_a_benchmark_do_not_count(tmp_path):
    template = "Answer the question below from the passages given above and do not write anything else at all."
    names = ["Ann", "Bea", "Cid", "Dov", "Eli", "Fay"]
    rows = [{"question": f"{template} Where did {name} put the {name.lower()} box?"} for name in names]
    few = open_index([jsonl(tmp_path / "few.jsonl", rows[: STOP_ROWS - 1])], 13, tmp_path / "cache")
    many = open_index([jsonl(tmp_path / "many.jsonl", rows)], 13, tmp_path / "cache")
    asked = f"{template} Who is the owner of the boat?"
    assert question_hit(few, asked).row == "few.jsonl#1"
    assert question_hit(many, asked) is None
    # What belongs to one question still counts.
    assert question_hit(many, f"{template} Where did Cid put the cid box?").row == "many.jsonl#3"
    facts = many.facts()[0]
    assert facts["template_ngrams"] == 17 - 12 + 2
    assert facts["templates"][0] == {"text": " ".join(template.lower().split()[:13]), "questions": 6}


def test_a_repeated_question_does_not_become_a_template(tmp_path):
    index = index_of(tmp_path, [{"question": ASKED, "context": f"Text {number}."} for number in range(20)])
    assert question_hit(index, ASKED).row == "bench.jsonl#1"
    assert index.facts()[0]["template_ngrams"] == 0


def test_short_templates_do_not_count_either(tmp_path):
    rows = [{"question": f"What is the main idea of the passage? Mind part {number}."} for number in range(STOP_ROWS)]
    assert question_hit(index_of(tmp_path, rows), "What is the main idea of the passage?") is None


def test_a_shared_document_is_told_by_its_share(tmp_path):
    shared = " ".join(f"word{number}" for number in range(100))
    other = " ".join(f"other{number}" for number in range(100))
    index = index_of(
        tmp_path, [{"question": "What?", "context": "None of it."}, {"_id": 7, "input": "Who?", "context": shared}]
    )
    whole = index.document_verdict(f"## {shared.title()}.")
    assert (whole.ngrams, whole.found, whole.share) == (88, 88, 1.0)
    half = index.document_verdict(f"{other}\n\n{shared}")
    # 200 words hold 188 n-grams; those that touch the other half are new.
    assert (half.ngrams, half.found) == (188, 88)
    assert half.example.row == "bench.jsonl#2 (7)"
    assert half.example.text == " ".join(f"word{number}" for number in range(13))
    assert half.example.start == len(other) + 2
    assert index.document_verdict(other).share == 0
    assert index.document_verdict("word0 word1").as_row() == {"ngrams": 0, "found": 0, "example": None, "share": 0.0}
    # Contexts are no questions.
    assert question_hit(index, shared) is None


def test_the_share_counts_the_contexts_of_all_benchmarks_once(tmp_path):
    parts = [" ".join(f"{name}{number}" for number in range(30)) for name in ("left", "right")]
    files = [
        jsonl(tmp_path / f"{i}.jsonl", [{"question": "Q", "context": part}, {"context": parts[0]}])
        for i, part in enumerate(parts)
    ]
    verdict = open_index(files, 13, tmp_path / "cache").document_verdict("\n".join(parts))
    assert (verdict.ngrams, verdict.found) == (48, 36)
    assert (verdict.example.benchmark, verdict.example.ngrams) == ("1.jsonl", 36)


def test_batches_give_what_single_questions_give(tmp_path):
    index = index_of(tmp_path, [{"question": ASKED, "answer": "Ann"}, {"question": "Was the mill ever rebuilt?"}])
    first, second = "Quite another beginning: " + " ".join(WORDS[:12]), " ".join([*WORDS[12:20], "and", "more"])
    asked = [(ASKED, ""), ("Was the mill ever rebuilt?", "no"), ("", ""), (first, ""), (second, "")] * 900
    hits = list(index.question_hits(asked))
    # The last words of one text and the first of the next are no n-gram.
    assert [hit is not None for hit in hits[:5]] == [True, True, False, False, False]
    assert question_hit(index, f"{first} {second}").rule == "n-gram"
    assert hits[:5] == [question_hit(index, *pair) for pair in asked[:5]]
    assert hits == hits[:5] * 900


CHAT = [
    {"role": "user", "content": "Write a note about wheels."},
    {"role": "assistant", "content": "Wheels turn."},
    {"role": "user", "content": "Repeat the note about wheels."},
]


@pytest.mark.parametrize(
    ("row", "samples", "contexts"),
    [
        (
            {"question": "Q?", "choice_A": "one", "choice_B": "two", "answer": "B", "context": "C"},
            [("Q?", ("one", "two", "B"))],
            ["C"],
        ),
        ({"Question": "Q?", "Answer": "A", "wiki_links": ["l"]}, [("Q?", ("A",))], []),
        ({"input": "Q?", "context": "C", "answers": ["A", "B"]}, [("Q?", ("A", "B"))], ["C"]),
        (
            {"input": "Long text", "qa_pairs": "[{'Q': 'Q1?', 'A': 'A1', 'S': ['x']}, {'Q': \"Q2's?\", 'A': 'A2'}]"},
            [("Q1?", ("A1",)), ("Q2's?", ("A2",))],
            ["Long text"],
        ),
        (
            {
                "question": "Q?",
                "answer": "A",
                "context": {"title": ["T", "U"], "sentences": [["S1.", "S2."], ["S3."]]},
            },
            [("Q?", ("A",))],
            ["T\nU\nS1.\nS2.\nS3."],
        ),
        (
            {
                "version": "1",
                "data": [
                    {
                        "title": "T",
                        "paragraphs": [
                            {
                                "context": "C",
                                "qas": [
                                    {"id": "q1", "question": "Q?", "answers": [{"text": "A", "answer_start": 3}]}
                                ],
                            }
                        ],
                    }
                ],
            },
            [("Q?", ("A",))],
            ["C"],
        ),
        (
            {
                "table": {"uid": "u", "table": [["", "2019"], ["Sales", "5"]]},
                "paragraphs": [{"uid": "v", "order": 1, "text": "P."}],
                "questions": [{"question": "Q?", "answer": 5}],
            },
            [("Q?", ("5",))],
            ["2019\nSales\n5", "P."],
        ),
        (
            {"prompt": json.dumps(CHAT), "answer": "xyWheels turn."},
            [("Repeat the note about wheels.", ("xyWheels turn.",))],
            ["Write a note about wheels.\nWheels turn."],
        ),
        (
            {
                "prompt": [{"role": "user", "content": "Doc. Q?"}],
                "reward_model": {"ground_truth": {"golden_label": "A", "doc_ids": []}},
                "extra_info": {"question": "Q?"},
            },
            [("Q?", ("A",))],
            ["Doc. Q?"],
        ),
        (
            {"instructions": ["Q1?", "Q2?"], "outputs": ["A1", "A2"], "input": "C"},
            [("Q1?", ("A1",)), ("Q2?", ("A2",))],
            ["C"],
        ),
        ({"input": "", "context": "C", "answers": ["A"]}, [("", ("A",))], ["C"]),
        (
            {"question": "Q?", "context": '{"Q7": {"name": "mill", "part": ["Q9"]}}', "answer": "A"},
            [("Q?", ("A",))],
            ["mill\nQ9", '{"Q7": {"name": "mill", "part": ["Q9"]}}'],
        ),
        (
            {
                "question": "Q?",
                "haystack_sessions": [[{"role": "user", "content": "Hi."}], [{"role": "user", "content": "Ho."}]],
            },
            [("Q?", ())],
            ["Hi.\nHo."],
        ),
        (
            {"Prompt": "Q?", "Answer": "A", "wiki_items": [{"title": "T", "text": "P.", "link": "https://x"}]},
            [("Q?", ("A",))],
            ["T\nP."],
        ),
        ({"prompt": "x" * 3_000 + "y" * 3_000}, [("x" * 1_000, ()), ("y" * 1_000, ())], ["x" * 3_000 + "y" * 3_000]),
        ({"score": 1.0, "model": "m"}, [], []),
    ],
)
def test_rows_of_known_layouts_are_read(row, samples, contexts):
    found, shown = benchmark_rows.read(row, "f#1")
    assert [(sample.question, sample.answers) for sample in found] == samples
    assert [text for _, text in shown] == contexts


def test_files_of_every_kind_and_folders_are_read(tmp_path):
    rows = [{"question": ASKED, "answer": "Ann"}, {"question": "Was the mill ever rebuilt?", "answer": "yes"}]
    folder = tmp_path / "bench"
    folder.mkdir()
    jsonl(folder / "a.jsonl", rows)
    (folder / "b.json").write_text(json.dumps(rows))
    jsonl(folder / "c.json", rows)
    pa.parquet.write_table(pa.Table.from_pylist(rows), folder / "d.parquet")
    with open(folder / "e.csv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, ["question", "answer"])
        writer.writeheader()
        writer.writerows(rows)
    (folder / "info.json").write_text(json.dumps({"description": "about", "n": 2}))
    facts = open_index([str(folder)], 13, tmp_path / "cache").facts()[0]
    assert (facts["benchmark"], facts["rows"], facts["samples"], facts["unusable"]) == (
        "bench",
        11,
        10,
        ["info.json#1"],
    )
    for name in ("a.jsonl", "b.json", "c.json", "d.parquet", "e.csv"):
        assert question_hit(open_index([str(folder / name)], 13, tmp_path / "cache"), ASKED).row == f"{name}#1"


def test_rows_without_known_fields_are_counted_and_a_file_of_nothing_else_refused(tmp_path):
    index = index_of(tmp_path, [{"question": ASKED}, {"speed": 3}])
    assert index.facts()[0]["unusable_rows"] == 1
    with pytest.raises(DataError, match=r"bench\.jsonl: none of its 1 rows"):
        index_of(tmp_path, [{"speed": 3}])
    assert len(list((tmp_path / "cache").iterdir())) == 1
    (tmp_path / "x.doc").write_text("?")
    with pytest.raises(DataError, match="data files end in"):
        open_index([str(tmp_path / "x.doc")], 13, tmp_path / "cache")


def test_named_benchmarks_come_from_the_caller(tmp_path):
    def load(name):
        if name != "mills":
            raise UsageError(f"unknown benchmark {name!r}. Benchmarks: mills")
        return [{"id": "m1", "messages": [CHAT[0], {"role": "user", "content": ASKED}], "answer": "Ann"}]

    index = open_index(["mills"], 13, tmp_path / "cache", load)
    assert question_hit(index, ASKED).row == "mills#1 (m1)"
    with pytest.raises(UsageError, match=r"no benchmark.*Benchmarks: mills"):
        open_index(["mill"], 13, tmp_path / "cache", load)
    with pytest.raises(UsageError, match="no such file"):
        open_index(["mills"], 13, tmp_path / "cache")


def test_what_is_wrong_with_a_benchmarks_data_is_passed_on(tmp_path):
    def load(name):
        yield {"question": ASKED}
        raise DataError("mills.jsonl row 2, field prompt: not a list")

    with pytest.raises(DataError, match=r"^mills\.jsonl row 2"):
        open_index(["mills"], 13, tmp_path / "cache", load)
    assert not (tmp_path / "cache").exists()


def test_an_index_is_built_once_for_the_same_content(tmp_path):
    cache = tmp_path / "cache"

    def written():
        return {file: (file.stat().st_ino, file.stat().st_mtime_ns) for file in cache.rglob("*.bin")}

    path = jsonl(tmp_path / "bench.jsonl", [{"question": ASKED}])
    open_index([path], 13, cache)
    before = written()
    assert question_hit(open_index([path, path], 13, cache), ASKED)
    assert written() == before
    # Another n and other content are other indexes beside the old one.
    open_index([path], 9, cache)
    jsonl(tmp_path / "bench.jsonl", [{"question": ASKED + " And why?"}])
    open_index([path], 13, cache)
    assert written().items() > before.items()
    assert len(list(cache.iterdir())) == 3


def test_rows_are_read_for_their_digest_alone_once_the_index_is_there(tmp_path):
    read = []

    def load(name):
        read.append(name)
        return [{"question": ASKED}]

    for _ in range(3):
        assert question_hit(open_index(["mills"], 13, tmp_path / "cache", load), ASKED)
    assert len(read) == 2 + 1 + 1


def test_a_killed_build_leaves_no_index_and_the_next_one_is_whole(tmp_path):
    path = jsonl(
        tmp_path / "bench.jsonl",
        [{"question": f"{ASKED} {number}", "context": ASKED * 50} for number in range(4_000)],
    )
    cache = tmp_path / "cache"
    code = (
        "import sys; from pathlib import Path;"
        "from golongrl.pipeline.dataset.contamination.decontamination import open_index;"
        "open_index([sys.argv[1]], 13, Path(sys.argv[2]))"
    )
    build = subprocess.Popen([sys.executable, "-c", code, path, str(cache)])
    while not list(cache.glob(".*.tmp/questions/words.bin")):
        assert build.poll() is None
        time.sleep(0.005)
    os.kill(build.pid, signal.SIGKILL)
    build.wait()
    assert [file.name[0] for file in cache.iterdir()] == ["."]
    index = open_index([path], 13, cache)
    assert [file.name[0] for file in cache.iterdir()] != ["."]
    assert len(list(cache.iterdir())) == 1
    assert index.facts()[0]["rows"] == 4_000
    assert question_hit(index, f"{ASKED} 3999").row == "bench.jsonl#4000"


def test_a_damaged_index_says_what_to_remove(tmp_path):
    path = jsonl(tmp_path / "bench.jsonl", [{"question": ASKED}])
    open_index([path], 13, tmp_path / "cache")
    (folder,) = (tmp_path / "cache").iterdir()
    (folder / "rows.json").write_text("{")
    with pytest.raises(DataError, match="remove the folder"):
        open_index([path], 13, tmp_path / "cache")


def test_near_duplicate_questions_name_the_earlier_one():
    questions = [
        ("a", ASKED, "en"),
        ("b", "How many sacks of flour did the mill deliver to the town in the dry year?", "en"),
        ("c", ASKED.upper().replace("?", "!"), "en"),
        ("d", HAN, "zh"),
        ("e", "，".join([HAN[:10], HAN[10:]]), "zh"),
        ("f", "...", "en"),
        ("g", "?!", "en"),
    ]
    assert near_duplicate_questions(questions) == {"c": ("a", 1.0), "e": ("d", 1.0)}
    assert near_duplicate_questions([]) == {}
