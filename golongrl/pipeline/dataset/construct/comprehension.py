"""T2, comprehension by multiple choice: which of four passages goes on from a quoted one, or stands in a document."""

import re
from collections.abc import Sequence

from golongrl.core.text import normalise
from golongrl.pipeline.dataset.construct import distractors, passages
from golongrl.pipeline.dataset.construct.distractors import OPTIONS, Case, Neighbours
from golongrl.pipeline.dataset.construct.form import Candidate, Phrasings, Place, Scene, Unfit, named
from golongrl.pipeline.dataset.view import View

POOL = 360
"""Sentences among which questions and wrong options are looked for."""
CASES = 48
"""Questions tried before a scene is passed over."""
CENTRAL, CENTRAL_FOREIGN = 0.25, 0.3
"""How often the right option is made the middle of the four, as `Neighbours.wrong` does it, where all are of one
document and where each is of another. Measured: with these the option that has most in common with the others, and
the one that has least, is right about as often as any."""

_YEAR = re.compile(r"(?<!\d)(?:1\d|20)\d\d(?!\d)")

NEXT = Phrasings(
    "next_sentence",
    en=(
        "In the document {title}, which of the passages A to D comes directly after this one?\n{quote}",
        "The document {title} goes on directly after the passage below. With which of the four options?\n{quote}",
        "Find the following passage in the document {title}. Which option is the sentence that follows it there?\n"
        "{quote}",
    ),
    zh=(
        "在文档{title}中，紧接在下面这段话之后的是A至D中的哪一项？\n{quote}",
        "请在文档{title}中找到下面这句话。原文的下一句是哪个选项？\n{quote}",
        "文档{title}里有如下一句，其后直接接着哪一个选项？\n{quote}",
    ),
)
PASSAGE = Phrasings(
    "passage_choice",
    en=(
        "Which of these passages stands in the document {title}?",
        "One of the four passages is quoted from the document {title}, the others are not in it. Which one?",
        "Look through the document {title}. Which of the passages A to D occurs in it word for word?",
    ),
    zh=(
        "下列哪一段话见于文档{title}？",
        "四个选项中只有一个引自文档{title}，其余均不见于其中。是哪一个？",
        "请通读文档{title}。A至D中哪一段逐字出现在该文档里？",
    ),
)


def next_sentence(scene: Scene) -> Candidate | Unfit:
    """Which of four sentences of the document comes directly after a quoted one."""
    excerpt = scene.target
    blocks = passages.drawn(excerpt, scene.rng, POOL)
    pool = [sentence for block in blocks for sentence in block]
    place = {sentence.span.start: number for number, sentence in enumerate(pool)}
    pairs = [pair for block in blocks for pair in passages.following(excerpt, block)]
    if not pairs or len(pool) < OPTIONS + 1:
        return Unfit("too few quotable sentences in a row")
    scene.rng.shuffle(pairs)
    # What opens a paragraph goes on from nothing, and often looks like it.
    opens = frozenset(
        number for number, s in enumerate(pool) if s.span.start == excerpt.blocks[s.block].content.start
    )
    near = Neighbours([sentence.text for sentence in pool], scene.language)
    asked: list[Case] = []
    for first, second in pairs:
        if len(asked) == CASES:
            break
        if not (excerpt.once(first.text) and excerpt.once(second.text)):
            continue
        barred = opens | {place[first.span.start]}
        wrong = near.wrong(place[second.span.start], scene.rng, barred, central=CENTRAL)
        question, template = NEXT.pick(scene, title=named(excerpt), quote=first.text)
        evidence = (Place(0, first.span), Place(0, second.span))
        asked.append(Case(question, second.text, wrong, template, evidence, (first.text, second.text)))
    chosen = distractors.passages_balanced(asked, scene.slot, scene.rng)
    if isinstance(chosen, Unfit):
        return chosen
    if _by_year(chosen.case.proof[0], chosen.case.right, chosen.options):
        return Unfit("the years tell which passage is next")
    title, (quote, _) = excerpt.document.title, chosen.case.proof

    def solve(view: View) -> list[str]:
        flat, start = view.titled(title).flat, normalise(quote)
        return chosen.letters(lambda option: any(start + gap + normalise(option) in flat for gap in ("", " ")))

    return chosen.candidate(solve, once=chosen.case.proof)


def _by_year(quote: str, right: str, options: Sequence[str]) -> bool:
    """Whether a reader who takes the option of the first year from the quoted passage's on takes the right one."""
    asked, years = _YEAR.search(quote), {o: int(found[0]) for o in options if (found := _YEAR.search(o))}
    if asked is None or len(years) < 2 or right not in years:
        return False
    later = [year for year in years.values() if year >= int(asked[0])]
    return bool(later) and years[right] == min(later)


def passage_choice(scene: Scene) -> Candidate | Unfit:
    """Which of four sentences stands in the named document; the others stand in other documents, shown or not."""
    excerpt, rng = scene.target, scene.rng
    own = passages.sentences(excerpt, rng, 2 * CASES)
    others = [other for other in (*scene.excerpts[1:], *scene.elsewhere) if other.language == scene.language]
    each = max(12, POOL // max(1, len(others)))
    whole = excerpt.document.text
    sources: dict[str, str] = {}
    for other in others:
        for sentence in passages.sentences(other, rng, each)[:each]:
            if sentence.text not in whole:
                sources.setdefault(sentence.text, other.document.title)
    foreign = rng.sample(list(sources), min(POOL, len(sources)))
    # Two options of one document would be like each other, and so not the right one.
    if not own or len({sources[text] for text in foreign}) < OPTIONS - 1:
        return Unfit("wrong options from too few documents")
    own = own[:CASES]
    near = Neighbours([*(s.text for s in own), *foreign], scene.language)
    groups = [*("" for _ in own), *(sources[text] for text in foreign)]
    question, template = PASSAGE.pick(scene, title=named(excerpt))
    asked: list[Case] = []
    for number, sentence in enumerate(own):
        if excerpt.once(sentence.text):
            barred = frozenset(range(len(own))) - {number}
            wrong = near.wrong(number, rng, barred, central=CENTRAL_FOREIGN, groups=groups)
            evidence = (Place(0, sentence.span),)
            asked.append(Case(question, sentence.text, wrong, template, evidence, (sentence.text,), sources))
    chosen = distractors.passages_balanced(asked, scene.slot, rng)
    if isinstance(chosen, Unfit):
        return chosen
    if any(normalise(option) in excerpt.flat for option in chosen.options if option != chosen.case.right):
        return Unfit("a wrong option stands in the document too")
    title = excerpt.document.title

    def solve(view: View) -> list[str]:
        flat = view.titled(title).flat
        return chosen.letters(lambda option: normalise(option) in flat)

    return chosen.candidate(solve, once=chosen.case.proof)
