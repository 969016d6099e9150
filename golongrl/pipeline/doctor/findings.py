"""What a check found: one line each, with what to do where something is wrong."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Finding:
    """`status`: "ok"; "note" for what may matter later; "missing" for what the asked work cannot do without.

    `fix` is the command or the change that mends it, empty where nothing is to be done.
    """

    group: str
    name: str
    value: str
    status: Status = "ok"
    fix: str = ""
