"""T9, summarization: what a document, chapter or section says to sum itself up is taken out and asked for."""

import functools
import itertools
import re
from collections.abc import Callable, Sequence

from golongrl.core.documents import Block, Document
from golongrl.core.text import normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct import references
from golongrl.pipeline.dataset.construct.form import Candidate, Phrasings, Place, Scene, Unfit, named
from golongrl.pipeline.dataset.construct.references import first_paragraph, is_summary, names_subject
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.pipeline.dataset.view import Shown, View

__all__ = [
    "chapter_summary",
    "count_abstracts",
    "count_chapters",
    "count_couplets",
    "couplet_heading",
    "first_paragraph",
    "is_summary",
    "names_subject",
    "opening",
    "own_abstract",
    "section_lead",
]

SHOWN = 0.5
"""Share of a document that must be shown where all of it is to be summed up."""
NEAR_TOP = 12
"""Blocks at the start of a document among which its abstract stands (after title, authors and affiliations)."""
PARAGRAPHS = 4
"""Most paragraphs of a chapter's introduction or summary."""
PARTS = 2
"""Fewest sections of a chapter that has a summary."""
COUPLET = re.compile(
    r"^第[一二三四五六七八九十百千零〇○两\d]+[回章]\s*(?P<first>[\u4e00-\u9fff]{5,9})"
    r"[\s，,；;、/]+(?P<second>[\u4e00-\u9fff]{5,9})$"
)
"""The heading of a chapter of a classical novel: two lines that tell what happens in it."""
OPENING = (8, 60)
"""Length, in characters, of the sentence by which a chapter without its heading is named."""

DOCUMENT = Phrasings(
    "own_abstract",
    en=(
        "Summarise the document {title} in about {about} words, as its own {part} would.",
        "Write the {part} of the document {title} in about {about} words.",
        "The {part} of the document {title} is left out here. Restore it in about {about} words.",
    ),
    zh=(
        "请用约{about}字概括文档{title}，如同它自己的{part}。",
        "请为文档{title}写一篇约{about}字的{part}。",
        "文档{title}的{part}在此被略去，请用约{about}字补写。",
    ),
)
LEAD = Phrasings(
    "opening",
    en=(
        "Summarise the document {title} in about {about} words, as its opening paragraph would.",
        "The document {title} has lost its first paragraph, which says what it is about. Write this introduction in "
        "about {about} words.",
        "What is the document {title} about? Answer with an introductory paragraph of about {about} words.",
    ),
    zh=(
        "请用约{about}字概括文档{title}的内容，如同其开头的引言。",
        "文档{title}说明全文主旨的首段已略去，请用约{about}字写出这段引言。",
        "文档{title}讲的是什么？请写一段约{about}字的引言来说明。",
    ),
)
SECTION = Phrasings(
    "section_lead",
    en=(
        'Summarise the section "{name}" of the document {title} in about {about} words, as its opening paragraph '
        "would.",
        'The section "{name}" of the document {title} has lost its first paragraph, which says what it is about. '
        "Write it in about {about} words.",
        'What does the document {title} say below the heading "{name}"? Introduce it in a paragraph of about {about} '
        "words.",
    ),
    zh=(
        "请用约{about}字概括文档{title}的“{name}”一节，如同该节开头的引言。",
        "文档{title}中“{name}”一节说明主旨的首段已略去，请用约{about}字写出。",
        "文档{title}在标题“{name}”之下讲了什么？请写一段约{about}字的引言。",
    ),
)
CHAPTER = Phrasings(
    "chapter_summary",
    en=(
        'Summarise what the document {title} says under "{name}", all its sections included, in about {about} words, '
        "as the {part} there would.",
        'The part "{name}" of the document {title} has lost its {part}. Write it anew in about {about} words.',
        'Write the {part} of "{name}" in the document {title}: about {about} words on what its sections cover.',
    ),
    zh=(
        "请用约{about}字概括文档{title}中“{name}”之下的内容（包括其各小节），如同其中的{part}。",
        "文档{title}中“{name}”部分的{part}已略去，请用约{about}字重新写出。",
        "请为文档{title}的“{name}”部分写一段约{about}字的{part}，说明其各小节的内容。",
    ),
)
HEADING = Phrasings(
    "couplet_heading",
    en=("",),
    zh=(
        "文档{title}中，从“{start}”一句开始、到下一个标题之前的一回，回目已被略去。请写出这一回的回目：两句，"
        "每句{size}字，概括其内容。",
        "在文档{title}里，以“{start}”开头的那一回缺少标题。请拟出概括该回（到下一个标题为止）的回目，共两句，"
        "每句{size}字。",
        "请读文档{title}中自“{start}”起、到下一个标题为止的一回，用两句各{size}字的回目概括这一回的内容。",
    ),
)
COUPLET_INSTRUCTION = "在回复的最后写一行“[答案]”，其下只写回目的两句，中间空一格。"


