// Transfers: all that is fetched, in a table as long as it may be, and one of them in detail.

import { announce, confirm, el } from "/dom.js";
import { post } from "/api.js";
import { count, percent, plural, rate, size, span } from "/format.js";
import { rows } from "/rows.js";
import { adder } from "/add.js";
import * as detail from "/detail.js";

export const STATES = {
  opening: "opening", checking: "checking", metadata: "asking what is in it", downloading: "downloading",
  complete: "complete", paused: "paused", failed: "failed",
};
const COLUMNS = [
  ["Name", "name", "name"], ["Done", "done", "done"], ["State", null, "state"], ["Size", "number", "size"],
  ["Down", "number", "download_rate"], ["Up", "number", "upload_rate"], ["Sources", "number", "peers"],
  ["Left", "number", "eta_seconds"], ["", "actions-cell", null],
];
const part = (transfer) => percent(transfer.done, transfer.size);
const VALUES = { done: part, peers: sourcesOf, state: (transfer) => Object.keys(STATES).indexOf(transfer.state) };

/** Peers of the swarm and sources outside it. */
export function sourcesOf(transfer) {
  return transfer.peers + transfer.sources.filter((source) => !source.dropped).length;
}

/** All transfers, kept up by differences. */
export class Transfers {
  all = new Map();

  /** What an event says: `reset` begins anew, `changed` are whole transfers, `removed` are ids. */
  apply({ reset, changed, removed }) {
    if (reset) this.all.clear();
    for (const transfer of changed) {
      const before = this.all.get(transfer.id);
      if (before && before.state !== "complete" && transfer.state === "complete") announce(`${transfer.name} is complete.`);
      if (before && before.state !== "failed" && transfer.state === "failed") announce(`${transfer.name} failed: ${transfer.reason}`);
      this.all.set(transfer.id, transfer);
    }
    for (const id of removed) this.all.delete(id);
  }
}

export async function act(id, what) {
  try {
    await post(`transfers/${encodeURIComponent(id)}/${what}`);
  } catch (refused) {
    announce(refused.message);
    throw refused;
  }
}

export async function remove(transfer) {
  const files = el("input", { type: "checkbox", id: "delete-files" });
  const yes = await confirm(`Remove ${transfer.name}?`, "It is not fetched or served from there any more.", "Remove",
    [el("p", {}, files, " ", el("label", { for: "delete-files", class: "beside" }, "delete its files too"))]);
  if (yes) await act(transfer.id, files.checked ? "remove-files" : "remove");
  return yes;
}

export function open(state, id) {
  return id === undefined ? list(state) : detail.open(state, id);
}

function list(state) {
  let sort = { key: null, down: false };
  const found = el("input", { id: "find", type: "search", autocomplete: "off", oninput: () => update(state) });
  const which = el("select", { id: "which", onchange: () => update(state) },
    ["all", ...Object.keys(STATES)].map((name) => el("option", { value: name }, STATES[name] ?? "all states")));
  const sum = el("p", { class: "soft" });
  const none = el("p", {}, "Nothing is being fetched. Add a magnet link, a torrent file or the id of a hit, or search.");
  const table = rows({
    label: "Transfers", columns: COLUMNS, row,
    onsort: (key) => {
      sort = { key, down: sort.key === key && !sort.down };
      update(state);
    },
  });
  const update = ({ transfers }) => {
    const words = found.value.trim().toLowerCase();
    const all = [...transfers.all.values()];
    const shown = all.filter((it) => (which.value === "all" || it.state === which.value) && it.name.toLowerCase().includes(words));
    table.show(order(shown, sort), sort);
    none.hidden = all.length > 0;
    table.root.hidden = all.length === 0;
    sum.textContent = shown.length === all.length ? plural(all.length, "transfer") : `${plural(shown.length, "transfer")} of ${count(all.length)}`;
  };
  const root = el("div", {},
    el("div", { class: "head" }, el("h1", {}, "Transfers"), sum),
    el("section", { class: "card", "aria-label": "Add a transfer" }, adder()),
    el("section", { class: "card", "aria-label": "All transfers" },
      el("div", { class: "fields" },
        el("div", {}, el("label", { for: "find" }, "Find by name"), found),
        el("div", { class: "fix" }, el("label", { for: "which" }, "State"), which)),
      none, table.root));
  return { root, update, close: table.close };
}

/** As the node has them (the newest first) unless a head was clicked. */
function order(transfers, { key, down }) {
  if (key === null) return transfers.sort((a, b) => b.started_at - a.started_at || (a.id < b.id ? -1 : 1));
  const value = VALUES[key] ?? ((transfer) => transfer[key]);
  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    // What is not known comes last, whichever way.
    if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
    const order = typeof x === "string" ? x.localeCompare(y) : x - y;
    return down ? -order : order;
  };
  return transfers.sort(compare);
}

/** One row: its elements are made once and then only told what changed. */
function row(first) {
  let it = first;
  const text = (node, value) => {
    if (node.textContent !== value) node.textContent = value;
  };
  const link = el("a", { href: `#/transfers/${encodeURIComponent(it.id)}` });
  const bar = el("progress", { max: 100 });
  const done = el("span", { class: "percent" });
  const [what, all, down, up, sources, left] = Array.from({ length: 6 }, () => el("td"));
  what.className = "state";
  for (const cell of [all, down, up, sources, left]) cell.className = "number";
  const pause = el("button", { type: "button", class: "quiet small", onclick: () => act(it.id, stopped(it) ? "resume" : "pause").catch(() => null) });
  const drop = el("button", { type: "button", class: "quiet small", onclick: () => remove(it).catch(() => null) }, "Remove");
  const element = el("tr", {}, el("td", { class: "name" }, link), el("td", { class: "done" }, bar, done),
    what, all, down, up, sources, left, el("td", { class: "actions-cell" }, pause, " ", drop));
  const update = (transfer) => {
    it = transfer;
    text(link, it.name);
    link.title = it.name;
    bar.value = part(it);
    bar.setAttribute("aria-label", `${it.name}: ${part(it)} %`);
    text(done, it.size > 0 ? `${part(it)} %` : "");
    text(what, STATES[it.state] ?? it.state);
    what.title = it.reason ?? "";
    what.classList.toggle("error", it.state === "failed");
    text(all, it.size > 0 ? size(it.size) : "");
    text(down, it.download_rate > 0 ? rate(it.download_rate) : "");
    text(up, it.upload_rate > 0 ? rate(it.upload_rate) : "");
    text(sources, String(sourcesOf(it)));
    text(left, it.eta_seconds === undefined ? "" : span(it.eta_seconds));
    text(pause, stopped(it) ? "Resume" : "Pause");
    pause.setAttribute("aria-label", `${pause.textContent} ${it.name}`);
    drop.setAttribute("aria-label", `Remove ${it.name}`);
    pause.disabled = it.state === "failed";
  };
  return { element, update };
}

/** Whether a person stopped it: other pauses end by themselves. */
export const stopped = (transfer) => transfer.state === "paused" && (transfer.reason ?? "stopped") === "stopped";
