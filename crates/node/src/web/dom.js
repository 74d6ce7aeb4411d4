// Building elements. What others wrote (names of files, of clients, of directories) becomes text here, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element; `on…` attributes are listeners. */
export const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

/** An SVG element. */
export const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

const shown = new WeakMap();

/** Builds an element's content anew only if what it shows has changed: a person may be reading or selecting it. */
export function show(element, what, build) {
  const key = JSON.stringify(what);
  if (shown.get(element) === key) return;
  shown.set(element, key);
  element.replaceChildren(...[build(what)].flat(Infinity).filter((child) => child !== null && child !== undefined));
}

/** A list of terms and what they are; pairs without a value are left out. */
export const facts = (pairs) =>
  el("dl", {}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]));

/** A table: heads are texts, or [text, class]; rows are arrays of cells. */
export function table(caption, heads, rows) {
  const kind = (head) => (Array.isArray(head) ? head[1] : null);
  const name = (head) => (Array.isArray(head) ? head[0] : head);
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("caption", {}, caption),
      el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col", class: kind(head) }, name(head))))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, at) => el("td", { class: kind(heads[at]) }, cell)))))));
}

/** Says something to those who listen to the page. */
export function announce(text) {
  document.getElementById("live").textContent = text;
}

/** Asks before something that cannot be undone; resolves to whether it is to be done. */
export function confirm(title, text, verb, more = []) {
  return new Promise((resolve) => {
    const dialog = el("dialog", { "aria-labelledby": "confirm-title" },
      el("form", { method: "dialog" },
        el("h2", { id: "confirm-title" }, title), el("p", {}, text), more,
        el("div", { class: "actions" },
          el("button", { value: "yes", class: "danger" }, verb),
          el("button", { value: "no", class: "quiet", autofocus: true }, "Cancel"))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
