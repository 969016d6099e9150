"""T1, precise retrieval: one of several look-alike passages, word for word and behind a random prefix (the task and
grading of MRCR, `golongrl.rewards.mrcr_ratio`)."""

import functools
import random
import string
from collections.abc import Callable, Sequence

from golongrl.core.documents import Block
from golongrl.core.text import normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct.form import Candidate, Phrasings, Place, Scene, Unfit, named
from golongrl.pipeline.dataset.excerpt import Excerpt, Section
from golongrl.pipeline.dataset.view import Shown, View

NEEDLES = (2, 8)
"""Fewest and most passages that meet the description; an ordinal picks one."""
LENGTH = {"en": (60, 1_200), "zh": (24, 500)}
"""Shortest and longest passage asked for, in characters."""
PREFIX = 10
SEEDS, WORDS_TRIED = 8, 48
"""Passages from which words are taken, and words tried, before a scene is passed over."""
ORDINALS = {
    "en": ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"),
    "zh": ("第一", "第二", "第三", "第四", "第五", "第六", "第七", "第八"),
}

INSTRUCTION = {
    "en": (
        "Your whole answer is {prefix} and directly behind it the {what}, word for word: nothing before it, between "
        "the two or after it, no quotation marks, no comment."
    ),
    "zh": (
        "你的全部回答就是{prefix}，其后紧接该{what}的原文，逐字照抄：前面、中间和后面都不要写任何其他内容，"
        "不加引号，不作说明。"
    ),
}

WITH_WORD = Phrasings(
    "paragraph_with_word",
    en=(
        'Take the paragraphs of the document {title} that hold the word "{word}", in their order. Give the {ordinal} '
        "of them word for word, with {prefix} directly before it.",
        'In the document {title} several paragraphs contain the word "{word}". Write {prefix} and, directly behind '
        "it, the {ordinal} of these paragraphs exactly as it stands.",
        'Reproduce the {ordinal} paragraph of the document {title} in which the word "{word}" occurs (paragraphs '
        "without it are not counted). Put {prefix} directly before it.",
    ),
    zh=(
        "依次看文档{title}中含有“{word}”一词的各个段落。请逐字写出其中的{ordinal}个，并在它前面直接写上{prefix}。",
        "文档{title}中有几个段落出现了“{word}”。请先写{prefix}，紧接着原样写出这些段落中的{ordinal}个。",
        "请照抄文档{title}中{ordinal}个出现“{word}”的段落（不含该词的段落不计），前面直接加上{prefix}。",
    ),
)
BELOW_HEADING = Phrasings(
    "paragraph_below_heading",
    en=(
        'Give the {ordinal} paragraph below the heading "{heading}" of the document {title} word for word, with '
        "{prefix} directly before it.",
        'Look at what stands below "{heading}" in the document {title}, up to the next heading. Write {prefix} and, '
        "directly behind it, the {ordinal} paragraph there exactly as it stands.",
        'Counted from the heading "{heading}" of the document {title}, reproduce the {ordinal} paragraph. Put '
        "{prefix} directly before it.",
    ),
    zh=(
        "请逐字写出文档{title}中标题“{heading}”之下的{ordinal}个段落，并在它前面直接写上{prefix}。",
        "请看文档{title}中“{heading}”以下、下一个标题之前的内容。先写{prefix}，紧接着原样写出其中的{ordinal}个段落。",
        "从文档{title}的标题“{heading}”数起，请照抄其后的{ordinal}个段落，前面直接加上{prefix}。",
    ),
)
TURN = Phrasings(
    "turn_of_speaker",
    en=(
        'Take the turns of {speaker} in the document {title} that hold the word "{word}", in their order. Give the '
        "{ordinal} of them word for word, without the speaker's name, with {prefix} directly before it.",
        'In the document {title}, {speaker} uses the word "{word}" in several turns. Write {prefix} and, directly '
        "behind it, what is said in the {ordinal} of these turns, exactly as it stands and without the name.",
        'Reproduce the {ordinal} turn in which {speaker} says "{word}" in the document {title} (other turns are not '
        "counted), leaving out the name. Put {prefix} directly before it.",
    ),
    zh=(
        "依次看文档{title}中{speaker}含有“{word}”一词的各次发言。请逐字写出其中的{ordinal}次（不写人名），"
        "并在它前面直接写上{prefix}。",
        "在文档{title}中，{speaker}有几次发言用到了“{word}”。请先写{prefix}，紧接着原样写出其中{ordinal}次发言的内容，"
        "不写人名。",
        "请照抄文档{title}中{speaker}{ordinal}次说到“{word}”的那次发言（未说到的不计，不写人名），前面直接加上{prefix}。",
    ),
)