def own_abstract(scene: Scene) -> Candidate | Unfit:
    """The section or paragraph that the document itself calls abstract or summary."""
    excerpt = scene.target
    removed, texts, called = _own_abstract(excerpt)
    if not removed:
        return Unfit("no section or paragraph called abstract or summary")
    return _of_document(scene, DOCUMENT, {"part": called}, removed, texts)


def opening(scene: Scene) -> Candidate | Unfit:
    """The document's first paragraph."""
    excerpt = scene.target
    first = first_paragraph(excerpt.document)
    if first is None or first not in excerpt.blocks:
        return Unfit("the document does not open with a paragraph that can sum it up")
    text = excerpt.content(first)
    if references.marked(text):
        return Unfit("the document opens with an abstract")
    if not names_subject(excerpt.document.title, text, excerpt.language):
        return Unfit("the first paragraph does not name the document's subject")
    return _of_document(scene, LEAD, {}, [first], [text])


def section_lead(scene: Scene) -> Candidate | Unfit:
    """The first paragraph of a section."""
    excerpt = scene.target
    leads = []
    for section in excerpt.sections:
        first, *others = section.blocks
        if first.kind == "paragraph" and sum(block.kind in ("paragraph", "item") for block in others) > 1:
            leads.append(section)
    for section in scene.rng.sample(leads, len(leads)):
        first, *others = section.blocks
        text = excerpt.content(first)
        # The cheap tests come first: few paragraphs name what stands in the heading.
        if not names_subject(section.title, text, scene.language) or not _whole(excerpt, section.blocks[-1]):
            continue
        if references.unfit_reference(text, scene.language) or not excerpt.distinct_heading(section.heading):
            continue
        rest = Excerpt(excerpt.document, others).text
        if references.unfit_for(text, rest, scene.language) or not references.introduces(text, rest, scene.language):
            continue
        solve = functools.partial(_one_section, normalise(section.title))
        found = _candidate(scene, SECTION, {"name": section.title}, [first], [text], solve)
        if isinstance(found, Candidate):
            return found
    return Unfit("no section opens with a paragraph that sums up the rest")


def chapter_summary(scene: Scene) -> Candidate | Unfit:
    """What a chapter says under its own heading before its first section, or its section called summary."""
    excerpt = scene.target
    chapters = list(_chapters(excerpt.blocks))
    for chapter in scene.rng.sample(chapters, len(chapters)):
        head, *body = chapter
        name = excerpt.content(head)
        if normalise(name) == normalise(excerpt.document.title) or not excerpt.distinct_heading(head):
            continue
        if not _whole(excerpt, chapter[-1]):
            continue
        for removed, part in _summaries(excerpt, body):
            kept = [block for block in removed if block.kind != "heading"]
            texts = [excerpt.content(block) for block in kept]
            rest = Excerpt(excerpt.document, [block for block in body if block not in removed]).text
            whole = " ".join(texts)
            if references.unfit_for(whole, rest, scene.language):
                continue
            if any(references.ASIDE.match(text) for text in texts):
                continue
            if part == "introduction" and not (
                names_subject(name, whole, scene.language) and references.introduces(whole, rest, scene.language)
            ):
                continue
            named_part = {"introduction": "引言", "summary": "小结"}[part] if scene.language == "zh" else part
            solve = functools.partial(_one_section, normalise(name))
            found = _candidate(scene, CHAPTER, {"name": name, "part": named_part}, removed, texts, solve)
            if isinstance(found, Candidate):
                return found
    return Unfit("no chapter sums up its sections" if chapters else "no chapter with several sections")


