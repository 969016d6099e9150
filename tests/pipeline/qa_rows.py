"""Rows of our own making in the published forms, and what is read from them."""

import json

from golongrl.core.documents import Document
from golongrl.pipeline.dataset.qa.reading import read_qa
from golongrl.pipeline.dataset.questions.items import Item
from golongrl.pipeline.dataset.readers import Refusal
from golongrl.pipeline.dataset.source_file import SourceFile


def source(path, licence="unknown"):
    """A file as `find_files` gives it."""
    return SourceFile(str(path), path.name, licence, "", path.stat().st_size, path.stem, path.suffix)


def read_file(path, **options):
    """Everything that a file yields."""
    return list(read_qa(source(path), **options))


def read(tmp_path, *rows, licence="unknown", name="rows.jsonl"):
    """What rows yield as JSON lines."""
    path = tmp_path / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return list(read_qa(source(path, licence)))


def only(outcomes) -> tuple[dict[str, Document], Item]:
    """(documents by digest, item) of a single item."""
    assert len(outcomes) == 1, outcomes
    assert not isinstance(outcomes[0], Refusal), outcomes[0]
    documents, item = outcomes[0]
    return {document.sha256: document for document in documents}, item


def reason(outcomes) -> str:
    """The name of the reason of a single refusal."""
    assert len(outcomes) == 1, outcomes
    assert isinstance(outcomes[0], Refusal), outcomes[0]
    return outcomes[0].reason.split(":")[0]


def said(documents, stretches) -> list[str]:
    """The texts of stretches."""
    return [documents[s.doc].text[s.start : s.end] for s in stretches]


FERRY = (
    "The ferry Marigold was built in Oskarby in 1931. It carried forty passengers across the lake. "
    "Captain Ida Brandt bought it in 1950 and painted it green."
)
BRANDT = "Ida Brandt was a lake captain. She was born in Tallholm. She kept bees."
OTHER = "The harbour of Westlund has two cranes. They were set up after the great storm."


def squad(**changes):
    """A flat SQuAD row."""
    row = {
        "id": "1",
        "title": "Marigold_(ferry)",
        "context": FERRY,
        "question": "Where was the Marigold built?",
        "answers": {"text": ["Oskarby", "in Oskarby"], "answer_start": [31, 28]},
    }
    return {**row, **changes}


def sentences(text):
    """The sentences as HotpotQA has them: all but the first begin with the space between them."""
    first, *rest = text.split(". ")
    return [f"{first}.", *(f" {one.rstrip('.')}." for one in rest)]


def hotpot(**changes):
    """A HotpotQA row as its JSON has it."""
    row = {
        "_id": "a",
        "question": "In which town was the buyer of the ferry Marigold born?",
        "answer": "Tallholm",
        "type": "bridge",
        "level": "hard",
        "supporting_facts": [["Marigold", 2], ["Ida Brandt", 1]],
        "context": [
            ["Westlund", sentences(OTHER)],
            ["Marigold", sentences(FERRY)],
            ["Ida Brandt", sentences(BRANDT)],
        ],
    }
    return {**row, **changes}


TATQA_TABLE = [
    ["", "2019", "2018"],
    ["Bread", "$1,200", "$1,000"],
    ["Cakes", "300", "450"],
    ["Total", "1,500", "1,450"],
]


def tatqa(**question):
    """A TAT-QA row with one question."""
    asked = {
        "uid": "q",
        "order": 1,
        "question": "What was the percentage change in Bread in 2019 from 2018?",
        "answer": 20,
        "derivation": "(1,200-1,000)/1,000",
        "answer_type": "arithmetic",
        "answer_from": "table",
        "rel_paragraphs": [],
        "scale": "percent",
    }
    return {
        "table": {"uid": "abcdef0123", "table": TATQA_TABLE},
        "paragraphs": [
            {"uid": "p", "order": 1, "text": "Sales of the bakery by kind of goods are shown in thousands."}
        ],
        "questions": [{**asked, **question}],
    }


def longbench(dataset, context, question, answers, language="en"):
    """A LongBench v1 row."""
    return {
        "input": question,
        "context": context,
        "answers": answers,
        "length": 1,
        "dataset": dataset,
        "language": language,
        "all_classes": None,
        "_id": "0a1b2c3d",
    }


LONG_ANSWER = (
    "The council agreed to repair the old mill before winter, to pay the carpenter from the bridge fund, and to ask "
    "the school whether its pupils could paint the new sails in spring."
)
