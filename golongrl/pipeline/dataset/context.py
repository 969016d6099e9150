"""The prompt: documents around the evidence, the question before or after them, the answer format, within a bin."""

import random
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from golongrl.core.documents import Document, Span
from golongrl.core.text import normalise
from golongrl.core.tokens import Tokenizer
from golongrl.pipeline.dataset.construct.form import Candidate, Unfit
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.pipeline.dataset.request import Bin

MAX_FILLERS = 400
SMALLEST_FILLER = 48
"""Tokens below which a further filler document is not worth its title."""
TITLE_TOKENS = 12

_MARKED = re.compile("⟦.*?⟧")
_LIST = {
    "en": 'End your reply with a line "[Answer]" and below it one item per line and nothing else{order}.',
    "zh": "在回复的最后写一行“[答案]”，其下每行写一项，不写其他内容{order}。",
}
_FORMATS: dict[str, dict[str, str]] = {
    "em": {
        "en": 'End your reply with a line "[Answer]" and below it only the answer⟦, copied exactly from the '
        "document⟧.",
        "zh": "在回复的最后写一行“[答案]”，其下只写答案⟦，并与原文完全一致⟧。",
    },
    "choice": {
        "en": 'End your reply with "The correct answer is (X)", where X is the letter of the right option.',
        "zh": "在回复的最后写“答案：X”，其中X是正确选项的字母。",
    },
    "f1": {language: text.format(order="") for language, text in _LIST.items()},
    "math": {
        "en": "End your reply with the final answer in \\boxed{}, as a plain number.",
        "zh": "在回复的最后把最终答案以纯数字写在\\boxed{}中。",
    },
    "iou": {
        "en": 'End your reply with the rows as JSON, <answer>{"data": [[...], [...]]}</answer>⟦, cells as '
        "they stand in the documents⟧.",
        "zh": '在回复的最后以JSON写出这些行：<answer>{"data": [[...], [...]]}</answer>⟦，单元格与原文一致⟧。',
    },
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
"""What each metric reads, told to the model. ⟦⟧ marks what only makes sense beside documents."""


def beside_documents(formats: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Marked answer formats as prompts with documents state them."""
    return {
        metric: {language: text.replace("⟦", "").replace("⟧", "") for language, text in wordings.items()}
        for metric, wordings in formats.items()
    }


def without_documents(formats: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Marked answer formats as prompts with documents state them -> as prompts without any do."""
    texts = [text for wordings in formats.values() for text in wordings.values() if "⟦" in text]
    return {text.replace("⟦", "").replace("⟧", ""): _MARKED.sub("", text) for text in texts}


INSTRUCTIONS = beside_documents(_FORMATS)
BARE_INSTRUCTIONS = without_documents(_FORMATS)
"""Instructions that speak of documents -> the same for a prompt that shows none."""


@dataclass(frozen=True)
class Task:
    """The parts of a prompt beside its documents."""

    question: str
    instruction: str
    language: str
    question_first: bool


@dataclass(frozen=True)
class Prompt:
    """A finished prompt: its text, where the documents stand in it, where each excerpt's text starts, its tokens."""

    text: str
    context: Span
    excerpts: tuple[Excerpt, ...]
    starts: tuple[int, ...]
    n_tokens: int

    @property
    def shown(self) -> str:
        """The documents as the prompt shows them."""
        return self.text[self.context.start : self.context.end]


def render(excerpts: Sequence[Excerpt], task: Task) -> tuple[str, Span, tuple[int, ...]]:
    """(prompt text, span of the documents in it, start of each excerpt's text)."""
    zh = task.language == "zh"
    if zh:
        asked = f"问题：{task.question}"
        opening = "先读问题，再阅读其后的文档作答。" if task.question_first else "阅读以下文档，然后回答问题。"
    else:
        asked = f"Question: {task.question}"
        opening = (
            "Read the question, then answer it from the documents below."
            if task.question_first
            else "Read the documents and answer the question."
        )
    before = [opening, asked] if task.question_first else [opening]
    after = [task.instruction] if task.question_first else [asked, task.instruction]
    head = "\n\n".join(before) + "\n\n"
    parts, starts, at = [], [], len(head)
    for number, excerpt in enumerate(excerpts, 1):
        mark = f"【文档{number}】" if zh else f"[Document {number}] "
        title = f"{mark}{excerpt.document.title}\n"
        starts.append(at + len(title))
        parts.append(title + excerpt.text)
        at += len(parts[-1]) + 2
    context = "\n\n".join(parts)
    return head + context + "\n\n" + "\n\n".join(after), Span(len(head), len(head) + len(context)), tuple(starts)


def base_tokens(tokenizer: Tokenizer, task: Task) -> int:
    """Tokens of a prompt without its documents."""
    return tokenizer.count(render([], task)[0]) + TITLE_TOKENS


class Filler(Protocol):
    """A document of which a stretch may stand beside others; `excerpt.Measured` is one."""

    @property
    def document(self) -> Document: ...

    def window(self, budget: int, rng: random.Random) -> tuple[Excerpt, int] | None: ...


def gather(
    fillers: Iterator[Filler], room: int, taken: set[str], rng: random.Random, most: int | None = None
) -> tuple[list[Excerpt], int]:
    """Stretches of other documents that fill about `room` tokens, no two with the same title, and the room left.

    None is longer than `most` tokens.
    `taken` holds the normalised titles that are in use and is added to.
    """
    found: list[Excerpt] = []
    while room - TITLE_TOKENS >= SMALLEST_FILLER and len(found) < MAX_FILLERS:
        filler = next(fillers, None)
        if filler is None:
            break
        title = normalise(filler.document.title)
        window = None if title in taken else filler.window(min(room - TITLE_TOKENS, most or room), rng)
        if window is not None:
            taken.add(title)
            found.append(window[0])
            room -= window[1] + TITLE_TOKENS
    return found, room


def finish(
    before: Sequence[Excerpt],
    first: Excerpt,
    after: Sequence[Excerpt],
    task: Task,
    *,
    bin: Bin,
    limit: int,
    droppable: bool,
    tokenizer: Tokenizer,
) -> Prompt | Unfit:
    """The prompt with `first` between the others.

    Never more than `limit` tokens, measured on the whole prompt: others are dropped where they may be, those farthest
    from `first` first. Unfit when the prompt is too long for the bin, or too short.
    """
    excerpts = (*before, first, *after)
    kept = [len(before)] if droppable else range(len(excerpts))
    return fit(excerpts, kept, task, bin=bin, limit=limit, tokenizer=tokenizer)


def fit(
    excerpts: Sequence[Excerpt], kept: Collection[int], task: Task, *, bin: Bin, limit: int, tokenizer: Tokenizer
) -> Prompt | Unfit:
    """The prompt with all excerpts that fit in `limit` tokens; those whose places `kept` lists always stay.

    Others are dropped where they are too many, those farthest from one that stays first. Unfit when the prompt is too
    long for the bin, or too short.
    """
    shown = [(excerpt, place in kept) for place, excerpt in enumerate(excerpts)]
    while True:
        text, context, starts = render([excerpt for excerpt, _ in shown], task)
        n_tokens = tokenizer.count(text)
        if n_tokens <= limit:
            break
        staying = [place for place, (_, stays) in enumerate(shown) if stays]
        going = [place for place, (_, stays) in enumerate(shown) if not stays]
        if not going:
            return Unfit("longer than the bin")
        shown.pop(max(going, key=lambda place: (min(abs(place - one) for one in staying), place)))
    if n_tokens <= bin.lower:
        return Unfit("too few other documents to fill the bin")
    return Prompt(text, context, tuple(excerpt for excerpt, _ in shown), starts, n_tokens)


def instruction(candidate: Candidate, metric: str, language: str) -> str:
    """The answer format that the candidate states, else its metric's."""
    return candidate.instruction or INSTRUCTIONS[metric][language]
