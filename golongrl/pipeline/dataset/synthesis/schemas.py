"""What a model that writes questions must return, per capability: pydantic models and the JSON schemas of them.

Evidence comes first and answers after what they rest on, since a model writes the fields in their order.
"""

import functools
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    # Servers that decode by schema want every key named and no other.
    model_config = ConfigDict(extra="forbid")


class _Written(_Part):
    """What every question has."""

    evidence: list[str] = Field(description="passages that the answer rests on, copied word for word")
    question: str = Field(description="the question itself")


class Span(_Written):
    """T1: a short text of the document."""

    answer: str = Field(description="a few words, copied from the evidence")
    aliases: list[str] = Field(description="other spellings of the same answer; often none")


class Choice(_Written):
    """T2: one of four options."""

    options: list[str] = Field(description="four different options, without letters")
    right: Literal["A", "B", "C", "D"] = Field(description="letter of the right option")


class Listing(_Written):
    """T3: every item that fits."""

    items: list[str] = Field(description="all items that fit, as the document writes them")


class Number(_Written):
    """T4: a number worked out from others."""

    operands: list[str] = Field(description="the numbers used, as the evidence writes them")
    expression: str = Field(description="arithmetic over the operands with + - * / and brackets")
    number: str = Field(description="the value of the expression as a plain number")
    unit: str = Field(description="what the number counts or is measured in; empty for a pure number")


class Rows(_Written):
    """T5: rows of a table."""

    columns: list[str] = Field(description="names of the columns")
    rows: list[list[str]] = Field(description="rows of cells, as the document writes them")


class Matches(_Written):
    """T6: what belongs to what the question names."""

    matches: list[str] = Field(description="what belongs to each thing that the question names, in that order")


class Ranked(_Part):
    """One item of a ranking."""

    item: str = Field(description="the item, as the document writes it")
    value: str = Field(description="the figure that it is ranked by, as a plain number")


class Ranking(_Written):
    """T7: items by a figure."""

    ranked: list[Ranked] = Field(description="the items, best first")


class Steps(_Written):
    """T8: what comes after what."""

    steps: list[str] = Field(description="the steps in the right order, as the document writes them")


class Summary(_Written):
    """T9: a summary in own words."""

    summary: str


Written = Span | Choice | Listing | Number | Rows | Matches | Ranking | Steps | Summary

MODELS: dict[str, type[Written]] = {
    "T1": Span,
    "T2": Choice,
    "T3": Listing,
    "T4": Number,
    "T5": Rows,
    "T6": Matches,
    "T7": Ranking,
    "T8": Steps,
    "T9": Summary,
}
"""Capability -> what a question of it holds."""


def question_schema(capability: str) -> dict[str, Any]:
    """JSON schema of one question."""
    return MODELS[capability].model_json_schema()


@functools.cache
def answer_schema(capability: str) -> dict[str, Any]:
    """JSON schema of a whole answer: an object whose `questions` is a list of them."""
    inner = question_schema(capability)
    definitions = inner.pop("$defs", {})
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"questions": {"type": "array", "items": inner}},
        "required": ["questions"],
        "additionalProperties": False,
    }
    return schema | ({"$defs": definitions} if definitions else {})
