"""Rows of our own making in the published schema of every benchmark, and the file that holds them on the hub."""

import io
import json
import zipfile

PARAGRAPH = "The keeper of the lighthouse counts the ships that pass. On Monday there were {} of them."


def chat(needles=2, filler=6):
    """A conversation with like requests, and the question for the second of them."""
    turns = []
    for number in range(filler):
        turns += [{"role": "user", "content": f"Write a note about stones of kind {number}."}]
        turns += [{"role": "assistant", "content": f"Stones of kind {number} are grey and lie by the river."}]
    for number in range(needles):
        turns += [{"role": "user", "content": "Write a poem about rain."}]
        turns += [{"role": "assistant", "content": f"Rain, verse {number}: it falls and falls."}]
    return [*turns, {"role": "user", "content": "Prepend qZ7 to the 2nd poem about rain."}]


MRCR = [
    {
        "prompt": json.dumps(chat(needles)),
        "answer": "qZ7Rain, verse 1: it falls and falls.",
        "random_string_to_prepend": "qZ7",
        "n_needles": needles,
        "desired_msg_index": 15,
        "total_messages": 2 * (6 + needles) + 1,
        "n_chars": 700,
        "date_added": "2025-12-05",
    }
    for needles in (2, 4)
]


def mrcr_of_length(n_bytes):
    """An MRCR row whose conversation has more than so many bytes, a quarter of that in approximate tokens."""
    turns = chat(2, 1)
    turns[1]["content"] = "Grey stones lie by the river. " * (n_bytes // 30)
    return {**MRCR[0], "prompt": json.dumps(turns)}


LONGBENCH_V2 = [
    {
        "_id": f"v2-{number}",
        "domain": "Single-Document QA",
        "sub_domain": "Literary",
        "difficulty": "easy",
        "length": "short",
        "question": "How many ships passed on Monday?",
        "choice_A": "one",
        "choice_B": "seven",
        "choice_C": "twelve",
        "choice_D": "none",
        "answer": "B",
        "context": PARAGRAPH.format("seven"),
    }
    for number in range(2)
]
FRAMES = [
    {
        "Prompt": "Which town has the older lighthouse?",
        "Answer": "Norwick",
        "wiki_items": [
            {"title": "Norwick", "text": "Its lighthouse is of 1801."},
            {"title": "Sudwick", "text": "Its lighthouse is of 1855."},
        ],
        "reasoning_types": "Temporal reasoning",
    }
]
LONGBENCH_QA = [
    {
        "input": "How many ships passed?",
        "context": PARAGRAPH.format(number),
        "answers": [str(number), f"{number} ships"],
        "length": 16,
        "dataset": name,
        "language": "en",
        "all_classes": None,
        "_id": f"{name}-{number}",
    }
    for name in ("narrativeqa", "qasper", "hotpotqa", "2wikimqa", "musique")
    for number in (7, 9)
]
DOCMATH = [
    {
        "question_id": f"{subset}-testmini-0",
        "source": "ours",
        "original_question_id": "",
        "question": "By how much did revenue change from 2019 to 2020?",
        "paragraphs": ["Revenue in thousands.", "| 2019 | 2020 |\n| 105.2 | 100.1 |", "The rest is prose."],
        "table_evidence": [1],
        "paragraph_evidence": [],
        "python_solution": "def solution():\n    return 100.1 - 105.2",
        "ground_truth": -5.1,
    }
    for subset in ("complong", "compshort", "simplong", "simpshort")
]
CORPUSQA = [
    {
        "id": f"{domain}_{number}",
        "prompt": [
            {"role": "system", "content": "You read reports."},
            {
                "role": "user",
                "content": "Read these.\n# Document 1:\nIron Ltd sold 5.\n# Document 2:\nTin Ltd sold 9.\n"
                f"Question: {question}\nEnd with 'The answer is: ...'",
            },
        ],
        "question": question,
        "answer": answer,
    }
    for domain in ("financial_en", "education_en")
    for number, (question, answer) in enumerate(
        [("Who sold more?", "Tin Ltd"), ("Who sold more than 20?", []), ("List all.", ["Iron Ltd", "Tin Ltd"])]
    )
]
MMLU_PRO = [
    {
        "question_id": 70,
        "question": "Which of these is a prime?",
        "options": ["4", "6", "8", "9", "10", "12", "14", "15", "16", "17"],
        "answer": "J",
        "answer_index": 9,
        "cot_content": "",
        "category": "math",
        "src": "ours",
    },
    {
        "question_id": 71,
        "question": "Which of these floats?",
        "options": ["iron", "cork", "lead"],
        "answer": "B",
        "answer_index": 1,
        "cot_content": "",
        "category": "physics",
        "src": "ours",
    },
]
AIME24 = [{"id": 60, "problem": "What is 3 times 8?", "solution": "So \\boxed{24}.", "answer": "024", "year": "2024"}]
AIME25 = [{"id": "0", "problem": "What is 7 times 10?", "answer": "70"}]
GPQA = [
    {
        "Record ID": f"rec{number}",
        "Question": f"Which metal is number {number}, liquid at room temperature?",
        "Correct Answer": "mercury",
        "Incorrect Answer 1": "iron",
        "Incorrect Answer 2": "copper,\nthe red one",
        "Incorrect Answer 3": "zinc",
        "High-level domain": "Chemistry",
    }
    for number in range(12)
]
LONGMEMEVAL = [
    {
        "question_id": identity,
        "question_type": kind,
        "question": "How many days ago did I plant the pear tree?",
        "answer": answer,
        "question_date": "2024/05/20 (Mon) 10:00",
        "haystack_session_ids": ["s1", "s2"],
        "haystack_dates": ["2024/05/10 (Fri) 09:00", "2024/05/12 (Sun) 18:30"],
        "haystack_sessions": [
            [
                {"role": "user", "content": "I planted the pear tree today.", "has_answer": True},
                {"role": "assistant", "content": "Good."},
            ],
            [{"role": "user", "content": "What is a quince?"}, {"role": "assistant", "content": "A fruit."}],
        ],
        "answer_session_ids": ["s1"],
    }
    for identity, kind, answer in (
        ("q1", "temporal-reasoning", 10),
        ("q2_abs", "single-session-user", "The user planted a pear tree, not a plum tree."),
        ("q3", "knowledge-update", "ten days"),
        ("q4", "single-session-preference", "Recalls the pear tree."),
        ("q5", "multi-session", "ten"),
        ("q6", "single-session-assistant", "ten"),
    )
]
BFCL_QUESTIONS = [
    {
        "id": f"memory_{number}-finance-{number}",
        "question": [[{"role": "user", "content": "What do I collect?"}]],
        "involved_classes": ["MemoryAPI"],
        "scenario": "finance",
    }
    for number in range(2)
]
BFCL_ANSWERS = [
    {"id": f"memory_{number}-finance-{number}", "ground_truth": ["old maps", "maps"], "source": "I collect old maps."}
    for number in range(2)
]

ROWS = {
    "mrcr-128k": MRCR,
    "mrcr-512k": [mrcr_of_length(600_000)],
    "mrcr-1m": [mrcr_of_length(2_200_000)],
    "longbench-v2": LONGBENCH_V2,
    "frames": FRAMES,
    "longbench-qa": LONGBENCH_QA,
    "docmath": DOCMATH,
    "corpusqa-128k": CORPUSQA,
    "corpusqa-1m": CORPUSQA,
    "mmlu-pro": MMLU_PRO,
    "aime24": AIME24,
    "aime25": AIME25,
    "gpqa-diamond": GPQA,
    "longmemeval": LONGMEMEVAL,
    "bfcl-memory": BFCL_QUESTIONS + BFCL_ANSWERS,
}


def jsonl(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def parquet(rows):
    import pyarrow
    import pyarrow.parquet

    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), sink)
    return sink.getvalue()


