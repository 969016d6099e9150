"""T3, exhaustive retrieval: every item of a document, or of all documents, that meets a condition, and no other."""

import itertools
import re
from collections.abc import Iterator, Sequence

from golongrl.core.documents import Block, Span
from golongrl.core.text import normalise
from golongrl.pipeline.dataset import prose
from golongrl.pipeline.dataset.construct import tabular
from golongrl.pipeline.dataset.construct.form import Candidate, Phrasings, Place, Scene, Unfit, distinct, named
from golongrl.pipeline.dataset.construct.ordering import NUMBERING, lone_headings, lone_text, view_turns
from golongrl.pipeline.dataset.construct.sheet import Condition, Sheet, conditions, label_words, rows_meeting, sheets
from golongrl.pipeline.dataset.construct.word_places import (
    GOOD_ENOUGH,
    WORDS_TRIED,
    ContextWords,
    Words,
    context_words,
    merged,
)
from golongrl.pipeline.dataset.excerpt import Sentence
from golongrl.pipeline.dataset.view import View

FEWEST, MOST = 2, 12
"""Fewest and most gold items."""
MOST_SHARE = 0.7
"""Largest share of all items that may meet a condition, so that naming every item is no answer."""
CONDITIONS = 24
LONGEST_ITEM, LONGEST_TURN = 120, 400
"""Characters of a list item or turn that an answer repeats."""
SINGLE_WORDS = 60
RUNS_ON = re.compile(r"(?:[,;，；、:：]|\b(?:and|or))$")

ROWS_WHERE = Phrasings(
    "rows_where",
    en=(
        "In {table}, find every row where {condition}, and list the {key} of all these rows.",
        "Which rows of {table} meet the condition that {condition}? Give the {key} of each of them.",
        "Go through all rows of {table} and write down the {key} of every row for which {condition}.",
    ),
    zh=(
        "在{table}中，找出{condition}的所有行，列出这些行的{key}。",
        "{table}里，哪些行的{condition}？写出其中每一行的{key}。",
        "逐行查看{table}，把{condition}的每一行的{key}都列出来。",
    ),
)


def rows_where(scene: Scene) -> Candidate | Unfit:
    """The labels of all rows that meet one or two conditions on other columns."""
    reason = "no table of four rows with labels"
    for sheet in sheets(scene, 4):
        if len(sheet.named_rows) < 4:
            continue
        reason = "no condition that two to twelve labelled rows meet"
        for wanted, rows in _row_conditions(sheet, scene):
            gold = [sheet.label(row) for row in rows]
            few = FEWEST <= len(rows) <= min(MOST, MOST_SHARE * len(sheet.table.rows))
            known = sheet.types.totals.isdisjoint(rows) and set(rows) <= set(sheet.named_rows)
            if few and known and distinct(gold) and all(lone_text(scene.target, label) for label in gold):
                return _rows(scene, sheet, wanted, rows, gold)
    return Unfit(reason)


def _row_conditions(sheet: Sheet, scene: Scene) -> Iterator[tuple[list[Condition], list[int]]]:
    """Conditions with the rows that meet them: pairs of them first, for half of the scenes."""
    single = [found for found in conditions(sheet, scene, CONDITIONS) if found[1] != sheet.types.labels]
    if scene.rng.random() < 0.5:
        for (one, column, rows), (other, second, more) in itertools.combinations(single, 2):
            both = [row for row in rows if row in more]
            if column != second and len(both) < min(len(rows), len(more)):
                yield [one, other], both
    for condition, _, rows in single:
        yield [condition], list(rows)


def _rows(scene: Scene, sheet: Sheet, wanted: list[Condition], rows: list[int], gold: list[str]) -> Candidate:
    language, labels = scene.language, sheet.types.labels

    def solve(view: View) -> list[str]:
        shown = tabular.shown_table(view, sheet.title, sheet.names)
        return [row[labels or 0] for row in rows_meeting(shown, wanted)]

    question, template = ROWS_WHERE.pick(
        scene,
        table=tabular.where_table(scene.target, sheet.table),
        condition=("且" if language == "zh" else " and ").join(condition.words(language) for condition in wanted),
        key=label_words(sheet, language),
    )
    columns = [sheet.table.columns.index(condition.column) for condition in wanted]
    evidence = sheet.evidence([(row, column) for row in rows for column in columns])
    return Candidate(question, template, tuple(gold), evidence, solve)


