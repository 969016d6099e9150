"""A new version of a dataset from an old one: which records of the base stay, which go and why, and which new ones
take the places that are left.

Records are compared by content, prompts go by one at a time, and the base is only read. No document that validation
asks about may stand in a training prompt, in either version.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from golongrl.core.errors import DataError
from golongrl.core.records import Record, read_records
from golongrl.core.store import atomic_path, content_key, file_sha256, read_jsonl
from golongrl.pipeline.dataset import near_duplicates
from golongrl.pipeline.dataset.licences import is_allowed
from golongrl.pipeline.dataset.refine import Kept, question_key
from golongrl.pipeline.dataset.reporting.phase_facts import VersionFacts

Split = Literal["train", "validation"]
Keep = Callable[[Record], str | None]
"""Why a record of the base must go, or None."""

FILES: dict[Split, str] = {"train": "train.parquet", "validation": "val.parquet"}
"""Training comes first: what it shows is known before validation settles what is held out."""
OVER_QUOTA = "more than the quota of its capability"
UNWANTED = "its capability is no longer wanted"
ASKED, ALMOST = "asked before", "almost the same was asked before"
NOT_NEEDED = "the quota of its capability is full"
HELD = "it shows a document that validation asks about"
TRAINED = "it asks about documents that training shows"
QUESTION = 300
"""Characters of a question in the changelog."""


@dataclass(frozen=True)
class Base:
    """The folder of a finished dataset, its version and what its files hold."""

    folder: Path
    version: int
    digest: str


@dataclass(frozen=True)
class Sides:
    """Documents (sha256) whose side the base has settled: those that validation asks about, and those that training
    shows. A build on this base holds out the former and none of the latter."""

    held: frozenset[str]
    trained: frozenset[str]


@dataclass(frozen=True)
class Change:
    """One line of the changelog."""

    change: Literal["added", "removed"]
    split: Split
    key: str
    capability: str
    length_bin: str
    form: str
    question: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What the new version holds: per split the rows of the base that stay (their places in its file, from 0), and
    the new records that join (their numbers in the order they were offered)."""

    base: Base
    kept: dict[Split, list[int]]
    added: dict[Split, list[int]]
    changes: list[Change]
    facts: VersionFacts
    refused: Mapping[int, str]
    """Number of each new record that does not join -> why."""


@dataclass(frozen=True)
class _Known:
    """What is remembered of a record."""

    split: Split
    place: int
    key: str
    capability: str
    length_bin: str
    form: str
    question: str
    question_key: str
    signature: near_duplicates.Signatures
    about: tuple[str, ...]
    shown: tuple[str, ...]

    def changed(self, change: Literal["added", "removed"], reason: str) -> Change:
        text = self.question if len(self.question) <= QUESTION else self.question[:QUESTION] + " …"
        return Change(change, self.split, self.key, self.capability, self.length_bin, self.form, text, reason)


def open_base(folder: Path) -> Base:
    """The dataset in a folder. Raises DataError when it is not one that build-dataset finished."""
    facts, train = folder / "build.json", folder / FILES["train"]
    if not facts.exists() or not train.exists():
        raise DataError(f"{folder} holds no finished dataset (build.json, train.parquet); check --base")
    try:
        version = int(json.loads(facts.read_text(encoding="utf-8")).get("version_of_data", 1))
    except (json.JSONDecodeError, UnicodeDecodeError, ValueError, AttributeError) as error:
        raise DataError(f"{facts} is not a build's facts; check --base or build it again") from error
    digests = {split: file_sha256(folder / name) for split, name in FILES.items() if (folder / name).exists()}
    return Base(folder, version, content_key("dataset", digests))


def record_key(record: Record) -> str:
    """Identity of a record: its question, its gold answer and its prompt."""
    prompt = content_key([message.model_dump() for message in record.prompt])
    return content_key(record.extra_info["question"], record.gold.model_dump(), prompt)


