"""The sample viewer of a report page: thousands of samples in one file, of which the DOM holds only the visible rows.

    Viewer(("capability", "language"), [
        Sample(("T1", "en"), "Which heading ...", (("question", "Which ..."), ("text", (("before ", False), ...)))),
    ])

The samples travel as JSON inside the page. The script builds every node with `textContent`, so no text of a sample is
ever read as HTML, and the page's content security policy runs no script but this one, known by its hash.
"""

import base64
import hashlib
import json
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
        return f'{{"facets": {_json(self.facets)}, "rows": [\n{rows}\n]}}'


def sample_json(sample: Sample) -> str:
    """One sample as it stands in the page: [facets, line, parts]; a marked text is a list of [text, 0 or 1]."""
    parts = [
        [name, value if isinstance(value, str) else [[text, int(marked)] for text, marked in value]]
        for name, value in sample.parts
    ]
    return _json([sample.facets, sample.line, parts])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


STYLE = """\
.viewer .filters { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: end; margin: .5rem 0; }
.viewer label { color: var(--soft); font-size: .85rem; display: grid; gap: .1rem; }
.viewer select, .viewer input { font: inherit; color: var(--text); background: var(--back); padding: .2rem .4rem;
                                border: 1px solid var(--line); border-radius: 4px; max-width: 16rem; }
.viewer .list { height: 21rem; overflow-y: auto; border: 1px solid var(--line); position: relative; }
.viewer .list:focus { outline: 2px solid var(--bar); }
.viewer .row { position: absolute; left: 0; right: 0; height: 28px; line-height: 28px; padding: 0 .6rem;
               overflow: hidden; white-space: nowrap; text-overflow: ellipsis; cursor: pointer;
               box-sizing: border-box; border-bottom: 1px solid var(--line); font-size: .9rem; }
.viewer .row[aria-selected=true] { background: var(--bar); color: var(--back); }
.viewer .part { margin: .8rem 0; } .viewer .part h3 { font-size: .85rem; color: var(--soft); margin: 0; }
.viewer .part div { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 26rem; overflow-y: auto; }
"""

SCRIPT = """\
"use strict";
const HEIGHT = 28;
const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

function showSamples(root) {
  const {facets, rows} = JSON.parse(root.querySelector("script").textContent);
  const filters = make("div", "filters"), count = make("p"), list = make("div", "list"), space = make("div");
  const detail = make("article");
  let found = rows, chosen = 0, texts = null;
  list.tabIndex = 0;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Samples");
  count.setAttribute("role", "status");

  const selects = facets.map((name, index) => {
    const tally = new Map();
    for (const [values] of rows) tally.set(values[index], (tally.get(values[index]) || 0) + 1);
    const select = make("select");
    const add = (value, text) => select.append(Object.assign(make("option", "", text), {value}));
    add("", `all (${rows.length})`);
    [...tally.keys()].sort().forEach((value, at) => add(String(at + 1), `${value} (${tally.get(value)})`));
    select.wanted = () => select.value === "" ? null : [...tally.keys()].sort()[select.value - 1];
    const label = make("label", "", name);
    label.append(select);
    filters.append(label);
    select.addEventListener("change", filter);
    return select;
  });
  const search = Object.assign(make("input"), {type: "search", placeholder: "text"});
  const label = make("label", "", "search");
  label.append(search);
  filters.append(label);
  search.addEventListener("input", filter);

  function filter() {
    const wanted = selects.map(select => select.wanted());
    const text = search.value.toLowerCase();
    if (text && !texts) texts = new Map(rows.map(row => [row, row.flat(Infinity).join("\\n").toLowerCase()]));
    found = rows.filter(row =>
      wanted.every((value, index) => value === null || row[0][index] === value)
      && (!text || texts.get(row).includes(text)));
    count.textContent = `${found.length} of ${rows.length} samples`;
    space.style.height = `${found.length * HEIGHT}px`;
    list.scrollTop = 0;
    choose(0);
  }

  // Only the rows in sight, and a few around them, are in the document.
  function draw() {
    const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - 5);
    const last = Math.min(found.length, Math.ceil((list.scrollTop + list.clientHeight) / HEIGHT) + 5);
    const shown = [];
    for (let at = first; at < last; at++) {
      const row = make("div", "row", `${found[at][0].join(" · ")} · ${found[at][1]}`);
      row.id = `${root.id}-${at}`;
      row.style.top = `${at * HEIGHT}px`;
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", String(at === chosen));
      row.setAttribute("aria-posinset", String(at + 1));
      row.setAttribute("aria-setsize", String(found.length));
      row.addEventListener("click", () => choose(at));
      shown.push(row);
    }
    space.replaceChildren(...shown);
  }

  function choose(at) {
    chosen = Math.max(0, Math.min(at, found.length - 1));
    const top = chosen * HEIGHT;
    if (top < list.scrollTop) list.scrollTop = top;
    if (top + HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + HEIGHT - list.clientHeight;
    draw();
    list.setAttribute("aria-activedescendant", `${root.id}-${chosen}`);
    detail.replaceChildren(...(found.length ? found[chosen][2] : []).map(([name, value]) => {
      const part = make("section", "part"), body = make("div");
      const pieces = typeof value === "string" ? [[value, 0]] : value;
      body.append(...pieces.map(([text, marked]) => make(marked ? "mark" : "span", "", text)));
      part.append(make("h3", "", name), body);
      return part;
    }));
  }

  list.addEventListener("scroll", draw);
  list.addEventListener("keydown", event => {
    const page = Math.max(1, Math.floor(list.clientHeight / HEIGHT) - 1);
    const steps = {ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -found.length, End: found.length};
    if (!(event.key in steps)) return;
    event.preventDefault();
    choose(chosen + steps[event.key]);
  });
  list.append(space);
  root.append(filters, count, list, detail);
  filter();
}

document.querySelectorAll(".viewer").forEach((root, number) => {
  root.id = `viewer-${number}`;
  showSamples(root);
});
"""

SCRIPT_HASH = "sha256-" + base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
"""How the content security policy names the script."""
