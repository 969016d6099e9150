"""Wrong options: found among candidate passages by TF-IDF, and chosen so that a reader of the question alone, who
goes by letter, length or shared words, is right as often as chance."""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from golongrl.core.text import normalise
from golongrl.pipeline.dataset.construct import passages
from golongrl.pipeline.dataset.construct.form import LETTERS, Candidate, Place, Unfit, distinct, lettered
from golongrl.pipeline.dataset.cosines import cosines
from golongrl.pipeline.dataset.view import View

OPTIONS = 4
NEAREST, OF_GROUP = 80, 12
"""How many of the most similar passages are tried as wrong options, and how many of them of one document."""
HUBS = 5
"""The hub is one of so many passages that are most similar to the right one."""
HUBS_TRIED = 48
ALIKE = 0.9
"""Cosine, or share of matching characters, from which two passages count as the same."""
UNBALANCED = Unfit("no balanced set of options")

_Part = tuple[int, int, int, int]
_Placed = tuple[int, str]
"""A wrong option and its place among them."""


@dataclass(frozen=True)
class Ranks:
    """What a slot asks for: the right option's letter (0 = A), and how many wrong options are shorter than it and
    share fewer words with the question. Over 64 slots in a row every combination comes once, over 4 every value."""

    letter: int
    length: int
    overlap: int

    @classmethod
    def of(cls, slot: int) -> "Ranks":
        """The ranks of a slot. Each step of a longer period also shifts the faster ones, so that few records are
        balanced as well as many."""
        letter, second, third = slot % 4, slot // 4, slot // 16
        return cls(letter, (letter + second) % 4, (3 * letter + second + third) % 4)


@dataclass(frozen=True)
class Case:
    """A question that might be asked: its text without options, its right option and wrong ones, best first; and
    what a candidate needs besides. Where `sources` names the documents of wrong options, no two are of the same."""

    question: str
    right: str
    wrong: Sequence[str] = ()
    template: str = ""
    evidence: tuple[Place, ...] = ()
    proof: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)

    def source(self, option: str) -> str:
        """What no two options may have in common."""
        return self.sources.get(option, option)


@dataclass(frozen=True)
class Chosen:
    """The case that is asked, and its options in order."""

    case: Case
    options: tuple[str, ...]
    letter: str

    def letters(self, holds: Callable[[str], bool]) -> list[str]:
        """The letters of the options of which something holds."""
        return [letter for letter, option in zip(LETTERS, self.options, strict=False) if holds(option)]

    def candidate(self, solve: Callable[[View], Sequence[str]], once: tuple[str, ...]) -> Candidate:
        """The question with its options."""
        return Candidate(
            question=f"{self.case.question}\n{lettered(self.options)}",
            template=self.case.template,
            gold=(self.letter,),
            evidence=self.case.evidence,
            solve=solve,
            proof=self.case.proof,
            options=self.options,
            listed=self.options,
            once=once,
        )


class Neighbours:
    """Which of many passages are most alike: cosine of TF-IDF vectors (words; character pairs for Chinese)."""

    def __init__(self, texts: Sequence[str], language: str):
        self.texts = tuple(texts)
        self._cosines = cosines(list(map(normalise, texts)), language)

    def nearest(self, index: int, most: int) -> list[int]:
        """The passages most similar to one, itself left out."""
        order = (-self._cosines[index]).argsort(kind="stable")
        return [int(other) for other in order[: most + 1] if other != index][:most]

    def wrong(
        self,
        right: int,
        rng: random.Random,
        barred: frozenset[int] = frozenset(),
        *,
        central: float,
        groups: Sequence[str] = (),
    ) -> list[str]:
        """Wrong options for a right one, most similar first; not many of one group (a passage's document), where
        each passage's is given.

        Were all of them picked for being like the right option, it would give itself away as the middle one; so the
        middle is the right one with probability `central` and else another passage like it.
        """
        near = [other for other in self.nearest(right, HUBS + len(barred)) if other not in barred]
        hub = right if not near or rng.random() < central else rng.choice(near)
        order = self.nearest(hub, len(self.texts) if groups else NEAREST + len(barred))
        order = [hub, *order] if hub != right else order
        apart = self._cosines[right] < ALIKE
        order = [other for other in order if other != right and other not in barred and apart[other]]
        if groups:
            taken: Counter[str] = Counter()
            order = [other for other in order if taken.update([groups[other]]) or taken[groups[other]] <= OF_GROUP]
            order = order[:NEAREST]
        return [self.texts[other] for other in order]