HEADINGS_WITH_WORD = Phrasings(
    "headings_with_word",
    en=(
        "In the document {title}, list every heading whose own text, up to the next heading, holds the word "
        '"{word}" (in any case).',
        'Below which headings of the document {title}, before the next heading, does the word "{word}" occur, upper '
        "or lower case? Name all of them.",
        'The word "{word}" (case ignored) stands in the text directly below some headings of the document {title}. '
        "Write down every such heading; text below a later heading does not count.",
    ),
    zh=(
        "在文档{title}中，哪些标题之下、下一个标题之前的文字里出现了“{word}”一词？列出全部标题。",
        "列出文档{title}中所有这样的标题：从该标题到下一个标题之间的文字里有“{word}”。",
        "文档{title}里，“{word}”出现在哪些标题下面的文字中（到下一个标题为止）？请写出每一个这样的标题。",
    ),
)


def headings_with_word(scene: Scene) -> Candidate | Unfit:
    """All headings whose own text, up to the next heading, holds a word."""
    excerpt = scene.target
    if len(excerpt.headings) < FEWEST + 2:
        return Unfit("fewer than four headings")
    words, alone = Words(excerpt), lone_headings(excerpt)
    fits: list[tuple[float, str, dict[int, list[int]]]] = []
    for word in words.sample(scene.rng)[:WORDS_TRIED]:
        held = words.by_heading(word) or {}
        most = min(MOST, MOST_SHARE * len(excerpt.headings))
        fits_all = FEWEST <= len(held) <= most and all(alone[number] for number in held)
        if fits_all and words.certain(word, merged(held)):
            fits.append((words.width(held) + len(held) / MOST, word, held))
            if len(fits) == GOOD_ENOUGH:
                break
    if not fits:
        return Unfit("no word that two to twelve headings have in their text")
    _, word, held = max(fits, key=lambda fit: fit[0])
    title, language = excerpt.document.title, excerpt.language

    def solve(view: View) -> list[str]:
        return [s.title for s in view.titled(title).sections if prose.count_word(s.body, word, language)]

    question, template = HEADINGS_WITH_WORD.pick(scene, title=named(excerpt), word=word)
    heads = [excerpt.headings[number] for number in held]
    spans = [head.content for head in heads]
    spans += words.around([places[0] for places in held.values()])
    gold = tuple(map(excerpt.content, heads))
    # A heading may stand in a table of contents too, so the proof is the word.
    return Candidate(question, template, gold, tuple(Place(0, span) for span in spans), solve, proof=(word,))


SENTENCES_WITH_WORD = Phrasings(
    "sentences_with_word",
    en=(
        'In the document {title}, list word for word every sentence that holds the word "{word}" (in any case).',
        'Quote all sentences of the document {title} in which the word "{word}" occurs, upper or lower case, each '
        "exactly as it stands.",
        'Which sentences of the document {title} contain the word "{word}" (case ignored)? Copy every one of them '
        "in full.",
    ),
    zh=(
        "在文档{title}中，逐字列出所有出现“{word}”一词的句子。",
        "文档{title}里哪些句子含有“{word}”？请把每一句完整地照抄下来。",
        "从文档{title}中找出“{word}”出现的全部句子，按原文逐句写出。",
    ),
)


def sentences_with_word(scene: Scene) -> Candidate | Unfit:
    """All sentences of the document that hold a rare word."""
    excerpt, language = scene.target, scene.language
    words = Words(excerpt)
    fits: list[tuple[float, str, list[Sentence]]] = []
    for word in words.often(words.sample(scene.rng), FEWEST, MOST):
        places = words.places(word) or []
        found = [_sentence(words, place) for place in places]
        # Occurrences outside quotable sentences (headings, lists, fragments) would be answers nobody can count.
        held = list({sentence.span: sentence for sentence in found if sentence}.values())
        if None in found or len(held) < FEWEST or not distinct([sentence.text for sentence in held]):
            continue
        if all(excerpt.once(sentence.text) for sentence in held) and words.certain(word, places):
            fits.append((words.width({word: places}) + len(held) / MOST, word, held))
            if len(fits) == GOOD_ENOUGH:
                break
    if not fits:
        return Unfit("no word that two to twelve quotable sentences hold")
    _, word, held = max(fits, key=lambda fit: fit[0])
    title = excerpt.document.title

    def solve(view: View) -> list[str]:
        text, found = view.titled(title).text, []
        for line in text.split("\n"):
            for span in prose.sentences(line, Span(0, len(line)), language):
                sentence = line[span.start : span.end]
                found += [sentence] if prose.count_word(sentence, word, language) else []
        # What stands outside the sentences found would be missing from them.
        if sum(prose.count_word(s, word, language) for s in found) != prose.count_word(text, word, language):
            raise LookupError(f"{word!r} also stands outside sentences")
        return found

    gold = tuple(sentence.text for sentence in held)
    question, template = SENTENCES_WITH_WORD.pick(scene, title=named(excerpt), word=word)
    return Candidate(question, template, gold, tuple(Place(0, s.span) for s in held), solve, once=gold)


