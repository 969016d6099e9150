"""Whether a question can be used: an answer that one of the nine metrics verifies, that its context supports, and
that scores 1.0 under its own metric."""

import functools
import json
import re
from collections.abc import Sequence
from typing import Literal

from golongrl.core import tasks
from golongrl.core.documents import Document, Span
from golongrl.core.text import is_chinese, is_whole, lines, normalise
from golongrl.pipeline.dataset.filters.language import detect
from golongrl.pipeline.dataset.qa.adapter import Place, QAItem
from golongrl.pipeline.dataset.qa.wording import unnamed
from golongrl.pipeline.dataset.questions.gold_score import gold_fault
from golongrl.pipeline.dataset.questions.items import LISTS, Item, Stretch
from golongrl.pipeline.dataset.readers import Refusal
from golongrl.rewards.quantity import parse_quantity
from golongrl.rewards.rouge_l import words

MAX_WORDS, MAX_HAN = 8, 16
"""Longest answer, in words or Chinese characters, that a model can be expected to state in the same words."""
MIN_SUMMARY = 20
"""Shortest reference, in words, that ROUGE-L can tell good from bad by."""
MIN_OPTIONS = 3
"""Fewer options are guessed too often."""
FEWEST = {"pairwise": 3, "ndcg": 2}
"""Fewest items of an answer whose order counts: two are in the right one half of the time."""
_TWO_WAY = frozenset(
    ("yes", "no", "true", "false", *("是", "否", "不是", "对", "错", "有", "没有", "是的", "正确", "错误"))
)
_UNANSWERABLE = re.compile(r"unanswerable|not (?:answerable|mentioned|given)|无法(?:回答|确定)|未提及|none", re.I)
_OPEN = re.compile(
    r"(?:^|, )(?:and |but )?(?:why|how)\b"
    r"(?! (?:many|much|long|old|far|often|large|big|high|tall|deep|wide|fast|early|late)\b)"
    r"|为什么|为何|为啥|怎么|怎样|如何|什么原因",
    re.IGNORECASE,
)
"""Questions whose answers are explanations, of which there are many wordings."""
_CLAUSE = re.compile(r"[，。；：！？]|^(?:是|会|受|被|由于|因|可以|能够|为了|有|使|将|把).{5}")
"""A Chinese answer that is a clause, by its marks or the verb it begins with."""
REPEATED_HEAD, REPEATED_TAIL = 2, 3
"""Characters that a Chinese answer has in common with its question, at its beginning or end, from which it is one of
several right wordings ("founded in 1939" to "when was it founded")."""
_SUPPORTED = ("en", "zh")
_STOPS = ".。!！?？"


def checked(item: QAItem, licence: str) -> tuple[tuple[Document, ...], Item] | Refusal:
    """The item with its documents, those that must be shown first; or the reason why it is of no use.

    A reason is a name ("long answer"), or a name and a detail behind a colon.
    """
    if not item.question.strip():
        return Refusal(item.source, "no question")
    if not item.shown or not any(place.document.text.strip() for place in item.shown):
        return Refusal(item.source, "no context")
    if len(item.question) > 2_000 and len(item.question) > len(item.shown[0].document.text):
        return Refusal(item.source, "no context: the question holds it")
    code = detect(item.shown[0].document.text[:2_000])
    if code not in (*_SUPPORTED, "unknown"):
        return Refusal(item.source, f"language: {code}, only en and zh are supported")
    gold = _usable(item)
    if isinstance(gold, str):
        return Refusal(item.source, gold)
    language: Literal["en", "zh"] = "zh" if is_chinese(item.question) else "en"
    shown = {place.document.sha256: place.document for place in item.shown}
    others = {document.sha256: document for document in item.others if document.sha256 not in shown}
    made = Item(
        track="qa",
        source=item.source,
        form=f"qa:{item.form}",
        capability=item.capability,
        language=language,
        question=" ".join(item.question.split()) if "\n" not in item.question.strip() else item.question.strip(),
        gold=gold,
        shown=tuple(dict.fromkeys(map(_stretch, item.shown))),
        options=item.options,
        distractors=tuple(others),
        evidence=tuple(
            dict.fromkeys(map(_stretch, _only_place(item, gold) if item.evidence is None else item.evidence))
        ),
        licence=licence,
        extra=dict(item.extra),
    )
    if not is_whole("".join((made.question, *made.gold, *made.options, json.dumps(made.extra, ensure_ascii=False)))):
        return Refusal(item.source, "damaged row: a text holds half of a character (a lone surrogate)")
    fault = gold_fault(made)
    if fault is not None:
        return Refusal(item.source, f"gold: {fault}")
    return (*shown.values(), *others.values()), made