def passages_balanced(cases: Sequence[Case], slot: int, rng: random.Random) -> Chosen | Unfit:
    """The first case whose right option has the ranks that the slot asks for, in length and in words shared with
    the question, these counted as well as measured against the option's own words; no wrong option equals it.

    Where the cases do not allow all 16 combinations of ranks, all options share equally many words instead: were a
    scene passed over for some ranks only, these would be rarer in the end.
    """
    asked = Ranks.of(slot)
    feasible: set[tuple[int, ...]] = set()
    chosen: Chosen | None = None
    for case in cases:
        classes = _classes(case)
        pools = [_of_sources(case, members) for members in classes.values()]
        feasible |= {r for r in _ALL - feasible if any(_across(case, pools, part) for part in _PARTS[r])}
        if chosen is None:
            options = _pick(case, classes, (asked.length, asked.overlap))
            chosen = options and _lettered(case, options, asked.letter, rng)
        if chosen and len(feasible) == len(_ALL):
            return chosen
    return _by_length(cases, slot, rng)


def _by_length(cases: Sequence[Case], slot: int, rng: random.Random) -> Chosen | Unfit:
    """The first case whose right option has the length rank that the slot asks for, among options that all share
    equally many words with the question. Unfit unless the cases allow every rank."""
    asked = Ranks.of(slot)
    feasible: set[int] = set()
    chosen: Chosen | None = None
    for case in cases:
        words = passages.terms(case.question)
        tied = [option for option in case.wrong if _shared(words, option)[0] == _shared(words, case.right)[0]]
        shorter = _apart(case, [option for option in tied if len(option) < len(case.right)])
        longer = _apart(case, [option for option in tied if len(option) > len(case.right)])
        pools = [list(enumerate(shorter)), list(enumerate(longer))]
        sets = {rank: _across(case, pools, (rank, OPTIONS - 1 - rank)) for rank in range(OPTIONS)}
        feasible.update(rank for rank, found in sets.items() if found)
        if chosen is None and (best := sets[asked.length]):
            options = [option for _, option in best]
            if distinct([case.right, *options]):
                chosen = _lettered(case, options, asked.letter, rng)
        if chosen and len(feasible) == OPTIONS:
            return chosen
    return UNBALANCED


@dataclass(frozen=True)
class Label:
    """A short option and the cases in which it would be right."""

    text: str
    cases: Sequence[Case]


def labels_balanced(
    labels: Sequence[Label], like: Callable[[int], Sequence[int]], slot: int, rng: random.Random
) -> Chosen | Unfit:
    """A question whose four options are names, headings or cells that could all be right; `like` gives the labels
    most like one, best first.

    The four are put together first and only then the slot says which is right, the shortest, second, third or
    longest: so nothing about the options themselves tells it. They are of distinct lengths, or all of one length,
    and share equally many words with the question.
    """
    asked = Ranks.of(slot)
    hubs = [number for number, label in enumerate(labels) if label.cases]
    rng.shuffle(hubs)
    for lengths in (OPTIONS, 1):
        for hub in hubs[:HUBS_TRIED]:
            four = _four(labels, [hub, *like(hub)], lengths)
            if four is None:
                continue
            right = sorted(four, key=len)[asked.length]
            for case in next(label.cases for label in labels if label.text == right):
                words = passages.terms(case.question)
                if len({_shared(words, option)[0] for option in four}) == 1:
                    return _lettered(case, [option for option in four if option != right], asked.letter, rng)
    return UNBALANCED


def _four(labels: Sequence[Label], order: Sequence[int], lengths: int) -> list[str] | None:
    """The first four labels in an order that have cases, stay apart and have so many different lengths."""
    kept: list[str] = []
    for number in order:
        text = labels[number].text
        fits = len({len(other) for other in (*kept, text)}) == (len(kept) + 1 if lengths == OPTIONS else 1)
        if fits and labels[number].cases and distinct([*kept, text]):
            kept.append(text)
        if len(kept) == OPTIONS:
            return kept
    return None


_ALL = frozenset(itertools.product(range(OPTIONS), repeat=2))