def _sentence(words: Words, place: int) -> Sentence | None:
    """The quotable sentence of a paragraph at an offset, None when there is none."""
    block = words.block(place)
    excerpt = words.excerpt
    if block.kind != "paragraph":
        return None
    for span in prose.sentences(excerpt.document.text, block.content, excerpt.language):
        if span.start <= place < span.end:
            text = excerpt.document.slice(span)
            # Whether the number of a clause belongs to its sentence is a question of taste.
            fits = prose.quotable(text, excerpt.language) and not NUMBERING.match(text)
            return Sentence(text, span, 0, None, "") if fits else None
    return None


LIST_ITEMS = Phrasings(
    "list_items",
    en=(
        'In the document {title}, give every item of the list below the heading "{heading}".',
        'The document {title} has a list under the heading "{heading}". Write down all of its items as they stand.',
        'Which items does the document {title} list between the heading "{heading}" and the next heading? Give each '
        "of them in full.",
    ),
    zh=(
        "在文档{title}中，列出标题“{heading}”之下列表的全部条目。",
        "文档{title}的标题“{heading}”下有一个列表，请照原文写出它的每一条。",
        "从标题“{heading}”到下一个标题之间，文档{title}列出了哪些条目？请完整写出所有条目。",
    ),
)


def list_items(scene: Scene) -> Candidate | Unfit:
    """All items of the only list below a heading."""
    excerpt = scene.target
    if len(excerpt.headings) < 2:
        return Unfit("fewer than two headings")
    alone = lone_headings(excerpt)
    below: dict[int, list[Block]] = {}
    number = -1
    for block in excerpt.blocks:
        number += block.kind == "heading"
        if block.kind == "item" and number >= 0:
            below.setdefault(number, []).append(block)
    found = []
    for number, items in below.items():
        texts = [excerpt.content(block) for block in items]
        # Items that run on into the next ("...; and") read as one sentence, whose cuts an answer may well drop.
        short = all(len(text) <= LONGEST_ITEM and not RUNS_ON.search(text) for text in texts)
        one_list = len({block.group for block in items}) == 1
        fits = FEWEST < len(items) <= MOST and one_list and short and alone[number] and distinct(texts)
        if fits and all(lone_text(excerpt, text) for text in texts):
            found.append((excerpt.headings[number], items, texts))
    if not found:
        return Unfit("no short list alone below a heading")
    heading, items, texts = scene.rng.choice(found)
    title, name = excerpt.document.title, excerpt.content(heading)

    def solve(view: View) -> list[str]:
        sections = [s for s in view.titled(title).sections if normalise(s.title) == normalise(name)]
        return [line.text for section in sections for line in section.lines if line.kind == "item"]

    question, template = LIST_ITEMS.pick(scene, title=named(excerpt), heading=name)
    return Candidate(question, template, tuple(texts), tuple(Place(0, block.content) for block in items), solve)


SPEAKERS_WITH_WORD = Phrasings(
    "speakers_with_word",
    en=(
        'In the conversation of the document {title}, list every speaker who says the word "{word}" (in any case) '
        "at least once.",
        'Who uses the word "{word}", upper or lower case, in the document {title}? Name all speakers in one of whose '
        "turns it occurs.",
        "Go through the turns of the document {title} and give the name of each speaker who at some point says "
        '"{word}" (case ignored).',
    ),
    zh=(
        "在文档{title}的对话中，列出所有至少说过一次“{word}”的说话人。",
        "文档{title}里，哪些说话人的发言中出现过“{word}”？写出他们每一位的名字。",
        "逐条查看文档{title}中的发言，把说到“{word}”的说话人全部列出。",
    ),
)


