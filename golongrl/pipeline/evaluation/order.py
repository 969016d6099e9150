"""In which order prompts are sent: those that begin alike one after the other, the longest first.

A server keeps the starts of recent prompts, so what shares one must come together. Long prompts first, so that the
last to finish is a short one.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from golongrl.core import chat
from golongrl.core.prompts import Prompt, common_bytes

if TYPE_CHECKING:
    from golongrl.pipeline.evaluation.job import Slot

WORTH_WAITING = 1024
"""Tokens of a common start from which the first request is sent ahead of the others."""


def sending_order(slots: Sequence["Slot"]) -> list["Slot"]:
    """The slots that have a request, as they are sent: groups by their longest prompt, and so within a group.

    The requests of a group say what they share.
    """
    ordered = sorted(_groups(slots), key=lambda group: min(map(_longest_first, group)))
    return [slot for group in ordered for slot in _told(sorted(group, key=_longest_first))]


def _longest_first(slot: "Slot") -> int:
    return -(slot.n_input_tokens or 0)


def _groups(slots: Sequence["Slot"]) -> list[list["Slot"]]:
    """Slots whose prompts share at least half of the shorter one, in the order of the slots."""
    places = [place for place, slot in enumerate(slots) if slot.request is not None]
    # Prompts that begin alike have running hashes that begin alike, so sorting brings them together.
    places.sort(key=lambda place: (_prompt(slots[place]).chain, place))
    groups: list[list[int]] = []
    for place in places:
        prompt = _prompt(slots[place])
        first = _prompt(slots[groups[-1][0]]) if groups else None
        if first is not None and 2 * common_bytes(first, prompt) >= min(first.n_bytes, prompt.n_bytes):
            groups[-1].append(place)
        else:
            groups.append([place])
    return [[slots[place] for place in sorted(group)] for group in groups]


def _told(group: list["Slot"]) -> list["Slot"]:
    """The slots with what they share written in their requests, where it is worth waiting for."""
    first = _prompt(group[0])
    shared = min(
        common_bytes(first, _prompt(slot)) * (slot.n_input_tokens or 0) // _prompt(slot).n_bytes for slot in group
    )
    if len(group) == 1 or shared < WORTH_WAITING:
        return group
    return [replace(slot, request=replace(_request(slot), group=first.key, n_shared=shared)) for slot in group]


def _request(slot: "Slot") -> chat.Request:
    assert slot.request is not None
    return slot.request


def _prompt(slot: "Slot") -> Prompt:
    prompt = _request(slot).messages
    assert isinstance(prompt, Prompt)
    return prompt
