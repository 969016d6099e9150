"""T1, precise retrieval: terms and the sentences by which a document defines them, and entries "key: value"."""

import bisect
import functools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from golongrl.core.documents import Document, Span
from golongrl.core.text import normalise, normalise_item, unwrap
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct import passages
from golongrl.pipeline.dataset.construct.form import Candidate, Phrasings, Place, Scene, Unfit, named
from golongrl.pipeline.dataset.construct.verbatim import behind_prefix
from golongrl.pipeline.dataset.view import Shown, View

LENGTH = {"en": (30, 500), "zh": (10, 200)}
"""Shortest and longest definition that is quoted, in characters."""
ENTRIES = 3
"""Fewest entries that make a list one of keys and values."""
MOSTLY = 0.75
"""Share of a list's items that are entries."""

_VERB = r"(?:means|mean|shall mean|refers to|is defined as|are defined as|denotes|has the meaning of)"
_EN = (
    re.compile(rf'^\W{{0,4}}["“](?P<term>[^"“”]{{2,60}}?),?["”] {_VERB}:? (?P<said>.+)$'),
    re.compile(
        rf"^(?:The|A|An) (?:term|word|phrase|expression|name) [\"“‘']?(?P<term>[\w][\w ’'-]{{1,58}}?)[\"”’']? "
        rf"{_VERB}:? (?P<said>.+)$"
    ),
    re.compile(
        r"^(?:The |A |An )?(?P<term>[\w’'-]+(?: [\w’'-]+){0,3}) (?:is defined as|are defined as) (?P<said>.+)$"
    ),
)
_HAN_NUMBER = "[一二三四五六七八九十百千零〇两\\d]+"
_LABEL = rf"(?:第{_HAN_NUMBER}条(?:之{_HAN_NUMBER})?|[（(]?{_HAN_NUMBER}[）)、.．])?\s*"
_ZH = (
    re.compile(
        rf"^{_LABEL}(?:(?:本(?:法|条例|规定|办法|规则|细则|合同|协议|编|章|节|条|款)|前[款条])?所称的?|所谓的?)"
        r"[“‘「《]?(?P<term>[^，。；：！？“”‘’「」《》]{2,24}?)[”’」》]?[，,]?\s*(?:是指|系指|指的是|指)(?P<said>[^：。]+。)$"
    ),
    re.compile(
        rf"^{_LABEL}[“‘「《]?(?P<term>[^，。；：！？“”‘’「」《》]{{2,16}}?)[”’」》]?[，,]?\s*(?:是指|系指)(?P<said>[^：。]+。)$"
    ),
)
_SIGNS = {"en": (" mean", " refers to ", " defined as ", " denotes "), "zh": ("指",)}
"""What every definition holds: a quick look before the sentences are read."""
_NO_TERM = re.compile(
    r"^(?:this|that|these|those|it|which|what|who|he|she|they|we|you|there|here|each|such)\b"
    r"|^[这那此其该它他她你我]|^(?:前者|后者)|^(?:广义|狭义)(?:上|地|来[说讲]|而言|上来?[说讲])?$|^(?:意思|本意|目的|一般|主要|通常|有的|什么)|[就也并又而则即仍都不的主要般常]$",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"[$\\{}<>]|https?:")
_ENTRY = re.compile(r"^(?P<key>[^:：\t]{1,60}?)\s*(?:[:：]\s*|\s[–—-]\s+)(?P<value>\S.{0,79})$")