def paragraph_with_word(scene: Scene) -> Candidate | Unfit:
    """The k-th of the paragraphs that hold a word."""
    excerpt = scene.target
    if any(block.kind == "turn" for block in excerpt.blocks):
        return Unfit("a dialogue has turns, not paragraphs")
    blocks = [block for block in excerpt.blocks if block.kind == "paragraph"]
    found = _with_word(excerpt, blocks, scene.rng, alone=True)
    if found is None:
        return Unfit("no word that a few paragraphs hold")
    word, holders = found
    fields = {"title": named(excerpt), "word": word}
    needles = functools.partial(_holding, word, scene.language)
    return _asked(scene, WITH_WORD, fields, holders, needles, ("paragraph", "段落"))


def paragraph_below_heading(scene: Scene) -> Candidate | Unfit:
    """The k-th paragraph below a heading."""
    excerpt = scene.target
    low, high = NEEDLES
    kinds = {"paragraph"}
    fit = [s for s in excerpt.sections if low <= len(s.blocks) <= high and {b.kind for b in s.blocks} == kinds]
    for section in scene.rng.sample(fit, len(fit)):
        if not excerpt.distinct_heading(section.heading) or not _some_fit(excerpt, section):
            continue
        needles = functools.partial(_below, section.title)
        fields = {"title": named(excerpt), "heading": section.title}
        return _asked(scene, BELOW_HEADING, fields, section.blocks, needles, ("paragraph", "段落"))
    return Unfit("no heading with a few paragraphs and nothing else below it")


def turn_of_speaker(scene: Scene) -> Candidate | Unfit:
    """The k-th of a speaker's turns that hold a word."""
    excerpt = scene.target
    turns: dict[str, list[Block]] = {}
    for block in excerpt.blocks:
        if block.kind == "turn":
            turns.setdefault(block.speaker, []).append(block)
    if len(turns) < 2:
        return Unfit("fewer than two speakers")
    for speaker in scene.rng.sample(sorted(turns), len(turns)):
        found = _with_word(excerpt, turns[speaker], scene.rng, alone=False)
        if found is None:
            continue
        word, holders = found

        needles = functools.partial(_turns, speaker, word, scene.language)
        fields = {"title": named(excerpt), "speaker": speaker, "word": word}
        return _asked(scene, TURN, fields, holders, needles, ("turn", "发言"))
    return Unfit("no word that a few turns of one speaker hold")


def behind_prefix(
    scene: Scene,
    phrasings: Phrasings,
    fields: dict[str, str],
    passage: str,
    evidence: Place,
    find: Callable[[View], Sequence[str]],
    what: tuple[str, str],
) -> Candidate:
    """A question whose answer is a passage behind a random prefix; `find` gives every passage that answers it."""
    prefix = "".join(scene.rng.choices(string.ascii_letters + string.digits, k=PREFIX))
    question, template = phrasings.pick(scene, **fields, prefix=prefix)
    stated = INSTRUCTION[scene.language].replace("{prefix}", prefix)
    return Candidate(
        question,
        template,
        gold=(prefix + passage,),
        evidence=(evidence,),
        solve=lambda view: [prefix + text for text in find(view)],
        proof=(passage,),
        instruction=stated.replace("{what}", what[scene.language == "zh"]),
        extra={"strict_prefix": prefix},
    )


