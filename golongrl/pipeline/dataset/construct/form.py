"""What a task form is, what it is given (a scene), and what it makes of it (a candidate)."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from golongrl.core.documents import Document, Span
from golongrl.core.text import normalise_item
from golongrl.pipeline.dataset.excerpt import Excerpt
from golongrl.pipeline.dataset.view import View

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Place:
    """Where evidence stands: a span of the document that the scene's excerpt of this number is cut from."""

    excerpt: int
    span: Span


@dataclass(frozen=True)
class Scene:
    """What a question may be about.

    `excerpts` are the stretches that one prompt will show; the first is cut from the document that was asked for a
    question, and a form of scope "excerpt" is given only that one. `elsewhere` holds stretches of other documents
    of the corpus, for wrong options. `slot` counts the requests for this form: what must be balanced
    over a dataset (the right letter, its length rank, the phrasing) follows the slot instead of the dice.
    """

    excerpts: tuple[Excerpt, ...]
    slot: int
    rng: random.Random
    elsewhere: tuple[Excerpt, ...] = ()

    @property
    def target(self) -> Excerpt:
        """The excerpt of the document that was asked for a question."""
        return self.excerpts[0]

    @property
    def language(self) -> str:
        """ "en" or "zh"."""
        return self.target.language


@dataclass(frozen=True)
class Candidate:
    """A question with its gold answer, before its context is finished.

    `evidence` together holds every text of `proof` (the gold, unless the gold is a label, a number or a table).
    Texts in `once` may stand only once in the finished context, texts in `absent` not at all. `solve` finds the
    answer again by brute force in what the prompt shows, without looking at how the question was made; it must
    return `answer` (the gold, unless said otherwise), as a set for unordered metrics. `listed` are the candidate
    answers that the question itself states, in its order (options, items to sort), for the closed-book baseline.
    `withheld` replaces the target excerpt by one with the answer taken out. `instruction` replaces the metric's
    usual answer format, `extra` goes to `extra_info` (for example `strict_prefix`).
    """

    question: str
    template: str
    gold: tuple[str, ...]
    evidence: tuple[Place, ...]
    solve: Callable[[View], Sequence[str]]
    proof: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()
    once: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    withheld: Excerpt | None = None
    instruction: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Unfit:
    """Why a scene or a candidate was passed over."""

    reason: str


Construct = Callable[[Scene], Candidate | Unfit]


@dataclass(frozen=True)
class TaskForm:
    """One way to ask for a capability.

    `needs` names the criterion (`golongrl.pipeline.dataset.assign.CRITERIA`) that a document must meet. `scope`
    "context" asks for a scene with every excerpt of the prompt instead of only the first. `opening` asks for the
    document's beginning instead of a random stretch, `starts` for stretches from one of these blocks on, where few
    places of a document serve, `elsewhere` for stretches of other documents.
    """

    name: str
    capability: str
    needs: str
    construct: Construct
    scope: Literal["excerpt", "context"] = "excerpt"
    opening: bool = False
    starts: Callable[[Document], Sequence[int]] | None = None
    elsewhere: bool = False
    languages: tuple[str, ...] = ("en", "zh")


@dataclass(frozen=True)
class Phrasings:
    """The wordings of one question, per language, with `{name}` fields; `template` on a record is "form/number"."""

    form: str
    en: tuple[str, ...]
    zh: tuple[str, ...]

    def pick(self, scene: Scene, **fields: str) -> tuple[str, str]:
        """(question, template) in the scene's language; slots take the wordings in turn."""
        wordings = self.zh if scene.language == "zh" else self.en
        number = scene.slot % len(wordings)
        # Not str.format: what is filled in may hold braces itself.
        text = re.sub(r"\{(\w+)\}", lambda match: fields[match[1]], wordings[number])
        return text, f"{self.form}/{number + 1}"


def named(excerpt: Excerpt) -> str:
    """The document's title in quotation marks, as questions name it."""
    title = excerpt.document.title
    if excerpt.language == "zh":
        return f"“{title}”" if "《" in title else f"《{title}》"
    return f'"{title}"'


def distinct(items: Sequence[str]) -> bool:
    """Whether all items stay non-empty and apart once a reward has normalised them."""
    normal = [normalise_item(item) for item in items]
    return all(normal) and len(set(normal)) == len(normal)


def shuffled(items: Sequence[str], rng: random.Random) -> list[str]:
    """The items in a random order, the given one included, so that no order is more likely than another."""
    mixed = list(items)
    rng.shuffle(mixed)
    return mixed


def lettered(options: Sequence[str]) -> str:
    """Options as lines `A. ...`."""
    return "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))
