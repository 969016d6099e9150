"""The prompts: one template per capability and language. The document comes first, so that a server's prefix cache
serves every task about the same window."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from golongrl.core.errors import require
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.pipeline.dataset.synthesis.question_types import POSITION_WORDING, QuestionType
from golongrl.pipeline.dataset.synthesis.schemas import MODELS

PROMPTS = Path(__file__).parent / "prompts"
PROMPT_TOKENS = 1200
"""Tokens kept free for a task and its explanation beside the document; a task takes about 600."""
MOST_QUOTED = 8000
"""Characters of its own malformed reply that a model is shown again."""

_MEANINGS_ZH = {
    "evidence": "答案所依据的原文，逐字抄录的列表",
    "question": "问题本身",
    "answer": "答案，从依据中抄录的几个字",
    "aliases": "同一答案的其他写法，往往为空列表",
    "options": "四个不同的选项，不带字母",
    "right": "正确选项的字母",
    "items": "所有符合条件的项目，按文档的写法",
    "operands": "所用的数字，按依据中的写法",
    "expression": "由这些数字组成的算式，只用 + - * / 和括号",
    "number": "算式的值，写成纯数字",
    "unit": "该数的单位；没有单位则为空字符串",
    "columns": "列名的列表",
    "rows": "各行，每行是单元格的列表，按文档的写法",
    "matches": "问题所列各项依次对应的内容，按文档的写法",
    "ranked": "按顺序排列的对象，最靠前的在先，每个有“item”（按文档的写法）和“value”（用来排序的纯数字）",
    "steps": "按正确次序排列的事项，按文档的写法",
    "summary": "概括",
}


def messages(
    excerpt: Excerpt, capability: str, kind: QuestionType, position: str, count: int
) -> list[dict[str, str]]:
    """What a model is asked: `count` questions of a capability and type about a window."""
    language = excerpt.language
    text = (
        _environment()
        .get_template(f"{capability}.{language}.jinja")
        .render(
            title=excerpt.document.title,
            text=excerpt.text,
            kind=kind.wording(language),
            position=POSITION_WORDING[position][language],
            count=count,
            fields=fields(capability, language),
        )
    )
    return [{"role": "user", "content": text}]


def repair_messages(
    asked: Sequence[Mapping[str, str]], reply: str, problem: str, language: str
) -> tuple[Mapping[str, str], ...]:
    """The same once more, with the model's own reply and what is wrong with it."""
    text = _environment().get_template(f"repair.{language}.jinja").render(problem=problem)
    return (
        *asked,
        {"role": "assistant", "content": reply or "-"},
        {"role": "user", "content": text},
    )


def fields(capability: str, language: str) -> list[tuple[str, str]]:
    """The keys of a question, each with what it means."""
    named = MODELS[capability].model_fields
    if language == "zh":
        return [(name, _MEANINGS_ZH[name]) for name in named]
    told = {"ranked": ", each an object with 'item' and 'value', a plain number"}
    return [(name, f"{field.description}{told.get(name, '')}") for name, field in named.items()]


@functools.cache
def _environment() -> Any:
    jinja2 = require("jinja2")
    # Prompts are plain text: escaping would change the document that quotations must be found in.
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(PROMPTS),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
