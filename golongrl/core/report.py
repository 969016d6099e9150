"""Static HTML reports: one self-contained page from headings and a few block types, everything escaped.

    page("Audit of train.parquet", [
        ("Summary", [KeyValues({"rows": 1200, "failures": 0})]),
        ("Per metric", [Table(["metric", "rows"], [["em", 400]], caption="Rows per metric")]),
    ])

Light and dark follow the reader's system; no external resource, and no script but that of a `Viewer`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from golongrl.core.errors import require
from golongrl.core.report_viewer import SCRIPT, SCRIPT_HASH, STYLE, Viewer
from golongrl.core.store import write_text


@dataclass(frozen=True)
class Paragraph:
    """Plain text; line breaks are kept."""

    text: str
    kind = "paragraph"


@dataclass(frozen=True)
class Table:
    """Rows of plain values under named columns; the first column names its row, numbers align right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    caption: str = ""
    kind = "table"

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"table {self.caption!r}: a row of {len(row)} cells under {len(self.columns)} columns"
                )

    @property
    def numeric(self) -> list[bool]:
        """Per column, whether it holds numbers and nothing else but gaps."""
        columns = [[row[index] for row in self.rows if row[index] is not None] for index in range(len(self.columns))]
        return [bool(values) and all(map(_is_number, values)) for values in columns]


@dataclass(frozen=True)
class KeyValues:
    """A short list of names and values."""

    values: Mapping[str, Any]
    kind = "keyvalues"


@dataclass(frozen=True)
class Bars:
    """Horizontal bars (label, value, low, high) with an interval where low and high are given, as inline SVG.

    The axis runs from 0 to `top`, by default the largest value or upper end (at least 1). The values stand in the
    picture as text, so that nothing is told by length alone.
    """

    rows: Sequence[tuple[str, float, float | None, float | None]]
    caption: str = ""
    top: float | None = None
    kind = "bars"

    @property
    def shapes(self) -> list[dict[str, Any]]:
        """Geometry of each bar in SVG units (width 300 for `top`, 26 per row)."""
        ends = [end for _, value, _, high in self.rows for end in (value, high) if end is not None]
        scale = 300 / (self.top or max([1.0, *ends]))
        return [
            {
                "label": label,
                "y": 26 * index,
                "width": round(max(0.0, value) * scale, 1),
                "low": None if low is None else round(240 + max(0.0, low) * scale, 1),
                "high": None if high is None else round(240 + max(0.0, high) * scale, 1),
                "text": show(value) if low is None or high is None else f"{show(value)} [{show(low)}, {show(high)}]",
            }
            for index, (label, value, low, high) in enumerate(self.rows)
        ]


@dataclass(frozen=True)
class Lines:
    """Curves (name, points) over x and y in [0, 1], as inline SVG; told apart by dashes as well as by colour."""

    series: Sequence[tuple[str, Sequence[tuple[float, float]]]]
    caption: str = ""
    kind = "lines"

    @property
    def shapes(self) -> list[dict[str, Any]]:
        """Geometry of each curve in SVG units (plot of 440 x 220 at 40, 10) and of its entry in the legend."""
        return [
            {
                "name": name,
                "points": " ".join(f"{40 + 440 * x:.1f},{230 - 220 * y:.1f}" for x, y in points),
                "dash": ("none", "7 3", "2 3", "8 3 2 3")[index % 4],
                "hue": 360 * index // max(1, len(self.series)),
                "y": 22 + 22 * index,
            }
            for index, (name, points) in enumerate(self.series)
        ]