TERM = Phrasings(
    "term_of_definition",
    en=(
        "Which term does the document {title} define with these words?\n{quote}",
        "The definition below is taken from the document {title}. Which term does it define there?\n{quote}",
        "In the document {title} one term is explained as follows. Give the term.\n{quote}",
    ),
    zh=(
        "文档{title}用下面的话定义了哪个术语？\n{quote}",
        "以下定义引自文档{title}，它在其中定义的是什么？请写出被定义的术语。\n{quote}",
        "文档{title}对某个用语作了如下解释，请写出这个用语。\n{quote}",
    ),
)
DEFINITION = Phrasings(
    "definition_of_term",
    en=(
        'Give the sentence in which the document {title} defines "{term}" word for word, with {prefix} directly '
        "before it.",
        'How does the document {title} define "{term}"? Write {prefix} and, directly behind it, the defining '
        "sentence exactly as it stands.",
        'Find the definition of "{term}" in the document {title} and reproduce the whole sentence. Put {prefix} '
        "directly before it.",
    ),
    zh=(
        "请逐字写出文档{title}中定义“{term}”的那句话，并在它前面直接写上{prefix}。",
        "文档{title}是怎样定义“{term}”的？请先写{prefix}，紧接着原样写出下定义的那句话。",
        "请在文档{title}中找到“{term}”的定义，照抄整句，前面直接加上{prefix}。",
    ),
)
ENTRY = Phrasings(
    "entry_value",
    en=(
        'In a list of the document {title}, what is given for "{key}"?',
        'One list item of the document {title} is headed "{key}". What does it say behind these words?',
        'Look up the entry "{key}" in the lists of the document {title}. What stands behind it?',
    ),
    zh=(
        "在文档{title}的列表中，“{key}”一项给出的内容是什么？",
        "文档{title}有一个列表项以“{key}”开头，其后写的是什么？",
        "请在文档{title}的列表中查找“{key}”这一条目，写出它后面的内容。",
    ),
)


@dataclass(frozen=True)
class Definition:
    """A sentence that defines a term, without the number of its clause; `said` is what the term means."""

    term: str
    said: str
    sentence: str
    span: Span


def definitions(text: str, span: Span, language: str) -> Iterator[Definition]:
    """The definitions in a stretch of text."""
    if not any(text.find(sign, span.start, span.end) >= 0 for sign in _SIGNS[language]):
        return
    for part in prose.sentences(text, span, language):
        sentence = text[part.start : part.end]
        for pattern in _ZH if language == "zh" else _EN:
            match = pattern.match(sentence)
            if match and not _NO_TERM.search(match["term"]):
                start = 0
                if language == "zh" and (label := re.match(_LABEL, sentence)):
                    start = label.end()
                yield Definition(
                    match["term"].strip(), match["said"], sentence[start:], Span(part.start + start, part.end)
                )
                break


def entry(item: str) -> tuple[str, str] | None:
    """Key and value of a list item "key: value", or None."""
    match = _ENTRY.match(item)
    if match is None or _MARKUP.search(item) or not prose.closed(match["key"]) or not prose.closed(match["value"]):
        return None
    key, value = unwrap(match["key"]), match["value"].strip()
    return (key, value) if any(map(str.isalpha, key)) and any(map(str.isalnum, value)) else None


def count_definitions(document: Document) -> int:
    """How many definitions a document holds."""
    spans = [block.content for kind in ("paragraph", "item") for block in document.by_kind[kind]]
    if not spans:
        return 0
    # One look at the whole text spares nearly all blocks a look of their own.
    text, signs = document.text, _SIGNS[document.language]
    places = sorted(match.start() for sign in signs for match in re.finditer(sign.strip(), text))
    held = (s for s in spans if bisect.bisect_left(places, s.end) > bisect.bisect_left(places, s.start))
    return sum(1 for span in held for _ in definitions(text, span, document.language))


def count_entries(document: Document) -> int:
    """How many list items a document holds that read "key: value"."""
    return sum(entry(document.slice(block.content)) is not None for block in document.by_kind["item"])