def _parts(shorter: int, less: int) -> list[_Part]:
    """How many options to take of each class (see `_classes`) so that so many are shorter and so many share less."""
    wrong = OPTIONS - 1
    found = [(both, shorter - both, less - both, wrong - shorter - less + both) for both in range(wrong + 1)]
    return [part for part in found if min(part) >= 0]


_PARTS = {ranks: _parts(*ranks) for ranks in _ALL}


def _classes(case: Case) -> dict[tuple[bool, bool], list[tuple[int, str]]]:
    """Wrong options with their place, by whether they are shorter and whether they share fewer words with the
    question, both in number and in proportion: shorter and fewer, shorter and more, longer and fewer, longer and
    more."""
    classes: dict[tuple[bool, bool], list[tuple[int, str]]] = {
        key: [] for key in itertools.product((True, False), repeat=2)
    }
    asked = passages.terms(case.question)
    mine = _shared(asked, case.right)
    for place, option in enumerate(case.wrong):
        theirs = _shared(asked, option)
        fewer = all(a < b for a, b in zip(theirs, mine, strict=True))
        more = all(a > b for a, b in zip(theirs, mine, strict=True))
        if (fewer or more) and len(option) != len(case.right):
            classes[len(option) < len(case.right), fewer].append((place, option))
    return classes


def _shared(asked: frozenset[str], option: str) -> tuple[int, float]:
    words = passages.terms(option)
    common = len(asked & words)
    return common, common / max(1, len(words))


def _pick(
    case: Case, classes: dict[tuple[bool, bool], list[tuple[int, str]]], ranks: tuple[int, int]
) -> list[str] | None:
    """The three best wrong options by which the right one gets its ranks."""
    pools = [_unlike(case, members) for members in classes.values()]
    sets = [found for part in _PARTS[ranks] if (found := _across(case, pools, part))]
    best = min(sets, key=_places, default=None)
    options = [option for _, option in best] if best else None
    return options if options and distinct([case.right, *options]) else None


def _places(options: Sequence[_Placed]) -> int:
    return sum(place for place, _ in options)


def _across(case: Case, pools: Sequence[Sequence[_Placed]], needs: Sequence[int]) -> list[_Placed] | None:
    """The best options, so many of each pool, of which no two are of one document; None where there are none."""
    if any(need > len(pool) for need, pool in zip(needs, pools, strict=True)):
        return None
    ways = itertools.product(*map(itertools.combinations, pools, needs))
    found = (list(itertools.chain.from_iterable(way)) for way in ways)
    if not case.sources:
        return next(found)
    return min((w for w in found if len({case.source(o) for _, o in w}) == len(w)), key=_places, default=None)


def _of_sources(case: Case, members: Sequence[_Placed]) -> list[_Placed]:
    """The first three members, or fewer, of different documents: no more are ever needed of one class."""
    first = {case.source(option): (place, option) for place, option in reversed(members)}
    return sorted(first.values())[: OPTIONS - 1]


def _unlike(case: Case, members: Sequence[_Placed]) -> list[_Placed]:
    """Of different documents, the first three members, or fewer, that are unlike each other."""
    kept: list[_Placed] = []
    used: set[str] = set()
    for place, option in members:
        if len(kept) == OPTIONS - 1:
            break
        if case.source(option) not in used and not any(_alike(option, other) for _, other in kept):
            kept.append((place, option))
            used.add(case.source(option))
    return kept


def _apart(case: Case, options: Sequence[str]) -> list[str]:
    """Of different documents, the first three options, or fewer, that stay apart from each other and from the right
    one."""
    kept: list[str] = []
    for option in options:
        if len(kept) == OPTIONS - 1:
            break
        used = {case.source(other) for other in kept}
        if case.source(option) not in used and distinct([case.right, *kept, option]):
            kept.append(option)
    return kept


def _alike(one: str, other: str) -> bool:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return matcher.real_quick_ratio() >= ALIKE and matcher.quick_ratio() >= ALIKE and matcher.ratio() >= ALIKE


def _lettered(case: Case, wrong: Sequence[str], letter: int, rng: random.Random) -> Chosen:
    options = list(wrong)
    rng.shuffle(options)
    options.insert(letter, case.right)
    return Chosen(case, tuple(options), LETTERS[letter])