def keep_unless(
    capabilities: Collection[str],
    licences: Collection[str] = (),
    withdrawn: Collection[str] = (),
    also: Sequence[Keep] = (),
) -> Keep:
    """The usual reasons to remove: another capability, a licence that is no longer among `licences` (empty: all
    are), a document (sha256) that was withdrawn, then what `also` finds."""
    gone = frozenset(withdrawn)

    def keep(record: Record) -> str | None:
        info = record.extra_info
        if info["capability"] not in capabilities:
            return UNWANTED
        if not gone.isdisjoint(info["doc_sha256"]):
            return "a document it shows was withdrawn"
        refused = sorted({one for one in info["licence"] if not is_allowed(one, licences)})
        if refused:
            return f"it shows a document under {', '.join(refused)}, which is no longer allowed"
        return next((why for find in also if (why := find(record)) is not None), None)

    return keep


def sides(base: Base, keep: Keep = lambda record: None) -> Sides:
    """The sides that the base's records settle; those that `keep` removes settle nothing."""
    held: set[str] = set()
    trained: set[str] = set()
    for split, record in base_records(base):
        if keep(record) is None:
            if split == "validation":
                held.update(_about(record))
            else:
                trained.update(record.extra_info["doc_sha256"])
    assigned = base.folder / "assigned.jsonl"
    if assigned.exists():
        held.update(row["sha256"] for _, row in read_jsonl(assigned) if row["split"] == "validation")
    return Sides(frozenset(held - trained), frozenset(trained))


def merge(base: Base, new: Iterable[tuple[Split, Record]], wanted: Mapping[str, int], keep: Keep) -> Plan:
    """Plan the next version: base records that pass `keep` stay on their side, the most that `wanted` (capability ->
    records) has room for; new ones, in the order they come, fill up the rest unless they repeat one that is there.

    Of too many base records those go whose keys come last, whatever their order. Each record is read once and only
    what is compared is remembered.
    """
    staying: list[_Known] = []
    changes: list[Change] = []
    places: Counter[Split] = Counter()
    for split, record in base_records(base):
        known = _known(record, split, places[split])
        places[split] += 1
        why = keep(record) or (None if wanted.get(known.capability) else UNWANTED)
        if why is None:
            staying.append(known)
        else:
            changes.append(known.changed("removed", why))
    kept, over = _within(staying, wanted)
    changes += [known.changed("removed", OVER_QUOTA) for known in over]
    there = _There(kept)
    have = Counter(known.capability for known in kept)
    of_base = Counter(have)
    added: list[_Known] = []
    refused: dict[int, str] = {}
    for number, (split, record) in enumerate(new):
        known = _known(record, split, number)
        room = wanted.get(known.capability, 0) - have[known.capability]
        refusal = NOT_NEEDED if room <= 0 else there.refuse(known)
        if refusal is not None:
            refused[number] = refusal
            continue
        have[known.capability] += 1
        added.append(known)
        stay, want = of_base[known.capability], wanted[known.capability]
        changes.append(known.changed("added", f"{known.capability}: {want} wanted, {stay} of the base stay"))
    return Plan(
        base,
        {split: [known.place for known in kept if known.split == split] for split in FILES},
        {split: [known.place for known in added if known.split == split] for split in FILES},
        changes,
        _facts(base, places.total(), kept, added, changes, Counter(refused.values())),
        refused,
    )


def kept_records(plan: Plan, split: Split) -> Iterator[Record]:
    """The base's records that stay on one side, in the base's order, one at a time."""
    places = frozenset(plan.kept[split])
    if places:
        for place, record in enumerate(read_records(plan.base.folder / FILES[split])):
            if place in places:
                yield record