def _asked(
    scene: Scene,
    phrasings: Phrasings,
    fields: dict[str, str],
    holders: Sequence[Block],
    needles: Callable[[Shown], list[str]],
    what: tuple[str, str],
) -> Candidate | Unfit:
    excerpt, title = scene.target, scene.target.document.title
    texts = [excerpt.content(block) for block in holders]
    fit = [number for number, text in enumerate(texts) if _asks_well(text, scene.language) and excerpt.once(text)]
    if not fit or len(set(map(normalise, texts))) < len(texts):
        return Unfit("the passages are too short, too long or repeated")
    number, total = scene.rng.choice(fit), len(texts)

    def find(view: View) -> list[str]:
        found = needles(view.titled(title))
        if len(found) != total:
            raise LookupError(f"{len(found)} passages meet the description, not {total}")
        return [found[number]]

    fields = {**fields, "ordinal": ORDINALS[scene.language][number]}
    return behind_prefix(scene, phrasings, fields, texts[number], Place(0, holders[number].content), find, what)


def _holding(word: str, language: str, shown: Shown) -> list[str]:
    lines = [line for line in shown.lines if prose.count_word(line.text, word.lower(), language)]
    if any(line.kind != "text" for line in lines):
        raise LookupError(f"{word!r} stands outside the paragraphs")
    return [line.text for line in lines]


def _below(heading: str, shown: Shown) -> list[str]:
    wanted = normalise(heading)
    lines = [line for section in shown.sections if normalise(section.title) == wanted for line in section.lines]
    if any(line.kind != "text" for line in lines):
        raise LookupError(f"not only paragraphs stand below {heading!r}")
    return [line.text for line in lines]


def _turns(speaker: str, word: str, language: str, shown: Shown) -> list[str]:
    return [said for said in shown.said_by(speaker) if prose.count_word(said, word.lower(), language)]


def _with_word(
    excerpt: Excerpt, blocks: Sequence[Block], rng: random.Random, *, alone: bool
) -> tuple[str, list[Block]] | None:
    """A word that a few of the blocks hold, and these; with `alone` nothing else of the excerpt holds it."""
    language = excerpt.language
    texts = [excerpt.content(block).lower() for block in blocks]
    fit = [number for number, text in enumerate(texts) if _asks_well(text, language)]
    words: dict[str, None] = {}
    for number in rng.sample(fit, min(SEEDS, len(fit))):
        words.update(dict.fromkeys(prose.content_words(excerpt.content(blocks[number]), language)))
    whole, markup = excerpt.text.lower() if alone else "", prose.markup(excerpt.text).lower()
    for word in rng.sample(list(words), min(len(words), WORDS_TRIED)):
        held = [number for number, text in enumerate(texts) if word in text]
        if not NEEDLES[0] <= len(held) <= NEEDLES[1] or word in markup:
            continue
        plain = sum(texts[number].count(word) for number in held)
        if alone and whole.count(word) != plain:
            continue
        # Never inside a longer word, nor across two Chinese ones.
        if plain == sum(_as_word(excerpt.content(blocks[number]), word, language) for number in held):
            return _spelt(word, [excerpt.content(blocks[n]) for n in held]), [blocks[n] for n in held]
    return None


def _spelt(word: str, texts: Sequence[str]) -> str:
    """The word as the texts write it: with a capital only where they all do."""
    found = {text[at : at + len(word)] for text in texts for at in [text.lower().index(word)]}
    return found.pop() if len(found) == 1 else word


def _as_word(text: str, word: str, language: str) -> int:
    return prose.content_words(text, "zh")[word] if language == "zh" else prose.count_word(text, word, "en")


def _asks_well(text: str, language: str) -> bool:
    low, high = LENGTH[language]
    return low <= len(text) <= high


def _some_fit(excerpt: Excerpt, section: Section) -> bool:
    return any(_asks_well(excerpt.content(block), excerpt.language) for block in section.blocks)
