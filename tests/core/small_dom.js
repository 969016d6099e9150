// Just enough of a document to run a report's viewer script under node: elements with text, children, attributes and
// listeners. Prints, as JSON lines, what a reader sees after each step.
const fs = require("fs");

class Element {
  constructor(tag) {
    Object.assign(this, {tag, className: "", children: [], attributes: {}, listeners: {}, style: {}, value: ""});
    Object.assign(this, {own: "", scrollTop: 0, clientHeight: 360});
  }
  set textContent(text) { this.own = String(text); this.children = []; }
  get textContent() { return this.own + this.children.map(child => child.textContent).join(""); }
  set innerHTML(_) { throw new Error("the viewer must never write HTML"); }
  append(...nodes) { this.children.push(...nodes); }
  replaceChildren(...nodes) { this.children = nodes; }
  setAttribute(name, value) { this.attributes[name] = value; }
  addEventListener(name, listener) { this.listeners[name] = listener; }
  fire(name, event = {}) { this.listeners[name]({preventDefault() {}, ...event}); }
  all(test) { return this.children.flatMap(child => [...(test(child) ? [child] : []), ...child.all(test)]); }
  querySelector(tag) { return this.all(child => child.tag === tag)[0]; }
}

const [scriptFile, dataFile, search] = process.argv.slice(2);
const root = new Element("div"), json = new Element("script");
json.textContent = fs.readFileSync(dataFile, "utf8");
root.append(json);
globalThis.document = {
  createElement: tag => new Element(tag),
  querySelectorAll: () => [root],
};
new Function(fs.readFileSync(scriptFile, "utf8"))();

const list = root.all(node => node.className === "list")[0];
const rows = () => root.all(node => node.className === "row");
const say = step => console.log(JSON.stringify({
  step,
  rows: rows().length,
  first: rows()[0]?.textContent,
  status: root.all(node => node.attributes.role === "status")[0].textContent,
  chosen: rows().find(row => row.attributes["aria-selected"] === "true")?.textContent,
  parts: root.all(node => node.className === "part").map(part => part.textContent),
  marks: root.all(node => node.tag === "mark").map(mark => mark.textContent),
  tags: [...new Set(root.all(() => true).map(node => node.tag))].sort(),
}));

say("start");
list.scrollTop = 30 * 100;
list.fire("scroll");
say("scrolled");
const select = root.all(node => node.tag === "select")[0];
select.value = "2";
select.fire("change");
say("filtered");
const input = root.all(node => node.tag === "input")[0];
input.value = search;
input.fire("input");
say("searched");
list.fire("keydown", {key: "ArrowDown"});
say("moved");
input.value = "no such text anywhere";
input.fire("input");
say("nothing");
