// Standing searches: the node asks again every quarter of an hour; here they are set up, read and ended.

import { announce, el, show } from "/dom.js";
import { get, post } from "/api.js";
import { plural, size } from "/format.js";
import { fetchSource } from "/add.js";

/** How often the list is asked for: hits come every quarter of an hour. */
const LOOK = 30_000;

/** The section, and `add` for the words that are to be asked again. */
export function standing() {
  const list = el("ul", { class: "plain" });
  const trouble = el("p", { role: "status", class: "error" });
  const root = el("section", { class: "card", "aria-label": "Standing searches" }, el("h2", {}, "Standing searches"), trouble, list);
  const look = async () => {
    const { searches } = await get("standing");
    root.hidden = searches.length === 0 && trouble.textContent === "";
    show(list, searches, () => searches.map((search) => one(search, act)));
  };
  const act = async (work) => {
    try {
      await work();
      trouble.textContent = "";
    } catch (refused) {
      trouble.textContent = refused.message;
    }
    await look().catch(() => null);
  };
  const timer = setInterval(() => document.hidden || look().catch(() => null), LOOK);
  root.hidden = true;
  look().catch(() => null);
  const add = (words) => act(async () => {
    await post("standing", { words });
    announce(`The node asks for ${words.join(" ")} from now on.`);
  });
  return { root, add, close: () => clearInterval(timer) };
}

function one(search, act) {
  const name = search.words.join(" ");
  const end = el("button", { type: "button", class: "quiet small", "aria-label": `End ${name}`,
    onclick: () => act(() => post(`standing/${encodeURIComponent(search.id)}/remove`)) }, "End");
  const hits = search.hits.toReversed().map((hit) => el("li", {}, hit.title, " ",
    el("span", { class: "soft" }, hit.size > 0 ? size(hit.size) : "size unknown"), " ",
    el("button", { type: "button", class: "small", "aria-label": `Fetch ${hit.title}`,
      onclick: () => act(() => fetchSource(hit.id)) }, "Fetch")));
  return el("li", {}, el("strong", {}, name), " ", el("span", { class: "soft" }, plural(hits.length, "hit")), " ", end,
    hits.length > 0 ? el("ul", {}, hits) : null);
}