def term_of_definition(scene: Scene) -> Candidate | Unfit:
    """The term that a quoted definition defines."""
    excerpt, title = scene.target, scene.target.document.title
    found = _defined(scene)
    low, high = LENGTH[scene.language]
    said = Counter(normalise(definition.said) for definition in found)
    for definition in scene.rng.sample(found, len(found)):
        if not low <= len(definition.said) <= high or said[normalise(definition.said)] > 1:
            continue
        if passages.gives_away(definition.term, f"{title} {definition.said}") or not excerpt.once(definition.said):
            continue
        question, template = TERM.pick(scene, title=named(excerpt), quote=definition.said)
        solve = functools.partial(_terms, title, normalise(definition.said), scene.language)
        evidence = (Place(0, definition.span),)
        return Candidate(
            question,
            template,
            (definition.term,),
            evidence,
            solve,
            proof=(definition.sentence,),
            once=(definition.said,),
        )
    return Unfit("no definition that does not name its term" if found else "no definitions")


def definition_of_term(scene: Scene) -> Candidate | Unfit:
    """The sentence that defines a term, word for word."""
    excerpt, title = scene.target, scene.target.document.title
    found = _defined(scene)
    low, high = LENGTH[scene.language]
    terms = Counter(normalise_item(definition.term) for definition in found)
    for definition in scene.rng.sample(found, len(found)):
        if not low <= len(definition.sentence) <= high or terms[normalise_item(definition.term)] > 1:
            continue
        if not excerpt.once(definition.sentence):
            continue
        find = functools.partial(_sentences, title, normalise_item(definition.term), scene.language)
        fields = {"title": named(excerpt), "term": definition.term}
        place = Place(0, definition.span)
        return behind_prefix(scene, DEFINITION, fields, definition.sentence, place, find, ("sentence", "句子"))
    return Unfit("no definition of fair length whose term is defined once" if found else "no definitions")


def entry_value(scene: Scene) -> Candidate | Unfit:
    """What a list gives for a key."""
    excerpt, title = scene.target, scene.target.document.title
    lists: dict[int, list] = {}
    for block in excerpt.blocks:
        if block.kind == "item":
            lists.setdefault(block.group, []).append(block)
    entries = []
    for items in lists.values():
        read = [(block, pair) for block in items if (pair := entry(excerpt.content(block))) is not None]
        if len(read) >= max(ENTRIES, MOSTLY * len(items)):
            entries += read
    if not entries:
        return Unfit("no list of keys and values")
    keys = Counter(
        normalise(pair[0])
        for block in excerpt.blocks
        if block.kind == "item" and (pair := entry(excerpt.content(block))) is not None
    )
    for block, (key, value) in scene.rng.sample(entries, len(entries)):
        if keys[normalise(key)] > 1 or normalise(value) in normalise(f"{title} {key}"):
            continue
        question, template = ENTRY.pick(scene, title=named(excerpt), key=key)
        solve = functools.partial(_values, title, normalise(key))
        return Candidate(question, template, (value,), (Place(0, block.content),), solve)
    return Unfit("every key stands in the lists twice")


def _defined(scene: Scene) -> list[Definition]:
    excerpt = scene.target
    running = (block for block in excerpt.blocks if block.kind in ("paragraph", "item"))
    spans = (block.content for block in running)
    return [d for span in spans for d in definitions(excerpt.document.text, span, scene.language)]


def _shown_definitions(shown: Shown, language: str) -> list[Definition]:
    lines = (line.text for line in shown.lines if line.kind in ("text", "item"))
    return [d for line in lines for d in definitions(line, Span(0, len(line)), language)]


def _terms(title: str, said: str, language: str, view: View) -> list[str]:
    return [d.term for d in _shown_definitions(view.titled(title), language) if normalise(d.said) == said]


def _sentences(title: str, term: str, language: str, view: View) -> list[str]:
    return [d.sentence for d in _shown_definitions(view.titled(title), language) if normalise_item(d.term) == term]


def _values(title: str, key: str, view: View) -> list[str]:
    items = (entry(line.text) for line in view.titled(title).lines if line.kind == "item")
    return [pair[1] for pair in items if pair is not None and normalise(pair[0]) == key]
