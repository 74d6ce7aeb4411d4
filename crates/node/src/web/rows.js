// A long table of which only the rows in sight exist: 10,000 rows cost what 40 do.
//
// Rows have one height. Above and below those in sight stand empty rows as high as all that are left out, so that the
// scroll bar tells the truth; `aria-rowcount` and `aria-rowindex` tell it to those who listen.

import { el } from "/dom.js";

const HEIGHT = 46;
/** Rows beyond the edges, so that none is missing while it is scrolled. */
const SPARE = 8;

/**
 * `columns` are [head, class, sort key]; `row` makes a row's cells once, as { element, update(item) }; items have an `id`.
 * `onsort` is told the key of a head that was clicked.
 */
export function rows({ label, columns, row, onsort }) {
  const top = el("td", { colspan: columns.length, class: "gap" });
  const bottom = el("td", { colspan: columns.length, class: "gap" });
  const above = el("tr", { "aria-hidden": "true" }, top);
  const below = el("tr", { "aria-hidden": "true" }, bottom);
  const body = el("tbody", {}, above, below);
  const heads = columns.map(([text, kind, key]) => {
    const inner = key ? el("button", { type: "button", class: "sort", onclick: () => onsort(key) }, text) : text;
    return el("th", { scope: "col", class: kind }, inner);
  });
  const table = el("table", { class: "rows", "aria-label": label }, el("thead", {}, el("tr", {}, heads)), body);
  const root = el("div", { class: "window", tabindex: "0", role: "region", "aria-label": label }, table);
  const made = new Map();
  let items = [];

  const paint = () => {
    const high = Math.ceil(root.clientHeight / HEIGHT);
    // The list may have become shorter than where it is scrolled to; it ends at the last row then.
    const seenFirst = Math.min(Math.floor(root.scrollTop / HEIGHT), Math.max(0, items.length - high));
    const first = Math.max(0, seenFirst - SPARE);
    const last = Math.min(items.length, seenFirst + high + 1 + SPARE);
    top.style.height = `${first * HEIGHT}px`;
    bottom.style.height = `${(items.length - last) * HEIGHT}px`;
    const seen = new Set();
    let before = above;
    for (let at = first; at < last; at += 1) {
      const item = items[at];
      seen.add(item.id);
      let it = made.get(item.id);
      if (it === undefined) {
        it = row(item);
        made.set(item.id, it);
      }
      it.update(item);
      it.element.setAttribute("aria-rowindex", at + 2);
      // Moved only where the order changed: who is on one of its buttons stays there.
      if (before.nextSibling !== it.element) before.after(it.element);
      before = it.element;
    }
    for (const [id, it] of made) {
      if (!seen.has(id) && !it.element.contains(document.activeElement)) {
        it.element.remove();
        made.delete(id);
      }
    }
  };
  const show = (all, sort) => {
    items = all;
    table.setAttribute("aria-rowcount", all.length + 1);
    columns.forEach(([, , key], at) => {
      if (!key) return;
      if (key === sort?.key) heads[at].setAttribute("aria-sort", sort.down ? "descending" : "ascending");
      else heads[at].removeAttribute("aria-sort");
    });
    paint();
  };
  root.addEventListener("scroll", () => requestAnimationFrame(paint), { passive: true });
  addEventListener("resize", paint);
  return { root, show, close: () => removeEventListener("resize", paint) };
}