def write_changelog(path: Path, plan: Plan) -> None:
    """Write changelog.jsonl: one line with the counts, then one per record removed or added."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as handle:
        for row in ({"change": "summary", **plan.facts}, *(vars(change) for change in plan.changes)):
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")


def base_records(base: Base) -> Iterator[tuple[Split, Record]]:
    """The records of a dataset with their splits, one at a time. Raises DataError when they are gone."""
    if not (base.folder / FILES["train"]).exists():
        raise DataError(f"{base.folder} lost its train.parquet during the build; check --base and run it again")
    for split, name in FILES.items():
        if (base.folder / name).exists():
            for record in read_records(base.folder / name):
                yield split, record


def _about(record: Record) -> tuple[str, ...]:
    """Documents that hold the evidence; of a record that names none, all that it shows."""
    info = record.extra_info
    return tuple(dict.fromkeys(place["doc"] for place in info.get("evidence") or ())) or tuple(info["doc_sha256"])


def _known(record: Record, split: Split, place: int) -> _Known:
    info = record.extra_info
    return _Known(
        split=split,
        place=place,
        key=record_key(record),
        capability=info["capability"],
        length_bin=info["length_bin"],
        form=info["task_form"],
        question=info["question"],
        question_key=question_key(info["capability"], info["question"], bool(info.get("options"))),
        signature=near_duplicates.question_signature(info["question"], record.language),
        about=_about(record),
        # The same few documents stand in many prompts.
        shown=tuple(map(sys.intern, info["doc_sha256"])),
    )


def _within(staying: Sequence[_Known], wanted: Mapping[str, int]) -> tuple[list[_Known], list[_Known]]:
    """(those that fit the quotas, those that do not), each in the order given."""
    of_capability: defaultdict[str, list[_Known]] = defaultdict(list)
    for known in staying:
        of_capability[known.capability].append(known)
    over: set[tuple[str, int]] = set()
    for capability, own in of_capability.items():
        # Both sides shrink alike: a key says nothing about the side.
        ranked = sorted(own, key=lambda known: (known.key, known.split, known.place))
        over.update((known.split, known.place) for known in ranked[wanted[capability] :])
    return (
        [known for known in staying if (known.split, known.place) not in over],
        [known for known in staying if (known.split, known.place) in over],
    )


class _There:
    """The records of the new version so far, so that nothing is asked twice and no document is on both sides."""

    def __init__(self, kept: Iterable[_Known]) -> None:
        self._questions: set[str] = set()
        self._alike: defaultdict[tuple[str, str], list[near_duplicates.Signatures]] = defaultdict(list)
        self._held: set[str] = set()
        self._trained: set[str] = set()
        for known in kept:
            self._add(known)

    def refuse(self, known: _Known) -> str | None:
        """Why a new record may not join, or None and it has joined."""
        if known.question_key in self._questions:
            return ASKED
        near = (signature for about in known.about for signature in self._alike[known.form, about])
        if any(near_duplicates.similarity(known.signature, signature) >= Kept.COPY for signature in near):
            return ALMOST
        if known.split == "train" and not self._held.isdisjoint(known.shown):
            return HELD
        if known.split == "validation" and self._trained.issuperset(known.about):
            return TRAINED
        self._add(known)
        return None

    def _add(self, known: _Known) -> None:
        self._questions.add(known.question_key)
        for about in known.about:
            self._alike[known.form, about].append(known.signature)
        if known.split == "train":
            self._trained.update(known.shown)
        else:
            # Evidence may reach into documents of the training side that fill up a validation prompt.
            self._held.update(set(known.about) - self._trained)


def _facts(
    base: Base,
    records: int,
    kept: Sequence[_Known],
    added: Sequence[_Known],
    changes: Sequence[Change],
    refused: Mapping[str, int],
) -> VersionFacts:
    removed: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for change in changes:
        if change.change == "removed":
            removed[change.capability][change.reason] += 1
    return {
        "version": base.version + 1,
        "base": {"version": base.version, "digest": base.digest, "records": records},
        "kept": dict(sorted(Counter(known.capability for known in kept).items())),
        "removed": {capability: dict(sorted(tally.items())) for capability, tally in sorted(removed.items())},
        "added": dict(sorted(Counter(known.capability for known in added).items())),
        "refused": dict(sorted(refused.items())),
    }
