"""One item of a memory estimate, and numbers as people read them."""

from dataclasses import dataclass

GIB = 1 << 30

OTHER = 3 * GIB
"""CUDA contexts of trainer and server, NCCL buffers, CUDA graphs: an assumption."""


@dataclass(frozen=True)
class Row:
    """One item of the estimate."""

    phase: str
    item: str
    bytes: int
    formula: str
    """The arithmetic with its numbers."""


def rows_total(rows: list[Row], phase: str) -> int:
    """Bytes of one phase."""
    return sum(row.bytes for row in rows if row.phase == phase)


def rows_table(rows: list[Row]) -> list[tuple[str, str, str, str]]:
    """(phase, item, size, arithmetic) per row for people, with the sum of each phase below it."""
    lines = []
    for phase in dict.fromkeys(row.phase for row in rows):
        lines += [(phase, row.item, gib(row.bytes), row.formula) for row in rows if row.phase == phase]
        lines.append((phase, "together", gib(rows_total(rows, phase)), ""))
    return lines


def gib(size: float) -> str:
    """Bytes for people."""
    return f"{size / GIB:.1f} GiB"


def over(size: int) -> str:
    """A divisor in a formula; nothing for 1."""
    return f" / {size}" if size > 1 else ""


def count(number: float) -> str:
    """Numbers for people: 4.02 B, 151.9 M."""
    for unit, size in (("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return f"{number:.0f}"
