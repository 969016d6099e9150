"""What models write about answers: a judge's verdict, the answer stated last, and the questions of a generator."""

import json

from families.answers import RESPONSES, check_score
from families.scratch import text
from golongrl.core import chat
from golongrl.core.records import Score
from golongrl.core.text import lines
from golongrl.pipeline.dataset.qa.arithmetic import evaluate, plain_number
from golongrl.pipeline.dataset.synthesis.read_answer import Malformed, read_questions
from golongrl.pipeline.dataset.synthesis.schemas import MODELS
from golongrl.pipeline.evaluation.benchmarks.answers import read_answer, same
from golongrl.pipeline.evaluation.benchmarks.judging import read_verdict
from golongrl.rewards.quantity import equal_quantities, parse_quantity
from golongrl.rewards.stated import stated_answer

QUESTION = {
    "evidence": ["It was built in 1931."],
    "question": "When was the ferry built?",
    "answer": "1931",
    "aliases": [],
}
READ_BY = {
    "answer": [
        *(response.encode() for response in RESPONSES),
        b"The final answer is **(1931)**.",
        "答案是：[“北京”, '上海']".encode(),
    ],
    "verdict": [b"<think>The reference says 1931.</think>The answer is right. [[YES]]", b"No."],
    "questions": [
        json.dumps({"questions": [QUESTION, QUESTION]}).encode(),
        b"```json\n" + json.dumps({"questions": [QUESTION]}).encode() + b"\n```",
    ],
    "arithmetic": [b"(1,250.5 - 990) / 990 * 100", b"-(1,000 + 12.5%) / 4"],
    "quantity": [one.encode() for one in ("30%", "US$ 1.2 million", "-1.5 × 10^{6} 元", "\\frac{3}{7}")],
}


def check(data: bytes) -> set[str]:
    """Every reader of a model's text gives its form or None; a broken answer of a generator is Malformed."""
    said, found = text(data), set()
    for think in ("required", "optional"):
        for answer in (read_answer(said, think), read_answer(said, think, lines=True)):
            if isinstance(answer, Score):
                check_score(answer)
            else:
                same(answer.text, ["1931"])
                found.add("answer")
    if (verdict := read_verdict(said)) is not None:
        check_score(verdict)
        found.add("verdict")
    generation = chat.Generation(key="k", text=said)
    for capability in MODELS:
        try:
            questions = read_questions(generation, capability, 2, "optional")
        except Malformed:
            continue
        assert questions
        for one in questions:
            one.model_dump_json().encode()
        found.add("questions")
    lines(said)
    stated_answer(said)
    stated_answer(said, marked=True)
    first = parse_quantity(said.strip())
    if first is not None:
        assert equal_quantities(first, first), said
        assert first.expression
        found.add("quantity")
    if evaluate(said) is not None:
        found.add("arithmetic")
    if plain_number(said) is not None:
        found.add("number")
    return found