def table(rows):
    import csv

    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode()


def archive(members):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return sink.getvalue()


def hub_files():
    """Repository -> its files as they lie on the hub, with one that no benchmark reads."""
    sets = {}
    for row in LONGBENCH_QA:
        sets.setdefault(row["dataset"], []).append(row)
    return {
        "openai/mrcr": {
            "2needle/2needle_0.parquet": parquet([*MRCR[:1], *ROWS["mrcr-512k"], *ROWS["mrcr-1m"]]),
            "4needle/4needle_0.parquet": parquet(MRCR[1:]),
            "README.md": b"never read",
        },
        "zai-org/LongBench-v2": {"data.json": json.dumps(LONGBENCH_V2, indent=2).encode()},
        "zai-org/LongBench": {
            "data.zip": archive(
                {
                    **{f"data/{name}.jsonl": jsonl(rows) for name, rows in sets.items()},
                    "data/hotpotqa_e.jsonl": jsonl(sets["hotpotqa"]),
                    "data/trec.jsonl": b"never read",
                }
            )
        },
        "yale-nlp/DocMath-Eval": {
            f"data/{row['question_id'].split('-')[0]}_testmini-00000-of-00001.parquet": parquet([row])
            for row in DOCMATH
        },
        "Tongyi-Zhiwen/CorpusQA": {
            "128k_4domains.jsonl": jsonl(CORPUSQA),
            "1m_4domains.jsonl": jsonl(CORPUSQA),
        },
        "TIGER-Lab/MMLU-Pro": {
            "data/test-00000-of-00001.parquet": parquet(MMLU_PRO),
            "data/validation-00000-of-00001.parquet": b"never read",
        },
        "HuggingFaceH4/aime_2024": {"data/train-00000-of-00001.parquet": parquet(AIME24)},
        "math-ai/aime25": {"test.jsonl": jsonl(AIME25)},
        "Idavidrein/gpqa": {"gpqa_diamond.csv": table(GPQA), "gpqa_main.csv": b"never read"},
        "xiaowu0162/longmemeval-cleaned": {"longmemeval_s_cleaned.json": json.dumps(LONGMEMEVAL).encode()},
    }