def speakers_with_word(scene: Scene) -> Candidate | Unfit:
    """All speakers of a dialogue who say a word."""
    talk = _talk(scene)
    if isinstance(talk, Unfit):
        return talk
    words, speakers = talk
    fits: list[tuple[float, str, dict[str, list[int]]]] = []
    for word in words.sample(scene.rng)[:WORDS_TRIED]:
        held = _by_speaker(words, word, speakers)
        if FEWEST <= len(held) <= min(MOST, MOST_SHARE * len(speakers)) and words.certain(word, merged(held)):
            fits.append((words.width(held) + len(held) / MOST, word, held))
            if len(fits) == GOOD_ENOUGH:
                break
    if not fits:
        return Unfit("no word that some but not most speakers say")
    _, word, held = max(fits, key=lambda fit: fit[0])
    title, language = scene.target.document.title, scene.language

    def solve(view: View) -> list[str]:
        said = [who for who, text in view_turns(view, title) if prose.count_word(text, word, language)]
        return list(dict.fromkeys(said))

    question, template = SPEAKERS_WITH_WORD.pick(scene, title=named(scene.target), word=word)
    spans = words.around([places[0] for places in held.values()])
    return Candidate(question, template, tuple(held), tuple(Place(0, span) for span in spans), solve)


def _talk(scene: Scene) -> tuple[Words, list[str]] | Unfit:
    """The words and the speakers of a dialogue with three speakers or more."""
    speakers = list(dict.fromkeys(block.speaker for block in scene.target.blocks if block.kind == "turn"))
    if len(speakers) < FEWEST + 1 or not distinct(speakers):
        return Unfit("fewer than three speakers")
    return Words(scene.target), speakers


def _by_speaker(words: Words, word: str, speakers: Sequence[str]) -> dict[str, list[int]]:
    """The places at which each speaker says a word; nothing where some are doubtful or outside what is said."""
    if any(word in speaker.lower() for speaker in speakers):
        return {}
    found: dict[str, list[int]] = {}
    for place in words.places(word) or ():
        block = words.block(place)
        if block.kind != "turn":
            return {}
        found.setdefault(block.speaker, []).append(place)
    return found


TURNS_WITH_WORD = Phrasings(
    "turns_with_word",
    en=(
        'In the document {title}, give word for word every turn of {speaker} that holds the word "{word}" (in any '
        "case), without the speaker's name.",
        'What does {speaker} say in the document {title} whenever the word "{word}", upper or lower case, occurs? '
        "Copy each of these turns in full, leaving out the name in front.",
        'Find all turns in the document {title} in which {speaker} uses "{word}" (case ignored), and write down the '
        "complete text of each, not the name.",
    ),
    zh=(
        "在文档{title}中，逐字列出{speaker}含有“{word}”的每一次发言，不写说话人名字。",
        "文档{title}里，{speaker}在哪些发言中说到了“{word}”？请完整照抄每一次发言，略去前面的名字。",
        "找出文档{title}中{speaker}用到“{word}”的全部发言，写出每次发言的全文（不含名字）。",
    ),
)


def turns_with_word(scene: Scene) -> Candidate | Unfit:
    """What one speaker says in every turn that holds a word."""
    talk = _talk(scene)
    if isinstance(talk, Unfit):
        return talk
    words, speakers = talk
    excerpt = scene.target
    fits: list[tuple[float, str, str, list[Block]]] = []
    for word in words.sample(scene.rng)[: 2 * WORDS_TRIED]:
        for speaker, places in sorted(_by_speaker(words, word, speakers).items()):
            turns = list({block.span: block for block in map(words.block, places)}.values())
            texts = [excerpt.content(turn) for turn in turns]
            if not FEWEST <= len(turns) <= MOST or any(len(text) > LONGEST_TURN for text in texts):
                continue
            # Every place of the word counts, also those of other speakers.
            if distinct(texts) and all(map(excerpt.once, texts)) and words.certain(word, words.places(word) or ()):
                fits.append((words.width({word: places}) + len(turns) / MOST, word, speaker, turns))
        if len(fits) >= GOOD_ENOUGH:
            break
    if not fits:
        return Unfit("no word in two to twelve short turns of one speaker")
    _, word, speaker, turns = max(fits, key=lambda fit: fit[0])
    title, language = excerpt.document.title, scene.language

    def solve(view: View) -> list[str]:
        said = view_turns(view, title)
        return [text for who, text in said if who == speaker and prose.count_word(text, word, language)]

    question, template = TURNS_WITH_WORD.pick(scene, title=named(excerpt), word=word, speaker=speaker)
    gold = tuple(map(excerpt.content, turns))
    return Candidate(question, template, gold, tuple(Place(0, turn.span) for turn in turns), solve, once=gold)


