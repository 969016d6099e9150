"""T8, sequence ordering: shuffled pieces of the document go back into its order."""

import random

from golongrl.pipeline.dataset.construct.form import LETTERS, Candidate, Unfit, distinct, lettered, named, shuffled
from golongrl.pipeline.dataset.excerpt import NUMBERED, Excerpt

FEWEST, MOST = 4, 7


def heading_order(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """Headings in the order in which they appear; numbered headings would give it away."""
    heads = [h for h in excerpt.headings if excerpt.distinct_heading(h) and h.level > 1]
    heads = [h for h in heads if not NUMBERED.match(excerpt.content(h))]
    if len(heads) < FEWEST:
        return Unfit("fewer than four distinct headings without numbers")
    size = min(len(heads), rng.randint(FEWEST, MOST))
    chosen = [heads[i] for i in sorted(rng.sample(range(len(heads)), size))]
    gold = [excerpt.content(h) for h in chosen]
    if not distinct(gold):
        return Unfit("headings read the same")
    listed = "\n".join(shuffled(gold, rng))
    question = (
        f"把下面这些标题按它们在文档{named(excerpt)}中出现的先后顺序排列。\n{listed}"
        if excerpt.language == "zh"
        else f"Put these headings in the order in which they appear in the document {named(excerpt)}.\n{listed}"
    )
    return Candidate(excerpt, question, tuple(gold), tuple(h.content for h in chosen))


def sentence_order(excerpt: Excerpt, rng: random.Random) -> Candidate | Unfit:
    """Lettered sentences of different paragraphs in the order in which they appear; the answer is the letters."""
    sentences = [s for s in excerpt.sentences if not NUMBERED.match(s.text)]
    blocks = sorted({s.block for s in sentences})
    if len(blocks) < FEWEST:
        return Unfit("fewer than four paragraphs with a quotable sentence")
    size = min(len(blocks), rng.randint(FEWEST, MOST - 1))
    picked = sorted(rng.sample(blocks, size))
    chosen = [rng.choice([s for s in sentences if s.block == block]) for block in picked]
    texts = [s.text for s in chosen]
    mixed = shuffled(texts, rng)
    gold = [LETTERS[mixed.index(text)] for text in texts]
    question = (
        f"下面的句子出自文档{named(excerpt)}。按它们在文档中出现的先后顺序写出句子前的字母。\n{lettered(mixed)}"
        if excerpt.language == "zh"
        else f"These sentences come from the document {named(excerpt)}. Give their letters in the order in which the "
        f"sentences appear there.\n{lettered(mixed)}"
    )
    return Candidate(
        excerpt, question, tuple(gold), tuple(s.span for s in chosen), proof=tuple(texts), once=tuple(texts)
    )
