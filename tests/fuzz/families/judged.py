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
SEEDS = [
    *(response.encode() for response in RESPONSES),
    b"<think>The reference says 1931.</think>The answer is right. [[YES]]",
    b"No.",
    b"The final answer is **(1931)**.",
    "答案是：[“北京”, '上海']".encode(),
    json.dumps({"questions": [QUESTION, QUESTION]}).encode(),
    b"```json\n" + json.dumps({"questions": [QUESTION]}).encode() + b"\n```",
    b"(1,250.5 - 990) / 990 * 100",
    b"12.5% of 1e3 / -4",
    "百分之三十 US$ 1.2 × 10^{6} million 元".encode(),
]


def check(data: bytes) -> None:
    """Every reader of a model's text gives its form or None; a broken answer of a generator is Malformed."""
    said = text(data)
    for think in ("required", "optional"):
        for answer in (read_answer(said, think), read_answer(said, think, lines=True)):
            if isinstance(answer, Score):
                check_score(answer)
            else:
                same(answer.text, ["1931"])
    if (verdict := read_verdict(said)) is not None:
        check_score(verdict)
    generation = chat.Generation(key="k", text=said)
    for capability in MODELS:
        try:
            questions = read_questions(generation, capability, 2, "optional")
        except Malformed:
            continue
        assert questions
        for one in questions:
            one.model_dump_json().encode()
    lines(said)
    stated_answer(said)
    stated_answer(said, marked=True)
    first = parse_quantity(said.strip())
    if first is not None:
        assert equal_quantities(first, first), said
        assert first.expression
    evaluate(said)
    plain_number(said)
