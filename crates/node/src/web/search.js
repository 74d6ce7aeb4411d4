// Search: every joined system at once; hits stream in, merge, and move to where they rank.

import { announce, el } from "/dom.js";
import { lines } from "/api.js";
import { plural, size, words } from "/format.js";
import { fetchSource } from "/add.js";
import { standing } from "/standing.js";

export function open(state) {
  const query = el("input", { id: "query", type: "search", value: state.search?.query ?? "", autocomplete: "off" });
  const told = el("p", { role: "status", class: "soft" });
  const list = el("ol", { class: "hits", "aria-label": "Hits" });
  const form = el("form", { class: "fields", role: "search", onsubmit: (event) => { event.preventDefault(); search(); } },
    el("div", {}, el("label", { for: "query" }, "Words"), query),
    el("button", { type: "submit", class: "fix" }, "Search"),
    el("button", { type: "button", class: "fix quiet", onclick: () => asked().length > 0 && lasting.add(asked()) }, "Keep asking"));
  const asked = () => query.value.trim().split(/\s+/).filter((word) => word !== "");
  const lasting = standing();
  const root = el("div", {}, el("h1", {}, "Search"), el("section", { class: "card", "aria-label": "Search" }, form, told),
    list, lasting.root);
  let run = state.search ?? null;

  const paint = () => {
    if (run === null) return;
    const hits = [...run.hits.values()].sort((a, b) => b.rank - a.rank || (a.id < b.id ? -1 : 1));
    list.replaceChildren(...hits.map((hit) => run.cards.get(hit.id)));
    told.textContent = summary(run);
  };
  const search = async () => {
    const wanted = asked();
    if (wanted.length === 0) return;
    run?.stop.abort();
    const mine = { query: query.value.trim(), hits: new Map(), cards: new Map(), systems: new Map(), over: false, stop: new AbortController() };
    run = mine;
    state.search = mine;
    paint();
    try {
      await lines("search", { words: wanted }, (step) => {
        take(mine, step);
        if (run === mine) paint();
      }, mine.stop.signal);
    } catch (refused) {
      mine.trouble = mine.stop.signal.aborted ? null : refused.message;
    }
    mine.over = true;
    if (run !== mine) return;
    paint();
    announce(summary(mine));
  };
  const update = () => {};
  paint();
  if (run === null) queueMicrotask(() => query.focus());
  return { root, update, close: lasting.close };
}

/** One line of the node's answer. */
function take(run, step) {
  switch (step.event) {
    case "asked":
      for (const name of step.systems) run.systems.set(name, "asked");
      break;
    case "hit":
      run.hits.set(step.hit.id, step.hit);
      run.cards.set(step.hit.id, card(step.hit));
      break;
    case "system-done":
      run.systems.set(step.system, step.trouble ?? "done");
      break;
    case "done":
      for (const name of step.silent) run.systems.set(name, "no answer in time");
      break;
  }
}

function summary(run) {
  if (run.trouble) return run.trouble;
  const waiting = [...run.systems].filter(([, how]) => how === "asked").map(([name]) => name);
  const troubled = [...run.systems].filter(([, how]) => how !== "asked" && how !== "done").map(([name, how]) => `${name}: ${how}`);
  const parts = [plural(run.hits.size, "hit")];
  if (!run.over) parts.push(waiting.length > 0 ? `waiting for ${waiting.join(", ")}` : "asking");
  return [...parts, ...troubled].join("; ");
}

/** Whether a source answers for a hit: it is checked before it counts. */
function answers(hit) {
  if (hit.live > 0) return `${hit.live} answered`;
  if (hit.checked > 0) return "none answers";
  return hit.own ? "here" : "not checked";
}

function card(hit) {
  const mark = hit.verified ? ["signed by its publisher", "good"] : hit.provable ? ["not signed; its content can be proved", "soft"]
    : ["unverified: nothing can prove its content", "bad"];
  const button = el("button", { type: "button", "aria-label": `Fetch ${hit.title}`, onclick: async () => {
    button.disabled = true;
    try {
      const { id } = await fetchSource(hit.id);
      told.replaceChildren(el("a", { href: `#/transfers/${encodeURIComponent(id)}` }, "Fetching"));
    } catch (refused) {
      told.replaceChildren(el("span", { class: "error" }, refused.message));
      button.disabled = false;
    }
  } }, "Fetch");
  const told = el("span", { role: "status" });
  return el("li", { class: "card hit" },
    el("div", { class: "head" }, el("h2", {}, hit.title), el("span", { class: `pill ${mark[1]}` }, mark[0]),
      hit.own ? el("span", { class: "pill soft" }, "yours") : null,
      el("span", { class: "push" }, told, " ", hit.own ? null : button)),
    el("p", { class: "soft" }, [
      hit.size > 0 ? size(hit.size) : "size unknown",
      `${plural(hit.sources, "source")}, ${answers(hit)}`,
      `from ${hit.systems.map(words).join(", ")}`,
      hit.publisher ? `publisher ${hit.publisher.slice(0, 16)}…` : null,
    ].filter(Boolean).join(" · ")));
}
