// The page: logs in, listens to the node, and shows one view at a time. `#/network` and the like name the views.

import { announce, el } from "/dom.js";
import { get, listen, login } from "/api.js";
import { rate } from "/format.js";
import * as library from "/library.js";
import * as network from "/network.js";
import * as rates from "/rates.js";
import * as node from "/node.js";
import * as search from "/search.js";
import * as transfers from "/transfers.js";

const VIEWS = [
  ["transfers", "Transfers", transfers],
  ["search", "Search", search],
  ["library", "Library", library],
  ["network", "Network", network],
  ["rates", "Rates", rates],
  ["node", "Node", node],
];
const main = document.getElementById("main");
const banner = document.getElementById("banner");

/** What the views are shown from. */
const state = { status: null, rates: new rates.History(), transfers: new transfers.Transfers(), search: null };
let current = null;

function route() {
  const [name, id] = location.hash.replace(/^#\/?/, "").split("/");
  const [path, title, view] = VIEWS.find(([path]) => path === name) ?? VIEWS[0];
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.view === path) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${title} · Throng`;
  current?.close?.();
  current = view.open(state, id && decodeURIComponent(id));
  main.replaceChildren(current.root);
  update();
}

function update() {
  current?.update(state);
  const { down, up } = state.rates.now();
  document.getElementById("now").replaceChildren(
    el("span", { class: "down" }, `↓ ${rate(down)}`), " ", el("span", { class: "up" }, `↑ ${rate(up)}`));
}

function onStatus(status) {
  const before = state.status;
  state.status = status;
  state.rates.add(status);
  if (before !== null && status.notices.length > before.notices.length) announce(status.notices.at(-1));
  update();
}

function onTransfers(changes) {
  state.transfers.apply(changes);
  current?.update(state);
}

function lost() {
  if (banner.hidden) {
    banner.textContent = "The node does not answer: it has stopped, or this machine cannot reach it. Trying again.";
    banner.hidden = false;
  }
}

function askForToken(reason) {
  document.getElementById("bar").hidden = true;
  const form = document.getElementById("login").content.cloneNode(true).querySelector("form");
  const error = form.querySelector(".error");
  error.textContent = reason ?? "";
  error.hidden = reason === undefined;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await login(form.token.value.trim());
      await start();
    } catch (refused) {
      error.textContent = refused.message;
      error.hidden = false;
      form.token.select();
    }
  });
  main.replaceChildren(form);
  form.token.focus();
}

let listening = false;

async function start() {
  onStatus(await get("status"));
  document.getElementById("bar").hidden = false;
  route();
  if (listening) return;
  listening = true;
  listen({ status: onStatus, transfers: onTransfers }, {
    onlost: lost,
    onback: () => (banner.hidden = true),
    // A node that was started again has forgotten its sessions: a fresh page asks for the new token.
    onforbidden: () => location.reload(),
  });
}

/** The token of the link, which is then out of the address and of the history. */
function takeToken() {
  const token = /^#token=([0-9a-zA-Z_-]+)$/.exec(location.hash)?.[1];
  if (token !== undefined) history.replaceState(null, "", location.pathname);
  return token;
}

function theme() {
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light");
  const label = () => {
    button.textContent = chosen() === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Use the ${button.textContent.toLowerCase()} theme`);
  };
  const kept = localStorage.getItem("theme");
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
  button.addEventListener("click", () => {
    const next = chosen() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    localStorage.setItem("theme", next);
    label();
  });
  system.addEventListener("change", label);
  label();
}

async function begin() {
  theme();
  document.getElementById("nav").append(...VIEWS.map(([path, title]) =>
    el("a", { href: `#/${path}`, "data-view": path }, title)));
  addEventListener("hashchange", () => {
    if (location.hash === "#main") return;
    route();
    main.focus();
  });
  try {
    const token = takeToken();
    if (token !== undefined) await login(token);
    await start();
  } catch (refused) {
    if (refused.status === 0) lost();
    askForToken(refused.status === 401 ? undefined : refused.message);
  }
}

begin();
