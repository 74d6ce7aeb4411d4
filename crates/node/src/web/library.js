// The library: what this node publishes, and how far each system is with it.

import { announce, confirm, el, show } from "/dom.js";
import { get, lines, post } from "/api.js";
import { count, percent, plural, size, words } from "/format.js";

const EVERY_MS = 3000;
/** Publications shown at first, more with each wish for more, and at most. */
const PART = 100;
const MOST = 1000;

export function open() {
  const list = el("div");
  const busy = el("div");
  const sum = el("p", { class: "soft" });
  let limit = PART;
  const more = el("button", { type: "button", class: "quiet", hidden: true, onclick: () => {
    limit += PART;
    ask();
  } }, "Show more");
  const root = el("div", {}, el("div", { class: "head" }, el("h1", {}, "Library"), sum),
    el("section", { class: "card", "aria-label": "Publish" }, publisher(() => ask())), busy, list, more);
  const ask = async () => {
    if (document.hidden) return;
    const report = await get(`library?limit=${limit}`).catch(() => null);
    if (report === null) return;
    const { publications, hashing, total, next } = report;
    sum.textContent = next === undefined ? plural(total, "publication") : `the newest ${count(publications.length)} of ${plural(total, "publication")}`;
    more.hidden = next === undefined || limit >= MOST;
    show(busy, hashing, (rows) => rows.map((row) => el("p", { class: "card" }, `Hashing ${row.path}: ${percent(row.done, row.total)} %`)));
    show(list, publications, (all) => (all.length === 0
      ? el("p", { class: "card" }, "Nothing is published. Name a file or folder of the node's machine above.")
      : all.map((it) => card(it, ask))));
  };
  ask();
  const timer = setInterval(ask, EVERY_MS);
  return { root, update: () => {}, close: () => clearInterval(timer) };
}

function publisher(done) {
  const path = el("input", { id: "path", autocomplete: "off", spellcheck: "false", placeholder: "/home/me/music/album" });
  const title = el("input", { id: "title", autocomplete: "off" });
  const tags = el("input", { id: "tags", autocomplete: "off" });
  const told = el("p", { role: "status" });
  const publish = async (event) => {
    event.preventDefault();
    told.className = "";
    told.textContent = "Reading…";
    let failed = null;
    try {
      const request = { paths: [path.value.trim()], tags: tags.value.split(/[\s,]+/).filter(Boolean) };
      if (title.value.trim() !== "") request.title = title.value.trim();
      await lines("publish", request, (step) => {
        if (step.event === "hashing") told.textContent = `Hashing: ${percent(step.done, step.total)} %`;
        if (step.event === "published") told.textContent = `Published ${step.publication.title}; announcing…`;
        if (step.event === "spread") told.textContent = `${words(step.system)}: ${step.spread.words}`;
        if (step.event === "failed") failed = step.error;
        done();
      });
    } catch (refused) {
      failed = refused.message;
    }
    told.className = failed === null ? "" : "error";
    told.textContent = failed ?? "Published.";
    announce(told.textContent);
    done();
  };
  return el("form", { onsubmit: publish },
    el("div", { class: "fields" },
      el("div", {}, el("label", { for: "path" }, "File or folder on the node's machine"), path),
      el("div", {}, el("label", { for: "title" }, "Title (its name if empty)"), title),
      el("div", {}, el("label", { for: "tags" }, "More words it is found by"), tags),
      el("button", { type: "submit", class: "fix" }, "Publish")),
    told);
}

function card(it, done) {
  const withdraw = async () => {
    const yes = await confirm(`Withdraw ${it.title}?`, "Every system is told that it is not here any more. The files stay.", "Withdraw");
    if (!yes) return;
    await post("withdraw", { id: it.id }).then(() => announce(`${it.title} was withdrawn.`)).catch((refused) => announce(refused.message));
    done();
  };
  const spread = Object.entries(it.systems).map(([name, how]) =>
    el("span", { class: `pill ${how.of > 0 && how.at >= how.of ? "good" : "soft"}`, title: `${count(how.files[0])} of ${plural(how.files[1], "file")}` }, `${words(name)}: ${how.words || `${how.at} of ${how.of}`}`));
  return el("section", { class: "card", "aria-label": it.title },
    el("div", { class: "head" }, el("h2", {}, it.title), it.fetched ? el("span", { class: "pill soft" }, "fetched") : null,
      el("span", { class: "push" }, el("button", { type: "button", class: "quiet small", "aria-label": `Withdraw ${it.title}`, onclick: withdraw }, "Withdraw"))),
    el("p", { class: "soft" }, `${size(it.size)} in ${plural(it.files, "file")} · ${it.path}${it.tags.length > 0 ? ` · ${it.tags.join(", ")}` : ""} · sent ${size(it.uploaded)}`),
    it.trouble ? el("p", { class: "error" }, it.trouble) : null,
    el("p", { class: "pills" }, spread),
    el("details", {}, el("summary", {}, "Magnet link"), el("a", { href: it.magnet }, el("code", {}, it.magnet))));
}
