"""Questions in our own form: which document they are about, how long an answer is, without templates and options."""

import re

from golongrl.core.text import is_chinese
from golongrl.pipeline.dataset.construct.form import LETTERS

_FORMAT = re.compile(
    r"\n?[^\n.。]*(?:output example|example output|输出示例|输出范例)\s*[:：].*"
    r"|\n[^\n]*(?:\\boxed|The correct answer is \(|<answer>)[^\n]*"
    r"|\s*(?:Therefore, )?[Tt]he answer is \(insert answer here\)\.?",
    re.IGNORECASE | re.DOTALL,
)
_LABEL = re.compile(r"^\s*(?:question|query|问题)\s*[:：]\s*", re.IGNORECASE)


def about(question: str, title: str) -> str:
    """The question with the title of the one document it was written for: others stand around that one."""
    question = question.strip()
    if not question:
        return ""
    title = " ".join(title.split())
    return f"关于文档《{title}》：{question}" if is_chinese(question) else f'About the document "{title}": {question}'


def unnamed(question: str) -> str:
    """The question that `about` was given."""
    return re.sub(r'^(?:About the document ".*?": |关于文档《.*?》：)', "", question, count=1)


def sized(question: str, reference: str) -> str:
    """The question with the length, rounded, of the summary that it asks for, since ROUGE-L rewards a like length."""
    question = question.strip()
    if not question:
        return ""
    if is_chinese(reference):
        return f"{question}（约{_rounded(len(reference))}字）"
    return f"{question} (about {_rounded(len(reference.split()))} words)"


def _rounded(size: int) -> int:
    step = 10 if size < 200 else 50
    return max(step, round(size / step) * step)


def bare(question: str) -> str:
    """The question without its label and the answer format that its set asks for; ours is stated instead."""
    return _FORMAT.sub("", _LABEL.sub("", question)).strip()


def split_options(text: str, marks: str = LETTERS) -> tuple[str, tuple[str, ...]] | None:
    """(question, options) of a question with options on lines of their own, marked A, B, ... (or 1, 2, ...); None
    where it has no two of them. What stands behind the last option is dropped."""
    found = list(
        re.finditer(rf"^[^\S\n]*[(\[（]?([{marks[:26]}])[)\].:：、．）]+[^\S\n]*(\S[^\n]*)$", text, re.MULTILINE)
    )
    starts = [number for number, match in enumerate(found) if match[1] == marks[0]]
    if not starts:
        return None
    run = found[starts[-1] :]
    options = [match[2].strip() for match, mark in zip(run, marks, strict=False)]
    if len(run) < 2 or [match[1] for match in run] != list(marks[: len(run)]):
        return None
    question = re.sub(r"\s*(?:options|choices|选项)\s*[:：]?\s*$", "", text[: run[0].start()], flags=re.IGNORECASE)
    return question.strip(), tuple(options)