def couplet_heading(scene: Scene) -> Candidate | Unfit:
    """The heading of a chapter of a classical novel, which tells in two lines what happens in it."""
    excerpt = scene.target
    fit = [section for section in excerpt.sections if _couplet(section.title) and _whole(excerpt, section.blocks[-1])]
    for section in scene.rng.sample(fit, len(fit)):
        first, second = _couplet(section.title) or ("", "")
        body = section.blocks[0]
        spans = prose.sentences(excerpt.document.text, body.content, "zh")
        start = next((excerpt.document.slice(span) for span in spans), "")
        shown = normalise(section.body)
        if body.kind != "paragraph" or not OPENING[0] <= len(start) <= OPENING[1] or not excerpt.once(start):
            continue
        if not prose.closed(start) or first in shown or second in shown:
            continue
        question, template = HEADING.pick(scene, title=named(excerpt), start=start, size=str(len(first)))
        title, gold = excerpt.document.title, f"{first} {second}"
        return Candidate(
            question,
            template,
            (gold,),
            (Place(0, section.heading.content),),
            functools.partial(
                _restored, title, gold, functools.partial(_one_line, normalise(start)), (first, second)
            ),
            proof=(first, second),
            once=(start,),
            absent=(first, second),
            withheld=excerpt.without([section.heading]),
            instruction=COUPLET_INSTRUCTION,
        )
    return Unfit("no whole chapter below a heading of two lines")


def count_abstracts(document: Document) -> int:
    """How many sections or opening paragraphs a document calls its abstract or summary."""
    heads = sum(is_summary(document.slice(block.content)) for block in document.by_kind["heading"])
    top = (document.slice(b.content) for b in document.blocks[:NEAR_TOP] if b.kind == "paragraph")
    return heads + sum(references.marked(text) is not None for text in top)


def count_chapters(document: Document) -> int:
    """How many chapters of a document have several sections."""
    return len(_chapters(document.by_kind["heading"]))


def lead_starts(document: Document) -> list[int]:
    """Numbers of the headings whose first paragraph may sum up the section."""
    found = []
    for number, (head, first) in enumerate(itertools.pairwise(document.blocks)):
        if head.kind == "heading" and first.kind == "paragraph":
            text = document.slice(first.content)
            fits = names_subject(document.slice(head.content), text, document.language)
            if fits and not references.unfit_reference(text, document.language):
                found.append(number)
    return found


def chapter_starts(document: Document) -> list[int]:
    """Numbers of the headings of chapters with several sections."""
    heads = {chapter[0].span.start for chapter in _chapters(document.blocks)}
    return [number for number, block in enumerate(document.blocks) if block.span.start in heads]


def count_couplets(document: Document) -> int:
    """How many headings of a document are couplets."""
    if document.language != "zh":
        return 0
    return sum(_couplet(document.slice(block.content)) is not None for block in document.by_kind["heading"])


def _own_abstract(excerpt: Excerpt) -> tuple[list[Block], list[str], str]:
    """The blocks of the document's own abstract, its texts, and what to call it."""
    document = excerpt.document
    summary, abstract = ("概要", "摘要") if excerpt.language == "zh" else ("summary", "abstract")
    top = document.blocks[:NEAR_TOP]
    for block in top:
        text = references.marked(document.slice(block.content)) if block.kind == "paragraph" else None
        if text and block in excerpt.blocks:
            return [block], [text], abstract
    several = sum(b.kind == "heading" and is_summary(document.slice(b.content)) for b in document.blocks) > 1
    levels = [b.level for b in excerpt.headings if b.level > 1 and not is_summary(excerpt.content(b))]
    for section in excerpt.sections:
        head = section.heading
        # Further down, and where there are several, a summary may be that of a chapter.
        whole = head in top or (not several and head.level <= min(levels, default=head.level))
        plain = all(block.kind in ("paragraph", "item") for block in section.blocks)
        if is_summary(section.title) and whole and plain:
            texts = [excerpt.content(block) for block in section.blocks]
            return [head, *section.blocks], texts, abstract if head in top else summary
    return [], [], ""