Block = Paragraph | Table | KeyValues | Bars | Lines | Viewer
Section = tuple[str, Block | Sequence[Block]]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def show(value: Any) -> str:
    """A cell as text: "-" for None, yes/no for truth values, three decimals for fractions, thousands separated."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)


def page(title: str, sections: Sequence[Section]) -> str:
    """The whole HTML document; every text is escaped."""
    jinja2 = require("jinja2")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["show"] = show
    parts = [(heading, [body] if isinstance(body, Block) else list(body)) for heading, body in sections]
    has_viewer = any(isinstance(block, Viewer) for _, blocks in parts for block in blocks)
    return environment.from_string(_TEMPLATE).render(
        title=title,
        sections=parts,
        # The script and the hash stand in the page letter by letter, so they must not be escaped.
        script=_literal(SCRIPT) if has_viewer else None,
        script_hash=SCRIPT_HASH,
        viewer_style=_literal(STYLE) if has_viewer else None,
        literal=_literal,
    )


def _literal(text: str) -> Any:
    return require("markupsafe").Markup(text)


def write_page(path: str | PathLike[str], title: str, sections: Sequence[Section]) -> None:
    """Write `page(title, sections)` atomically (UTF-8)."""
    write_text(path, page(title, sections).encode("utf-8", "backslashreplace").decode("utf-8"))


_TEMPLATE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'\
{% if script %}; script-src '{{ script_hash }}'{% endif %}">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark;
        --text: #1c2024; --soft: #5b6168; --line: #d9dde1; --back: #ffffff; --bar: #3b6fb6; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e8ea; --soft: #a2a9b0; --line: #3a4047; --back: #16191d; --bar: #7aa7e0; }
}
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: var(--text); background: var(--back);
       font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
p { white-space: pre-line; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .5rem 0 1rem; font-size: .92rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top;
         overflow-wrap: anywhere; }
th { font-weight: 600; } tbody th { font-weight: 500; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: .5rem 0 1rem; } figcaption { color: var(--soft); font-size: .92rem; }
svg text { fill: var(--text); font: 13px system-ui, sans-serif; }
svg polyline { fill: none; stroke-width: 2; } svg line.grid { stroke: var(--line); stroke-width: 1; }
svg rect { fill: var(--bar); } svg line { stroke: var(--text); stroke-width: 1.5; }
{% if viewer_style %}
{{ viewer_style }}\
{% endif %}
</style>
</head>
<body>
<main>
<h1>{{ title }}</h1>
{% for heading, blocks in sections %}
<section>
<h2>{{ heading }}</h2>
{% for block in blocks %}
{% if block.kind == "paragraph" %}
<p>{{ block.text }}</p>
{% elif block.kind == "table" %}
<div class="scroll" tabindex="0" role="region" aria-label="{{ block.caption or heading }}">
<table>
{% if block.caption %}
<caption>{{ block.caption }}</caption>
{% endif %}
<thead><tr>
{% for column in block.columns %}
<th scope="col"{% if block.numeric[loop.index0] %} class="number"{% endif %}>\
{{ column }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in block.rows %}
<tr>
{% for value in row %}
{% if loop.first %}
<th scope="row">{{ value | show }}</th>
{% else %}
<td{% if block.numeric[loop.index0] %} class="number"{% endif %}>{{ value | show }}</td>
{% endif %}
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
{% elif block.kind == "keyvalues" %}
<dl>
{% for name, value in block["values"].items() %}
<dt>{{ name }}</dt><dd>{{ value | show }}</dd>
{% endfor %}
</dl>
{% elif block.kind == "lines" %}
<figure>
{% if block.caption %}
<figcaption>{{ block.caption }}</figcaption>
{% endif %}
<svg role="group" aria-label="{{ block.caption or heading }}" viewBox="0 0 740 260" width="100%">
{% for tick in [0, 0.25, 0.5, 0.75, 1] %}
<line class="grid" x1="40" x2="480" y1="{{ 230 - 220 * tick }}" y2="{{ 230 - 220 * tick }}"/>
<text x="34" y="{{ 234 - 220 * tick }}" text-anchor="end">{{ tick }}</text>
<text x="{{ 40 + 440 * tick }}" y="250" text-anchor="middle">{{ tick }}</text>
{% endfor %}
{% for curve in block.shapes %}
<polyline points="{{ curve.points }}" stroke="hsl({{ curve.hue }} 60% 50%)" stroke-dasharray="{{ curve.dash }}"/>
<polyline points="500,{{ curve.y }} 540,{{ curve.y }}" stroke="hsl({{ curve.hue }} 60% 50%)" \
stroke-dasharray="{{ curve.dash }}"/>
<text x="548" y="{{ curve.y + 4 }}">{{ curve.name }}</text>
{% endfor %}
</svg>
</figure>
{% elif block.kind == "viewer" %}
{% if block.caption %}
<p>{{ block.caption }}</p>
{% endif %}
<div class="viewer">
<noscript><p>The samples need JavaScript to be shown; nothing is fetched.</p></noscript>
<script type="application/json">{{ literal(block.data) }}</script>
</div>
{% else %}
<figure>
{% if block.caption %}
<figcaption>{{ block.caption }}</figcaption>
{% endif %}
<svg role="group" aria-label="{{ block.caption or heading }}" viewBox="0 0 740 {{ block.rows | length * 26 + 4 }}" \
width="100%">
{% for bar in block.shapes %}
<text x="230" y="{{ bar.y + 17 }}" text-anchor="end">{{ bar.label }}</text>
<rect x="240" y="{{ bar.y + 4 }}" width="{{ bar.width }}" height="18"/>
{% if bar.low is not none and bar.high is not none %}
<line x1="{{ bar.low }}" x2="{{ bar.high }}" y1="{{ bar.y + 13 }}" y2="{{ bar.y + 13 }}"/>
{% endif %}
<text x="552" y="{{ bar.y + 17 }}">{{ bar.text }}</text>
{% endfor %}
</svg>
</figure>
{% endif %}
{% endfor %}
</section>
{% endfor %}
</main>
{% if script %}
<script>{{ script }}</script>
{% endif %}
</body>
</html>
"""
