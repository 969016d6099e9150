"""T7, graded ranking: sections in the order of how often they hold a word."""

import random

from golongrl.core.text import normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct.form import Candidate, Unfit, distinct, named
from golongrl.pipeline.dataset.excerpt import Excerpt

FEWEST, MOST = 3, 8


def headings_by_count(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """All headings whose own text holds a word, most occurrences first; no two counts are equal."""
    sections, language = excerpt.sections, excerpt.language
    if len(sections) < FEWEST or not distinct([excerpt.content(h) for h in excerpt.headings]):
        return Unfit("fewer than three sections with distinct headings")
    # Three sections with different counts hold at least 1 + 2 + 3 occurrences.
    words = sorted(word for word, count in excerpt.words.items() if count >= FEWEST * (FEWEST + 1) // 2)
    rng.shuffle(words)
    headings = normalise(" ".join(section.title for section in sections))
    for word in words[:60]:
        if word in headings or not excerpt.unmistakable(word):
            continue
        counts = {section.span: prose.count_word(section.body, word, language) for section in sections}
        held = sorted((s for s in sections if counts[s.span]), key=lambda s: -counts[s.span])
        if not FEWEST <= len(held) <= MOST or len({counts[s.span] for s in held}) < len(held):
            continue
        question = (
            f"在文档{named(excerpt)}中，统计每个标题之下、下一个标题之前的文字里“{word}”一词出现的次数。"
            "列出出现过该词的标题，按次数从多到少排列。"
            if language == "zh"
            else f'In the document {named(excerpt)}, count the word "{word}" in the text below each heading, up to '
            "the next heading. List the headings whose text holds it, most occurrences first."
        )
        return Candidate(excerpt, question, tuple(s.title for s in held), tuple(s.span for s in held))
    return Unfit("no word with a different count in each of three sections")