TITLES_WITH_WORD = Phrasings(
    "titles_with_word",
    en=(
        'List the titles of all documents whose text holds the word "{word}" (in any case).',
        'In which of the documents does the word "{word}" occur, upper or lower case? Give the title of every one.',
        'Search every document for the word "{word}" (case ignored) and name, by title, each document that has it.',
    ),
    zh=(
        "列出正文中出现“{word}”一词的所有文档的标题。",
        "“{word}”出现在哪几篇文档里？写出每一篇的标题。",
        "在全部文档中查找“{word}”，把含有它的文档的标题都列出来。",
    ),
)
TITLES_WITH_BOTH = Phrasings(
    "titles_with_both",
    en=(
        'List the titles of all documents whose text holds both the word "{word}" and the word "{other}" (in any '
        "case).",
        'Which documents use "{word}" as well as "{other}", upper or lower case? Give the title of every one; a '
        "document with only one of the two words does not count.",
        'Name, by title, each document in which the words "{word}" and "{other}" (case ignored) both occur.',
    ),
    zh=(
        "列出正文中既出现“{word}”又出现“{other}”的所有文档的标题。",
        "哪几篇文档同时用到了“{word}”和“{other}”？写出每一篇的标题；只出现其中一个词的不算。",
        "找出“{word}”与“{other}”两个词都出现过的全部文档，写出它们的标题。",
    ),
)


def titles_with_word(scene: Scene) -> Candidate | Unfit:
    """The titles of all documents whose text holds a word."""
    known = context_words(scene)
    if isinstance(known, Unfit):
        return known
    fits: dict[str, dict[int, list[int]]] = {}
    for word in known.shared(FEWEST):
        held = known.places(word) or {}
        few = FEWEST <= len(held) <= min(MOST, MOST_SHARE * len(scene.excerpts))
        if few and known.certain(word, held):
            fits[word] = held
            if len(fits) == GOOD_ENOUGH:
                break
    if not fits:
        return Unfit("no word that two to twelve, but not most, of the documents hold")
    word = max(fits, key=lambda word: len(fits[word]))
    return _titles(scene, known, TITLES_WITH_WORD, [fits[word]], word=word)


def titles_with_both(scene: Scene) -> Candidate | Unfit:
    """The titles of all documents whose text holds two words, each of which others hold too."""
    known = context_words(scene)
    if isinstance(known, Unfit):
        return known
    shared = known.shared(FEWEST + 1)[:SINGLE_WORDS]
    holders = {word: held for word in shared if len(held := known.places(word) or {}) > FEWEST}
    for (word, held), (other, more) in itertools.combinations(holders.items(), 2):
        both = held.keys() & more.keys()
        few = FEWEST <= len(both) <= min(MOST, MOST_SHARE * len(scene.excerpts))
        shares = few and len(both) < min(len(held), len(more))
        if shares and known.certain(word, held) and known.certain(other, more):
            kept = [{number: found[number] for number in sorted(both)} for found in (held, more)]
            return _titles(scene, known, TITLES_WITH_BOTH, kept, word=word, other=other)
    return Unfit("no two words that two to twelve of the documents share")


def _titles(
    scene: Scene, known: ContextWords, phrasings: Phrasings, held: Sequence[dict[int, list[int]]], **words: str
) -> Candidate:
    language = scene.language

    def solve(view: View) -> list[str]:
        return [
            shown.title
            for shown in view.documents
            if all(prose.count_word(shown.text, word, language) for word in words.values())
        ]

    question, template = phrasings.pick(scene, **words)
    gold = tuple(scene.excerpts[number].document.title for number in held[0])
    evidence = {
        Place(number, span): None
        for found in held
        for number, places in found.items()
        for span in known.words[number].around(places[:1])
    }
    return Candidate(question, template, gold, tuple(evidence), solve, proof=tuple(words.values()))