def _stretch(place: Place) -> Stretch:
    return Stretch(place.document.sha256, place.range.start, place.range.end)


def _usable(item: QAItem) -> tuple[str, ...] | str:
    """The gold answer in the form that items have, or the reason why there is none."""
    gold = tuple(dict.fromkeys(text.strip() for text in item.gold if text.strip()))
    if not gold:
        return "no answer"
    metric = tasks.CAPABILITIES[item.capability].metric
    if metric == "em":
        return _span(item, gold)
    if metric == "choice":
        return _letter(item, gold)
    if metric == "math":
        return gold if parse_quantity(gold[0]) is not None else f"no number: {gold[0][:60]}"
    if metric == "rouge_l":
        kept = tuple(text for text in gold if len(words(text, is_chinese(text))) >= MIN_SUMMARY)
        return kept or f"short reference: fewer than {MIN_SUMMARY} words"
    return _list(item, gold, metric) if metric in LISTS else gold


def _span(item: QAItem, gold: tuple[str, ...]) -> tuple[str, ...] | str:
    if any(normalise(text.rstrip(_STOPS)) in _TWO_WAY for text in gold):
        return "guessable: yes or no"
    if any(_UNANSWERABLE.fullmatch(text.strip(_STOPS)) for text in gold):
        return "unanswerable"
    if _OPEN.search(unnamed(item.question).partition("\n")[0]):
        return "open question: why or how is answered in many ways"
    bare = tuple(dict.fromkeys(text.rstrip(_STOPS[:2]) or text for text in gold))
    short = tuple(text for text in bare if is_short(text))
    if not short:
        return f"long answer: no metric judges a free text of more than {MAX_WORDS} words or {MAX_HAN} Han"
    if all(_repeats(text, item) for text in short):
        return "repeats the question: its answer has several right wordings"
    standing = [text for text in short if any(occurrences(_text(place), text) for place in item.shown)]
    if item.stands and not standing:
        return "unsupported: the answer does not stand in the context"
    if any(occurrences(item.question, text) for text in short):
        return "guessable: the question names the answer"
    # A model is asked to copy the documents' wording.
    ordered = dict.fromkeys((*standing, *short))
    articles = [re.sub(r"^(?:the|an?) ", "", text, flags=re.IGNORECASE) for text in ordered]
    return tuple(dict.fromkeys((*ordered, *articles)))


def _repeats(text: str, item: QAItem) -> bool:
    """Whether a Chinese answer says again what the question says, but for names in the documents' titles and for
    whole headings."""
    if not is_chinese(text) or any(text in _headings(place.document) for place in item.shown):
        return False
    asked, titles = unnamed(item.question), [place.document.title for place in item.shown]
    head, tail = text[:REPEATED_HEAD], text[-REPEATED_TAIL:]
    while len(head) < len(text) and text[: len(head) + 1] in asked:
        head = text[: len(head) + 1]
    begins = len(text) > REPEATED_HEAD and head in asked and not any(head in title for title in titles)
    return begins or (len(text) > REPEATED_TAIL and tail in asked)


def _headings(document: Document) -> set[str]:
    return {document.slice(block.content) for block in document.blocks if block.kind == "heading"}


