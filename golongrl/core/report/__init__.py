"""Static HTML reports: one self-contained page from headings and blocks, everything escaped.

    page("Audit of train.parquet", [
        ("Summary", [KeyValues({"rows": 1200, "failures": 0})]),
        ("Per metric", [Table(["metric", "rows"], [["em", 400]], caption="Rows per metric")]),
    ], Header("Reward audit", "passed"))

Light and dark follow the reader's system or the switch on the page; no external resource, and no script but those of
the blocks that need one (`Viewer`). A new kind of block is a class with a `kind` in a file here and
`templates/<kind>.html.jinja`; `<kind>.css` and `<kind>.js` beside it are put into the pages that hold one.
"""

from golongrl.core.report.bars import Bars
from golongrl.core.report.cells import score_band, show, show_time
from golongrl.core.report.document import Block, Page, Section, page, script_of
from golongrl.core.report.forest import Forest
from golongrl.core.report.grid import Grid
from golongrl.core.report.header import Header, header_of
from golongrl.core.report.heat_map import Cell, HeatMap
from golongrl.core.report.lines import Line, Lines
from golongrl.core.report.links import Links
from golongrl.core.report.table import Table
from golongrl.core.report.text import KeyValues, Note, Paragraph
from golongrl.core.report.tiles import Tiles
from golongrl.core.report.viewer import Marked, Sample, Viewer, sample_json

__all__ = [
    "Bars",
    "Block",
    "Cell",
    "Forest",
    "Grid",
    "Header",
    "HeatMap",
    "KeyValues",
    "Line",
    "Lines",
    "Links",
    "Marked",
    "Note",
    "Page",
    "Paragraph",
    "Sample",
    "Section",
    "Table",
    "Tiles",
    "Viewer",
    "header_of",
    "page",
    "sample_json",
    "score_band",
    "script_of",
    "show",
    "show_time",
]
