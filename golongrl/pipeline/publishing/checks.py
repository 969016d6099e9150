"""What is checked before anything is sent: one result per check, with every problem as what, where, what to do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from golongrl.core.errors import CheckFailedError

SHOWN = 20


@dataclass(frozen=True)
class Check:
    """One check: `found` says in a few words what was looked at, `problems` what is wrong; none means passed."""

    name: str
    found: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def require_passed(checks: Iterable[Check]) -> None:
    """CheckFailedError with every problem of the checks that failed."""
    problems = [f"{check.name}: {problem}" for check in checks for problem in check.problems]
    if problems:
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise CheckFailedError("\n  ".join(["nothing was published:", *problems[:SHOWN], *more]))


def shown(names: Sequence[str], most: int = 5) -> str:
    """The first names of a list, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
