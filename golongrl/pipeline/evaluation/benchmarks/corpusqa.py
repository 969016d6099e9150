"""CorpusQA: questions that need all documents of a corpus, with answers computed from their tables.

Data set `Tongyi-Zhiwen/CorpusQA`, 128k_4domains.jsonl and 1m_4domains.jsonl, 329 rows each, MIT; no commit is pinned,
because none is known here to be right: the newest is taken, and the run records it. Columns: `id` (begins with its
domain: financial_zh, financial_en, education_en, real_estate_en), `prompt` (messages, the corpus in the user's),
`question`, `answer` (a text or a list, which may be empty). Metric: share of answers that a judge finds right; the
last "The answer is" counts, down to the end of the answer, so that lists are read whole. Published up to 128K: 49.9
(Qwen3-4B-Thinking-2507), 69.6 (GoLongRL-4B), 73.6 (GoLongRL-30B-A3B); up to 1M: 36.9 (Gemini-2.5-Flash-Thinking).
"""

import json
from collections.abc import Iterator
from typing import Any

from golongrl.core.errors import DataError
from golongrl.core.store import content_key
from golongrl.pipeline.evaluation import hub_data
from golongrl.pipeline.evaluation.benchmarks import reading
from golongrl.pipeline.evaluation.benchmarks.base import Benchmark, Item, LoadOptions, Messages
from golongrl.pipeline.evaluation.benchmarks.fields import Row, each_row, from_response, text_of, value_of
from golongrl.pipeline.evaluation.benchmarks.mrcr import parse_messages

REPO = "Tongyi-Zhiwen/CorpusQA"
DOMAINS = ("financial_zh", "financial_en", "education_en", "real_estate_en")
FIRST_DOCUMENT = "# Document 1"


def accepted(value: Any, where: str) -> list[str]:
    """Accepted wordings of a gold answer: lists as JSON, and for the empty one also what it means."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float, list)):
        raise DataError(f"{where}, column answer: expected a text, a number or a list; mend or remove the row")
    if value == []:
        return ["[]", "None: nothing fulfils the conditions"]
    if isinstance(value, str):
        if not value.strip():
            raise DataError(f"{where}, column answer: is empty; mend or remove the row")
        return [value]
    return [json.dumps(value, ensure_ascii=False)]


def corpus_place(messages: Messages, question: str) -> tuple[int, int, int] | None:
    """Where the corpus stands: in the longest user message, before or behind the question, whichever is longer.

    None where the question is not there word for word: then nothing says what may be cut.
    """
    users = [number for number, message in enumerate(messages) if message["role"] == "user"]
    if not users:
        return None
    number = max(users, key=lambda number: len(messages[number]["content"]))
    content = messages[number]["content"]
    asked = content.rfind(question.strip())
    if asked < 0:
        # A question in a message of its own leaves the whole message to the corpus.
        others = "\n".join(message["content"] for place, message in enumerate(messages) if place != number)
        if question.strip() not in others:
            return None
        return number, max(0, content.find(FIRST_DOCUMENT)), len(content)
    behind = asked + len(question.strip())
    if len(content) - behind > asked:
        return number, max(behind, content.find(FIRST_DOCUMENT, behind)), len(content)
    return number, max(0, content.find(FIRST_DOCUMENT, 0, asked)), asked


def read_gold(row: Row, where: str) -> dict[str, Any]:
    """The question and its accepted answers, which may run over several lines."""
    question, answer = text_of(row, where, "question"), value_of(row, where, "answer")
    return {"question": question, "answers": accepted(answer, where), "lines": True}


def read(row: Row, where: str) -> Item:
    """One row as an item; rows over one corpus share a cluster."""
    messages = parse_messages(row.get("prompt"), where)
    gold, identity = read_gold(row, where), text_of(row, where, "id")
    place = corpus_place(messages, gold["question"])
    corpus = messages[place[0]]["content"][place[1] : place[2]] if place else messages
    domain = next((name for name in DOMAINS if identity.startswith(name)), row.get("domain"))
    buckets = {"domain": str(domain)} if domain else {}
    return Item(identity, messages, gold, buckets, content_key(corpus), 64, place)


def _benchmark(name: str, file: str, max_input: int) -> Benchmark:
    source = hub_data.HubSource(REPO, None, (file,))

    def load(options: LoadOptions) -> Iterator[Item]:
        return each_row(name, options, source, read)

    return Benchmark(
        name=name,
        dataset=REPO,
        split=file,
        fields="id, prompt, question, answer",
        licence="MIT",
        metric="share of answers that the judge finds right",
        load=load,
        score=reading.exact,
        from_row=from_response(read_gold, "question", "answer"),
        hub=source,
        judge=reading.judge("share of answers equal to the gold answer (a lower bound)"),
        max_input=max_input,
    )


CORPUSQA_128K = _benchmark("corpusqa-128k", "128k_4domains.jsonl", 128 * 1024)
CORPUSQA_1M = _benchmark("corpusqa-1m", "1m_4domains.jsonl", 1024 * 1024)