def _letter(item: QAItem, gold: tuple[str, ...]) -> tuple[str, ...] | str:
    if len(item.options) < MIN_OPTIONS:
        return f"guessable: fewer than {MIN_OPTIONS} options"
    if len({normalise(option) for option in item.options}) < len(item.options) or not all(item.options):
        return "options: two read the same, or one is empty"
    letters = [chr(ord("A") + number) for number in range(len(item.options))]
    return gold[:1] if gold[0] in letters else f"no answer: {gold[0][:20]!r} is none of the options"


def _list(item: QAItem, gold: tuple[str, ...], metric: str) -> tuple[str, ...] | str:
    if len(gold) < FEWEST.get(metric, 1):
        return "short list: too few items"
    if len(lines("\n".join(gold))) != len(gold):
        return "items: two read the same once normalised"
    if not all(is_short(text, 4) for text in gold):
        return "long answer: an item of the list is a long text"
    if item.stands and not all(any(occurrences(_text(place), text) for place in item.shown) for text in gold):
        return "unsupported: an item of the answer does not stand in the context"
    return gold


def is_short(text: str, times: int = 1) -> bool:
    """Whether a text is short enough to be expected word for word."""
    if is_chinese(text):
        return len(text) <= times * MAX_HAN and (times > 1 or not _CLAUSE.search(text))
    return len(text.split()) <= times * MAX_WORDS


def _text(place: Place) -> str:
    return place.document.text if place.span is None else place.document.slice(place.span)


@functools.lru_cache(maxsize=8)
def _folded(text: str) -> str:
    folded = text.casefold()
    return folded if len(folded) == len(text) else text


def occurrences(text: str, answer: str) -> list[Span]:
    """Where an answer stands in a text as words of its own, whatever its case and white space."""
    parts = [re.escape(word) for word in answer.split()]
    if not parts:
        return []
    first, last = answer.strip()[0], answer.strip()[-1]
    before = r"(?<![A-Za-z0-9])" if first.isascii() and first.isalnum() else ""
    after = r"(?![A-Za-z0-9])" if last.isascii() and last.isalnum() else ""
    # Part of a longer number is another number.
    before += r"(?<!\d[.,])" if first.isdigit() else ""
    after += r"(?![.,]\d)" if last.isdigit() else ""
    pattern = before + r"\s+".join(parts).casefold() + after
    return [Span(*match.span()) for match in re.finditer(pattern, _folded(text))]


def _only_place(item: QAItem, gold: Sequence[str]) -> tuple[Place, ...]:
    """The sentence around the single place where the answer stands; nothing where it stands often."""
    if tasks.CAPABILITIES[item.capability].metric != "em" or not item.stands:
        return ()
    places = []
    for place in item.shown:
        start = place.range.start
        found = [Span(start + s.start, start + s.end) for s in occurrences(_text(place), gold[0])]
        places += [Place(place.document, sentence(place.document, span)) for span in found]
    return tuple(places) if len(places) == 1 and not _in_header(places[0]) else ()


def _in_header(place: Place) -> bool:
    """Whether a place is in the header of a table, which says nothing without the rows."""
    tables = (block.table for block in place.document.blocks if block.table is not None)
    return any(table.header.start <= place.range.start < table.header.end for table in tables)


_ENDS = re.compile(r"[.!?][\"'”’)]*\s+|[。！？；]+[”’」』]?")


def sentence(document: Document, span: Span) -> Span:
    """The sentence of the block (or the table row) around a span."""
    block = next((b for b in document.blocks if b.span.start <= span.start < b.span.end), None)
    if block is None:
        return span
    if block.table is not None:
        return next((row.span for row in block.table.rows if row.span.start <= span.start < row.span.end), span)
    text = document.slice(block.content)
    ends = [block.content.start + match.end() for match in _ENDS.finditer(text)]
    start = max((end for end in ends if end <= span.start), default=block.content.start)
    end = min((end for end in ends if end >= span.end), default=block.content.end)
    kept = document.text[start:end].rstrip()
    return Span(min(start, span.start), max(start + len(kept), span.end))