def _of_document(
    scene: Scene, phrasings: Phrasings, fields: dict[str, str], removed: Sequence[Block], texts: Sequence[str]
) -> Candidate | Unfit:
    excerpt = scene.target
    rest = excerpt.without(removed)
    problem = references.unfit_for(" ".join(texts), rest.text, scene.language)
    if problem:
        return problem
    if len(excerpt.text) < SHOWN * len(excerpt.document.text):
        return Unfit("most of what the summary is about is not shown")
    return _candidate(scene, phrasings, fields, removed, texts, lambda shown: True)


def _candidate(
    scene: Scene,
    phrasings: Phrasings,
    fields: dict[str, str],
    removed: Sequence[Block],
    texts: Sequence[str],
    resolves: Callable[[Shown], bool],
) -> Candidate | Unfit:
    excerpt, reference = scene.target, " ".join(texts)
    rest, absent = excerpt.without(removed), references.fragments(texts, scene.language)
    if any(normalise(text) in rest.flat for text in absent):
        return Unfit("a sentence of the reference stands in the document twice")
    fields = {**fields, "title": named(excerpt), "about": references.about(reference, scene.language)}
    question, template = phrasings.pick(scene, **fields)
    return Candidate(
        question,
        template,
        (reference,),
        tuple(Place(0, block.content) for block in removed if block.kind != "heading"),
        functools.partial(_restored, excerpt.document.title, reference, resolves, absent),
        proof=tuple(texts),
        absent=absent,
        withheld=rest,
    )


def _restored(
    title: str, reference: str, resolves: Callable[[Shown], bool], absent: Sequence[str], view: View
) -> list[str]:
    """The reference, where the prompt shows what it sums up and nothing of it; brute force cannot write it anew."""
    if not resolves(view.titled(title)):
        raise LookupError(f"what is to be summed up is not found once in {title!r}")
    return [] if any(view.count(text) for text in absent) else [reference]


def _one_section(name: str, shown: Shown) -> bool:
    return sum(normalise(section.title) == name for section in shown.sections) == 1


def _one_line(start: str, shown: Shown) -> bool:
    return sum(normalise(line.text).startswith(start) for line in shown.lines) == 1


def _whole(excerpt: Excerpt, last: Block) -> bool:
    """Whether a stretch that ends with this block is not cut off by the end of the excerpt."""
    return last is not excerpt.blocks[-1] or last.span == excerpt.document.blocks[-1].span


def _couplet(title: str) -> tuple[str, str] | None:
    match = COUPLET.match(title)
    return (match["first"], match["second"]) if match and len(match["first"]) == len(match["second"]) else None


def _chapters(blocks: Sequence[Block]) -> list[list[Block]]:
    """Every heading with several deeper ones below it, and all blocks up to the next that is as high."""
    heads = [(number, block.level) for number, block in enumerate(blocks) if block.kind == "heading"]
    found = []
    for at, (number, level) in enumerate(heads):
        deeper = next((i for i in range(at + 1, len(heads)) if heads[i][1] <= level), len(heads))
        if deeper - at - 1 >= PARTS:
            end = heads[deeper][0] if deeper < len(heads) else len(blocks)
            found.append(list(blocks[number:end]))
    return found


def _summaries(excerpt: Excerpt, body: Sequence[Block]) -> list[tuple[list[Block], str]]:
    """What a chapter might sum itself up by: the paragraphs before its first section, and a section so called."""
    found = []
    intro = []
    for block in body:
        if block.kind != "paragraph":
            break
        intro.append(block)
    if 0 < len(intro) <= PARAGRAPHS and len(intro) < len(body) and body[len(intro)].kind == "heading":
        found.append((intro, "introduction"))
    heads = [number for number, block in enumerate(body) if block.kind == "heading"]
    highest = min(body[number].level for number in heads)
    for number, end in zip(heads, [*heads[1:], len(body)], strict=True):
        part = list(body[number + 1 : end])
        if not is_summary(excerpt.content(body[number])) or body[number].level > highest:
            continue
        if 0 < len(part) <= PARAGRAPHS and all(block.kind == "paragraph" for block in part):
            found.append(([body[number], *part], "summary"))
    return found
