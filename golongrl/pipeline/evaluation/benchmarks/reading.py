"""Questions over documents with short answers: how FRAMES, LongBench QA and CorpusQA ask, score and judge."""

from typing import Any

from golongrl.core.records import Score
from golongrl.core.text import final_text
from golongrl.pipeline.evaluation.benchmarks import judging
from golongrl.pipeline.evaluation.benchmarks.answers import Answer, read_answer, same
from golongrl.pipeline.evaluation.benchmarks.base import Judge, Messages, Thinking
from golongrl.pipeline.evaluation.benchmarks.fields import prompt_with_document
from golongrl.rewards.token_f1 import token_f1

INSTRUCTION = (
    'Answer the question from the text. You may reason first; end with one line that reads "Therefore, the answer is '
    '(your answer)", with nothing but the answer in its place.'
)


def prompt(document: str, question: str) -> tuple[Messages, tuple[int, int, int]]:
    """One user message: the document, then the question and how to answer."""
    after = f"\n</text>\n\nQuestion: {question.strip()}\n\n{INSTRUCTION}"
    return prompt_with_document("Read this text and answer the question below it.\n\n<text>\n", document, after)


def exact(gold: dict[str, Any], response: str, think: Thinking) -> Score:
    """1 if the stated answer equals one of `gold["answers"]` but for case, white space and quotes: a lower bound."""
    answer = read_answer(response, think, lines=gold.get("lines", False))
    if isinstance(answer, Score):
        return answer
    return Score(value=float(same(answer.text, gold["answers"])), details=_shown(answer))


def overlap(gold: dict[str, Any], response: str, think: Thinking) -> Score:
    """Token F1 of the stated answer with the best of `gold["answers"]`.

    `token_f1_whole` in the details is that of all that follows the thinking, as LongBench scores it.
    """
    answer = read_answer(response, think)
    if isinstance(answer, Score):
        return answer
    whole = final_text(response, think).text
    f1, f1_whole = (max(token_f1(said, wanted) for wanted in gold["answers"]) for said in (answer.text, whole))
    return Score(value=f1, details={"token_f1": f1, "token_f1_whole": f1_whole, **_shown(answer)})


def judge_messages(gold: dict[str, Any], response: str, think: Thinking) -> Messages | Score:
    """Ask whether the stated answer says the same as one of `gold["answers"]`; an equal one needs no asking."""
    answer = read_answer(response, think, lines=gold.get("lines", False))
    if isinstance(answer, Score):
        return answer
    if same(answer.text, gold["answers"]):
        return judging.without_asking(1.0, "equal")
    return judging.equality(gold["question"], gold["answers"], answer.text)


def judge(rule: str | None) -> Judge:
    """The judge of a benchmark of short answers."""
    return Judge(judge_messages, judging.read_verdict, rule)


def _shown(answer: Answer) -> dict[str, Any]:
    return {"answer": answer.text[:200], "how": answer.how}
