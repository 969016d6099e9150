"""From a candidate to a prompt: the excerpt among filler documents, the question, the answer format, within a bin."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from golongrl.core.text import normalise
from golongrl.core.tokens import Tokenizer
from golongrl.pipeline.dataset.construct.form import Candidate, Unfit
from golongrl.pipeline.dataset.excerpt import Excerpt, Measured

MAX_FILLERS = 200
SMALLEST_FILLER = 48
"""Tokens below which a further filler document is not worth its title."""
TITLE_TOKENS = 12

_LIST = {
    "en": 'End your reply with a line "[Answer]" and below it one item per line and nothing else{order}.',
    "zh": "在回复的最后写一行“[答案]”，其下每行写一项，不写其他内容{order}。",
}
INSTRUCTIONS: dict[str, dict[str, str]] = {
    "em": {
        "en": 'End your reply with a line "[Answer]" and below it only the answer, copied exactly from the document.',
        "zh": "在回复的最后写一行“[答案]”，其下只写答案，并与原文完全一致。",
    },
    "choice": {
        "en": 'End your reply with "The correct answer is (X)", where X is the letter of the right option.',
        "zh": "在回复的最后写“答案：X”，其中X是正确选项的字母。",
    },
    "f1": {language: text.format(order="") for language, text in _LIST.items()},
    "subem": {language: text.format(order="") for language, text in _LIST.items()},
    "ndcg": {
        "en": _LIST["en"].format(order=", in the order asked for"),
        "zh": _LIST["zh"].format(order="，并按要求的顺序排列"),
    },
    "pairwise": {
        "en": _LIST["en"].format(order=", in the right order"),
        "zh": _LIST["zh"].format(order="，并按正确的顺序排列"),
    },
    "rouge_l": {
        "en": 'End your reply with a line "[Answer]" and below it only the summary.',
        "zh": "在回复的最后写一行“[答案]”，其下只写概括。",
    },
}
"""What each metric reads, told to the model."""


@dataclass(frozen=True)
class Bin:
    """Prompt lengths above `lower` and up to `upper` tokens."""

    label: str
    lower: int
    upper: int


@dataclass(frozen=True)
class Context:
    """A finished prompt: its text, the excerpts in it in order, and its size in tokens."""

    prompt: str
    excerpts: tuple[Excerpt, ...]
    n_tokens: int


def render(excerpts: Iterable[Excerpt], question: str, metric: str, language: str) -> str:
    """The user message."""
    parts = []
    for number, excerpt in enumerate(excerpts, 1):
        mark = f"【文档{number}】" if language == "zh" else f"[Document {number}] "
        parts.append(f"{mark}{excerpt.document.title}\n{excerpt.text}")
    instruction = INSTRUCTIONS[metric][language]
    if language == "zh":
        return "\n\n".join(["阅读以下文档，然后回答问题。", *parts, f"问题：{question}", instruction])
    return "\n\n".join(["Read the documents and answer the question.", *parts, f"Question: {question}", instruction])


def question_tokens(tokenizer: Tokenizer, question: str, metric: str, language: str) -> int:
    """Tokens of a prompt without its documents."""
    return tokenizer.count(render([], question, metric, language)) + TITLE_TOKENS


def build_context(
    candidate: Candidate,
    metric: str,
    fillers: Iterable[Measured],
    *,
    bin: Bin,
    limit: int,
    size: int,
    tokenizer: Tokenizer,
    rng: random.Random,
) -> Context | Unfit:
    """Put the candidate's excerpt at a random depth among fillers until the prompt has about `size` tokens.

    Never more than `limit` tokens, measured on the whole prompt. Unfit when the excerpt alone is too long, when the
    fillers cannot lift the prompt into the bin, or when they make the question ambiguous.
    """
    target, language = candidate.excerpt, candidate.excerpt.language
    used = tokenizer.count(render([target], candidate.question, metric, language))
    if used > limit:
        return Unfit("longer than the bin")
    around: list[Excerpt] = []
    titles = {normalise(target.document.title)}
    for filler in fillers:
        room = size - used - TITLE_TOKENS
        if room < SMALLEST_FILLER or len(around) == MAX_FILLERS:
            break
        title = normalise(filler.document.title)
        window = None if title in titles else filler.window(room, rng)
        if window is not None:
            around.append(window[0])
            titles.add(title)
            used += window[1] + TITLE_TOKENS
    place = rng.randint(0, len(around))
    while True:
        place = min(place, len(around))
        excerpts = (*around[:place], target, *around[place:])
        prompt = render(excerpts, candidate.question, metric, language)
        n_tokens = tokenizer.count(prompt)
        if n_tokens <= limit:
            break
        around.pop()
    if n_tokens <= bin.lower:
        return Unfit("too few other documents to fill the bin")
    shown = normalise("\n\n".join(excerpt.text for excerpt in excerpts))
    if any(shown.count(normalise(text)) != 1 for text in candidate.once):
        return Unfit("what the question quotes stands in the context more than once")
    if any(normalise(text) in shown for text in candidate.absent):
        return Unfit("the removed reference stands in another document")
    return Context(prompt, excerpts, n_tokens)
