"""Long texts by excerpt: a little before and behind what matters, which is marked."""

from collections.abc import Sequence

from golongrl.core.report.viewer import Marked

AROUND = 200
"""Characters shown on each side of a marked piece."""
LONGEST_PIECE = 400
"""Characters of one marked piece that are shown; the middle of a longer one is left out."""
LONGEST_TEXT = 2_000
"""Characters of a text without marks that are shown."""


def stretches(spans: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Sorted spans in groups: those whose surroundings touch are shown as one stretch."""
    groups: list[list[tuple[int, int]]] = []
    end = -1
    for span in spans:
        if groups and span[0] - end <= 2 * AROUND and span[1] - groups[-1][0][0] <= 2 * LONGEST_PIECE:
            groups[-1].append(span)
        else:
            groups.append([span])
        end = max(end, span[1])
    return groups


def excerpt(text: str, spans: Sequence[tuple[int, int]], around: int = AROUND) -> Marked:
    """The text from a little before the first span to a little behind the last, the spans marked."""
    first, last = spans[0][0], max(end for _, end in spans)
    start, stop = max(0, first - around), min(len(text), last + around)
    pieces: list[tuple[str, bool]] = []
    at = start
    for begin, end in spans:
        pieces += [(text[at:begin], False), (middle_cut(text[max(at, begin) : end], LONGEST_PIECE), True)]
        at = max(at, end)
    pieces.append((text[at:stop], False))
    opening = "… " if start else ""
    closing = " …" if stop < len(text) else ""
    return tuple(piece for piece in ((opening, False), *pieces, (closing, False)) if piece[0])


def shortened(text: str, longest: int = LONGEST_TEXT) -> str:
    """A text of at most about `longest` characters, saying how much was left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]} … ({len(text) - longest:,} characters more)"


def middle_cut(text: str, longest: int) -> str:
    """A text of at most about `longest` characters: its start and its end, saying how much was left out."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]} … ({len(text) - 2 * half:,} characters) … {text[-half:]}"
