"""What a task form is, and what it makes of an excerpt."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from golongrl.core.documents import Span
from golongrl.core.text import normalise_item
from golongrl.pipeline.dataset.excerpt import Excerpt


@dataclass(frozen=True)
class Candidate:
    """A question about an excerpt with its gold answer, before it is put into a context.

    `evidence` spans index into the document; together they hold every text of `proof` (the gold, unless the gold is
    a label such as an option's letter). Texts in `once` may stand only once in the finished context, texts in
    `absent` not at all.
    """

    excerpt: Excerpt
    question: str
    gold: tuple[str, ...]
    evidence: tuple[Span, ...]
    proof: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    once: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unfit:
    """Why an excerpt or a candidate was passed over."""

    reason: str


Construct = Callable[[Excerpt, random.Random], Candidate | Unfit]


@dataclass(frozen=True)
class TaskForm:
    """One way to ask for a capability: its name, what a document must hold, and how a question is made.

    `opening` asks for excerpts from the document's beginning instead of a random place.
    """

    name: str
    capability: str
    needs: str
    construct: Construct
    opening: bool = False


def named(excerpt: Excerpt) -> str:
    """The document's title in quotation marks, as questions name it."""
    title = excerpt.document.title
    return f"《{title}》" if excerpt.language == "zh" else f'"{title}"'


def distinct(items: list[str]) -> bool:
    """Whether all items stay non-empty and apart once a reward has normalised them."""
    normal = [normalise_item(item) for item in items]
    return all(normal) and len(set(normal)) == len(normal)


def shuffled(items: list[str], rng: random.Random) -> list[str]:
    """The items in another order than given (two items or more)."""
    mixed = list(items)
    while mixed == items:
        rng.shuffle(mixed)
    return mixed


def lettered(options: list[str]) -> str:
    """Options as lines `A. ...`."""
    return "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
