"""The kinds of questions that models are asked for: the one table of types, with what a window must hold for each."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from golongrl.pipeline.dataset.excerpt import Excerpt

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class QuestionType:
    """One kind of question: its name, how a model is told of it, and what the document must hold (`NEEDS`)."""

    name: str
    en: str
    zh: str
    needs: str = "text"

    def wording(self, language: str) -> str:
        """The description in a language."""
        return self.zh if language == "zh" else self.en


def _has_table(excerpt: Excerpt) -> bool:
    return any(block.table is not None and len(block.table.rows) >= 3 for block in excerpt.blocks)


NEEDS: dict[str, Callable[[Excerpt], bool]] = {
    "text": lambda excerpt: bool(excerpt.sentences) or _has_table(excerpt),
    "table": _has_table,
    "numbers": lambda excerpt: len(_NUMBER.findall(excerpt.text)) >= 3,
    "sections": lambda excerpt: len(excerpt.sections) >= 2,
}
"""What a window can hold."""

TYPES: dict[str, tuple[QuestionType, ...]] = {
    "T1": (
        QuestionType(
            "name", "a person, place, body or thing that is named once", "只出现一次的人名、地名、机构名或物名"
        ),
        QuestionType("detail", "a detail of one event, rule or description", "某一事件、规定或描述中的一个细节"),
        QuestionType("figure", "a date, amount or measure", "一个日期、数额或度量", "numbers"),
        QuestionType(
            "cell", "a cell of a table, found by its row and column", "表格中由行和列确定的一个单元格", "table"
        ),
    ),
    "T2": (
        QuestionType("cause", "why something happened or is required", "某事发生或被要求的原因"),
        QuestionType("inference", "what follows from two passages taken together", "由两处内容合起来得出的结论"),
        QuestionType("stance", "what someone holds, intends or objects to", "某人的主张、意图或反对之处"),
        QuestionType("contrast", "how two things differ", "两样事物的不同之处"),
    ),
    "T3": (
        QuestionType(
            "members", "all members of a kind that is told of in several places", "散见多处的某一类事物的全部成员"
        ),
        QuestionType("condition", "all items that meet a condition", "满足某一条件的全部项目"),
        QuestionType(
            "rows", "all rows of a table whose value meets a condition", "表格中数值满足条件的全部行", "table"
        ),
    ),
    "T4": (
        QuestionType("difference", "how far two figures lie apart", "两个数字相差多少", "numbers"),
        QuestionType("total", "what several figures come to together", "若干数字合计多少", "numbers"),
        QuestionType("ratio", "a share, ratio or mean of figures", "若干数字的占比、比值或平均值", "numbers"),
    ),
    "T5": (
        QuestionType("rows", "the rows of a table that meet a condition", "表格中满足条件的各行", "table"),
        QuestionType("columns", "some columns of neighbouring rows of a table", "表格中相邻几行的若干列", "table"),
        QuestionType("facts", "facts of the running text put into a table", "把正文中的事实整理成表格", "sections"),
    ),
    "T6": (
        QuestionType(
            "pairs", "what belongs to each of several things that the question names", "问题所列各项分别对应什么"
        ),
        QuestionType("roles", "who or what plays each of several parts", "若干角色或职能分别由谁、由什么承担"),
        QuestionType(
            "places", "under which heading each of several statements stands", "若干说法各在哪个标题之下", "sections"
        ),
    ),
    "T7": (
        QuestionType(
            "figure", "items by a figure that the text gives for each", "按文中给出的数字排列各项", "numbers"
        ),
        QuestionType("count", "items by how often something is said of them", "按提及次数排列各项"),
        QuestionType("column", "rows of a table by one of its columns", "按表格某一列排列各行", "table"),
    ),
    "T8": (
        QuestionType("events", "events in the order in which they happened", "按发生的先后排列事件"),
        QuestionType("procedure", "steps in the order in which they are to be done", "按执行的先后排列步骤"),
        QuestionType("telling", "points in the order in which they are raised", "按提出的先后排列要点"),
    ),
    "T9": (
        QuestionType("whole", "the main points of the whole", "全文要点"),
        QuestionType("subject", "all that is said of one subject", "关于某一主题的全部内容"),
        QuestionType(
            "section", "what one part, named by its heading, says", "以标题指明的某一部分的内容", "sections"
        ),
    ),
}
"""Capability -> its types."""

POSITIONS = ("start", "middle", "end")
"""Thirds of the window."""
POSITION_WORDING: dict[str, dict[str, str]] = {
    "start": {"en": "the first third of the document", "zh": "文档的前三分之一"},
    "middle": {"en": "the middle third of the document", "zh": "文档的中间三分之一"},
    "end": {"en": "the last third of the document", "zh": "文档的后三分之一"},
}
"""How a model is told where the evidence should lie."""


def fitting(capability: str, excerpt: Excerpt) -> list[QuestionType]:
    """The types whose needs a window meets, in the order of the table."""
    met = {name: test(excerpt) for name, test in NEEDS.items()}
    return [one for one in TYPES[capability] if met[one.needs]]
