"""MRCR-style conversations of any length, built from local documents: every answer in them is a real passage.

The user asks for "a note about assignment", "a remark about lambda" and so on; the assistant answers each time with
a passage of a document. Several passages of one document are filed under the same request (the needles), the rest is
haystack; the last turn asks for the i-th needle behind a random prefix. Same grading as `mrcr`. Source: --data
(txt, md, rst) or the language reference in `pydoc_data.topics` (PSF-2.0). A relative measure between models on one
machine: its scores are not comparable to those of `openai/mrcr`.
"""

import random
from typing import Any

from golongrl.core.errors import DataError
from golongrl.core.store import content_key
from golongrl.core.tokens import format_length
from golongrl.pipeline.evaluation.benchmarks import mrcr
from golongrl.pipeline.evaluation.benchmarks.base import LENGTHS, Benchmark, Item, LoadOptions
from golongrl.pipeline.evaluation.benchmarks.evidence import located
from golongrl.pipeline.evaluation.benchmarks.passages import Source, read_sources

DEFAULT_LENGTHS = (1024, 2048)
DEFAULT_LIMIT = 20

FORMS = ("note", "remark", "paragraph", "summary", "comment", "letter", "entry", "answer", "memo", "report")
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"


def _request(form: str, topic: str) -> str:
    article = "an" if form[0] in "aeiou" else "a"
    return f"Write {article} {form} about {topic}."


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th ..."""
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _haystack(sources: list[Source], taken: set[str], asked: str, rng: random.Random) -> list[tuple[str, str]]:
    """(request, passage) of every passage that is no needle, in random order, none under the needles' request."""
    pairs = []
    for source in sources:
        for passage in source.passages:
            if passage in taken:
                continue
            request = _request(rng.choice(FORMS), source.topic)
            while request == asked:
                request = _request(rng.choice(FORMS), source.topic)
            pairs.append((request, passage))
    rng.shuffle(pairs)
    return pairs


def _turn(request: str, passage: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": request}, {"role": "assistant", "content": passage}]


def build_item(
    identity: str, sources: list[Source], needles: int, length: int, options: LoadOptions, rng: random.Random
) -> Item:
    """One conversation that fills `length` tokens (prompt and answer) as far as whole turns allow.

    When the documents hold too little text, haystack passages come again; needles never do.
    """
    source = rng.choice([source for source in sources if len(source.passages) >= needles])
    chosen = rng.sample(source.passages, needles)
    asked = _request(form := rng.choice(FORMS), source.topic)
    wanted = rng.randrange(needles)
    prefix = "".join(rng.choices(_ALPHABET, k=10))
    question = (
        f"Prepend {prefix} to the {ordinal(wanted + 1)} {form} about {source.topic}, counted from the start of this "
        "conversation. Repeat it word for word and add nothing else."
    )
    answer = prefix + chosen[wanted]
    n_answer = options.tokenizer.count(answer)
    ask = [{"role": "user", "content": question}]
    needle_turns = [_turn(asked, passage) for passage in chosen]
    spare = length - n_answer - options.count_prompt([m for turn in needle_turns for m in turn] + ask)
    if spare < 0:
        raise DataError(
            f"{needles} needles of up to {options.answer_tokens} tokens do not fit {length} tokens; "
            "raise --max-length, or lower --set answer_tokens=N or --set needles=N"
        )
    # What a turn adds, template included: measured once per turn against an empty conversation.
    base = options.count_prompt(ask)
    pairs = _haystack(sources, set(chosen), asked, rng)
    turns: list[list[dict[str, str]]] = []
    misses = 0
    for index in range(len(pairs) * 10_000):
        turn = _turn(*pairs[index % len(pairs)])
        cost = options.count_prompt(turn + ask) - base
        if cost <= 0:
            raise DataError(
                "the model's chat template leaves messages of a conversation out, so mrcr-mini has nothing to fill; "
                "mend the template, or choose another benchmark"
            )
        if cost > spare:
            misses += 1
            if misses == 8 or spare < options.answer_tokens // 4:
                break
            continue
        spare -= cost
        turns.append(turn)
    places = sorted(rng.sample(range(len(turns) + needles), needles))
    for place, turn in zip(places, needle_turns, strict=True):
        turns.insert(place, turn)
    # Behind its request, and so many turns of two messages down.
    place = 2 * places[wanted] + 1
    item = Item(
        id=identity,
        messages=[message for turn in turns for message in turn] + ask,
        gold={"answer": answer, "prefix": prefix},
        buckets={"needles": str(needles)},
        cluster=source.topic,
        n_answer_tokens=n_answer,
    )
    return located(item, [(place, 0, len(item.messages[place]["content"]))])


def load(options: LoadOptions) -> list[Item]:
    """`limit` items, spread evenly over lengths and needle counts; the same options give the same items."""
    sources = read_sources(options.data, options.tokenizer, options.answer_tokens)
    richest = max((len(source.passages) for source in sources), default=0)
    origin = options.data or "the language reference"
    if richest < max(options.needles):
        raise DataError(
            f"no document of {origin} has {max(options.needles)} passages of {options.answer_tokens // 4} to "
            f"{options.answer_tokens} tokens (the most is {richest}); pass other documents, or --set needles=N, "
            "--set answer_tokens=N"
        )
    if len(sources) < 2:
        raise DataError(f"{origin} holds one usable document; mrcr-mini needs a second one for the haystack")
    lengths = options.max_length or list(DEFAULT_LENGTHS)
    cells = [(length, needles) for length in lengths for needles in options.needles]
    items = []
    for index in range(options.limit or DEFAULT_LIMIT):
        length, needles = cells[index % len(cells)]
        identity = f"{format_length(length)}-{needles}n-{index // len(cells)}"
        rng = random.Random(content_key("mrcr-mini", options.seed, identity))
        items.append(build_item(identity, sources, needles, length, options, rng))
    return items


def as_row(item: Item) -> dict[str, Any]:
    """The item in the schema of `openai/mrcr`, so that others can read it and `--bench mrcr` can too."""
    return {
        "id": item.id,
        "prompt": item.messages,
        "answer": item.gold["answer"],
        "random_string_to_prepend": item.gold["prefix"],
        "n_needles": int(item.buckets["needles"]),
    }


MRCR_MINI = Benchmark(
    name="mrcr-mini",
    dataset="built here, from --data or pydoc_data.topics",
    split="seeded",
    fields="prompt, answer, random_string_to_prepend, n_needles",
    licence="that of the documents",
    metric=mrcr.MRCR.metric,
    bounds=(512, 1024, 2048, *LENGTHS),
    load=load,
    score=mrcr.score,
    from_row=mrcr.from_row,
    # Twice the longest passage, and room for the prefix in any tokenizer.
    short_output=lambda answer_tokens: 2 * answer_tokens + 64,
    as_row=as_row,
)
