"use strict";
const HEIGHT = 30;
const LONG = 900, AROUND = 250;
const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};
const number = value => value.toLocaleString("en");

// Which characters of a text in pieces stand there at first: around the marked ones, else the beginning.
function windowOf(pieces) {
  let at = 0, first = null, last = 0;
  for (const [text, marked] of pieces) {
    if (marked) { first = first === null ? at : first; last = at + text.length; }
    at += text.length;
  }
  let from = first === null ? 0 : Math.max(0, first - AROUND);
  let to = Math.min(at, first === null ? LONG : last + AROUND);
  // A button that opens a line or two is not worth its place.
  if (at - (to - from) <= AROUND) { from = 0; to = at; }
  return {from, to, all: at};
}

function write(body, pieces, from, to) {
  const nodes = [];
  let at = 0;
  for (const [text, marked] of pieces) {
    const shown = text.slice(Math.max(0, from - at), Math.max(0, to - at));
    if (shown) nodes.push(make(marked ? "mark" : "span", "", shown));
    at += text.length;
  }
  body.replaceChildren(...(from > 0 ? [make("span", "", "… ")] : []), ...nodes, ...(to < at ? [make("span", "", " …")] : []));
}

function partOf([name, value], whole) {
  const part = make("section", "part"), body = make("div");
  const pieces = typeof value === "string" ? [[value, 0]] : value;
  const {from, to, all} = windowOf(pieces);
  part.append(make("h3", "", name), body);
  if (whole || to - from === all) {
    write(body, pieces, 0, all);
    return part;
  }
  const more = make("button", "more");
  more.type = "button";
  const show = open => {
    write(body, pieces, open ? 0 : from, open ? all : to);
    more.textContent = open ? "Show less" : `Show more (${number(all - (to - from))} characters)`;
    more.setAttribute("aria-expanded", String(open));
  };
  more.addEventListener("click", () => show(more.textContent !== "Show less"));
  show(false);
  part.append(more);
  return part;
}

function showSamples(root) {
  const {facets, values, rows} = JSON.parse(root.querySelector("script").textContent);
  const filters = make("div", "filters"), count = make("p", "count"), list = make("div", "list"), space = make("div");
  const detail = make("article");
  let found = rows, chosen = 0, texts = null;
  list.tabIndex = 0;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Samples");
  count.setAttribute("role", "status");
  detail.setAttribute("aria-label", "The chosen sample");

  // A facet with one value tells nothing and filters nothing.
  const telling = facets.map((_, index) => index).filter(index => values[index].length > 1);
  const selects = telling.map(index => {
    const tally = new Map();
    for (const [own] of rows) tally.set(own[index], (tally.get(own[index]) || 0) + 1);
    const select = make("select");
    const add = (value, text) => select.append(Object.assign(make("option", "", text), {value}));
    add("", `all (${number(rows.length)})`);
    values[index].forEach((value, at) => add(String(at + 1), `${value || "-"} (${number(tally.get(value))})`));
    select.fits = row => select.value === "" || row[0][index] === values[index][select.value - 1];
    const label = make("label", "", facets[index]);
    label.append(select);
    filters.append(label);
    select.addEventListener("change", filter);
    return select;
  });
  const search = Object.assign(make("input"), {type: "search", placeholder: "any text"});
  const label = make("label", "", "search");
  label.append(search);
  search.addEventListener("input", filter);
  const reset = Object.assign(make("button", "reset", "Show all"), {type: "button"});
  reset.addEventListener("click", () => {
    for (const input of [...selects, search]) input.value = "";
    filter();
  });
  filters.append(label, reset);

  function filter() {
    const text = search.value.toLowerCase();
    if (text && !texts) texts = new Map(rows.map(row => [row, row.flat(Infinity).join("\n").toLowerCase()]));
    found = rows.filter(row => selects.every(select => select.fits(row)) && (!text || texts.get(row).includes(text)));
    count.textContent = `${number(found.length)} of ${number(rows.length)} samples`;
    reset.disabled = found.length === rows.length;
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
      const [own, line] = found[at], row = make("div", "row");
      const tags = telling.map(index => own[index] || "-").join(" · ");
      row.append(make("span", "tags", tags && `${tags} · `), make("span", "", line));
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
    list.setAttribute("aria-activedescendant", found.length ? `${root.id}-${chosen}` : "");
    const wanted = search.value.toLowerCase();
    const holds = value => wanted && [value].flat(Infinity).join("").toLowerCase().includes(wanted);
    detail.replaceChildren(...(found.length ? found[chosen][2] : []).map(part => partOf(part, holds(part[1]))));
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

document.querySelectorAll(".viewer").forEach((root, at) => {
  root.id = `viewer-${at}`;
  showSamples(root);
});
