"""The sample viewer of a report page: thousands of samples in one file, of which the DOM holds only the visible rows.

    Viewer(("capability", "language"), [
        Sample(("T1", "en"), "Which heading ...", (("question", "Which ..."), ("text", (("before ", False), ...)))),
    ])

The samples travel as JSON inside the page. The script builds every node with `textContent`, so no text of a sample is
ever read as HTML, and the page's content security policy runs no script but this one, known by its hash.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

Marked = tuple[tuple[str, bool], ...]
"""A text in pieces, each with whether it is marked."""


@dataclass(frozen=True)
class Sample:
    """One sample: its value of every facet, its line in the list, and named parts to read."""

    facets: tuple[str, ...]
    line: str
    parts: tuple[tuple[str, str | Marked], ...]


@dataclass(frozen=True)
class Viewer:
    """Samples with one filter per facet and a search over all their text."""

    facets: tuple[str, ...]
    samples: Sequence[Sample]
    caption: str = ""
    kind = "viewer"

    def __post_init__(self) -> None:
        for sample in self.samples:
            if len(sample.facets) != len(self.facets):
                raise ValueError(
                    f"sample {sample.line[:60]!r} has {len(sample.facets)} facets under the names "
                    f"{', '.join(self.facets)}"
                )

    @property
    def data(self) -> str:
        """The samples as JSON that may stand inside a script element: no `<` that could end it or open a comment."""
        rows = ",\n".join(sample_json(sample) for sample in self.samples)
        values = [
            sorted({sample.facets[at] for sample in self.samples}, key=facet_order) for at in range(len(self.facets))
        ]
        return f'{{"facets": {_json(self.facets)}, "values": {_json(values)}, "rows": [\n{rows}\n]}}'


def facet_order(value: str) -> tuple[int, float, str]:
    """Order of a facet's values: numbers and lengths by size ("512" < "4k" < "1m" < ">1m"), then words."""
    plain = re.match(r"(>?)(\d+(?:\.\d+)?)([km]?)(?![A-Za-z0-9])", value)
    if plain is None:
        return (1, 0.0, value)
    size = float(plain[2]) * {"k": 1024.0, "m": 1048576.0}.get(plain[3], 1.0)
    return (0, size + (0.5 if plain[1] else 0.0), value)


def sample_json(sample: Sample) -> str:
    """One sample as it stands in the page: [facets, line, parts]; a marked text is a list of [text, 0 or 1]."""
    parts = [
        [name, value if isinstance(value, str) else [[text, int(marked)] for text, marked in value]]
        for name, value in sample.parts
    ]
    return _json([sample.facets, sample.line, parts])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
