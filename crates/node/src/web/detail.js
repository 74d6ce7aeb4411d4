// One transfer: its pieces, peers, sources and files.

import { el, facts, show, svg, table } from "/dom.js";
import { get } from "/api.js";
import { count, percent, plural, rate, size, span } from "/format.js";
import { STATES, act, remove, stopped } from "/transfers.js";

/** How often peers and pieces are asked for while they are looked at. */
const EVERY_MS = 2000;
const PROOFS = {
  pieces: "each piece by the torrent's hashes", "tiger-tree": "each block by a tiger tree", sha1: "the whole file by SHA-1",
  "ft-hash": "parts of it by the weak FTHash", unverified: "not at all: no hash is known",
};

export function open(state, id) {
  const title = el("h1");
  const pause = el("button", { type: "button", class: "quiet", onclick: () => act(id, stopped(now()) ? "resume" : "pause").catch(() => null) });
  const drop = el("button", { type: "button", class: "danger", onclick: async () => {
    if (await remove(now()).catch(() => false)) location.hash = "#/transfers";
  } }, "Remove…");
  const [about, pieces, peers, sources, files, notices] = Array.from({ length: 6 }, () => el("div"));
  const gone = el("p", { class: "card" }, "There is no such transfer any more.");
  const all = el("div", {},
    el("section", { class: "card", "aria-label": "State" }, about, pieces, el("div", { class: "actions" }, pause, drop)),
    el("section", { class: "card", "aria-label": "Sources" }, sources, peers),
    el("section", { class: "card", "aria-label": "Files" }, files), notices);
  const root = el("div", {}, el("p", {}, el("a", { href: "#/transfers" }, "← All transfers")), title, gone, all);
  const now = () => state.transfers.all.get(id);
  let more = {};
  const update = () => {
    const it = now();
    gone.hidden = it !== undefined;
    all.hidden = it === undefined;
    if (it === undefined) return;
    title.textContent = it.name;
    pause.textContent = stopped(it) ? "Resume" : "Pause";
    pause.disabled = it.state === "failed";
    show(about, { ...it, sources: 0, notices: 0 }, () => aboutTransfer(it));
    show(pieces, [it.pieces, more.bitfield], () => pieceMap(it, more.bitfield));
    show(sources, it.sources, (list) => (list.length === 0 ? [] : sourceTable(list)));
    show(peers, more.peers ?? [], (list) => (list.length === 0 ? el("p", { class: "soft" }, "No peer is connected.") : peerTable(list)));
    show(files, [id, more.files ?? []], () => (more.files?.length ? fileTable(id, more.files) : el("p", { class: "soft" }, "What is in it is not known yet.")));
    show(notices, it.notices, (lines) => (lines.length === 0 ? [] : el("section", { class: "card" }, el("h2", {}, "Notices"),
      el("ul", { class: "notices" }, lines.map((line) => el("li", {}, line))))));
  };
  const ask = async () => {
    if (document.hidden) return;
    more = await get(`transfers/${encodeURIComponent(id)}/detail`).catch(() => more);
    update();
  };
  ask();
  const timer = setInterval(ask, EVERY_MS);
  return { root, update, close: () => clearInterval(timer) };
}

const aboutTransfer = (it) => [
  el("progress", { max: 100, value: percent(it.done, it.size), "aria-label": "Done", class: "wide" }),
  facts([
    ["State", [STATES[it.state] ?? it.state, it.reason ? `: ${it.reason}` : ""].join("")],
    ["Done", `${size(it.done)} of ${it.size > 0 ? size(it.size) : "an unknown size"} (${percent(it.done, it.size)} %)`],
    ["Received", `${size(it.downloaded)}, now ${rate(it.download_rate)}${it.wasted > 0 ? `; ${size(it.wasted)} of it was wrong or not needed` : ""}`],
    ["Sent", `${size(it.uploaded)}, now ${rate(it.upload_rate)}`],
    ["Left", it.eta_seconds === undefined ? null : span(it.eta_seconds)],
    ["Proved", PROOFS[it.proof] ?? it.proof],
    ["Folder", el("code", {}, it.folder)],
    ["Magnet link", it.magnet ? el("a", { href: it.magnet }, el("code", {}, it.magnet)) : null],
  ]),
];

/** Which pieces are here: at most so many strips, each as full as its part is. */
const STRIPS = 200;

/** `bits` is the bitfield in base64, first piece in the high bit. */
function pieceMap(it, bits) {
  const [here, total] = it.pieces;
  if (total === 0) return [];
  const bytes = bits ? Uint8Array.from(atob(bits), (c) => c.charCodeAt(0)) : null;
  const has = (piece) => (bytes ? (bytes[piece >> 3] >> (7 - (piece & 7))) & 1 : 0);
  const strips = Math.min(STRIPS, total);
  const parts = Array.from({ length: strips }, (_, strip) => {
    const [from, to] = [Math.floor((strip * total) / strips), Math.floor(((strip + 1) * total) / strips)];
    let full = 0;
    for (let piece = from; piece < to; piece += 1) full += has(piece);
    const part = full / (to - from);
    return part === 0 ? null : svg("rect", { class: "piece", x: strip, y: 0, width: 1.02, height: 12, opacity: part.toFixed(2) });
  });
  return [el("p", {}, `${count(here)} of ${plural(total, "piece")}`),
    bytes && svg("svg", { class: "pieces", viewBox: `0 0 ${strips} 12`, preserveAspectRatio: "none", role: "img", "aria-label": `Pieces: ${here} of ${total} are here` },
      svg("rect", { class: "piece-none", width: strips, height: 12 }), parts)];
}

const peerTable = (peers) => table(plural(peers.length, "peer") + " of the swarm",
  ["Address", "Program", ["Has", "number"], ["Down", "number"], ["Up", "number"], ["Received", "number"], ["Sent", "number"], ["Round trip", "number"]],
  peers.map((peer) => [el("code", {}, peer.address), peer.client, `${peer.percent} %`, rate(peer.download_rate), rate(peer.upload_rate),
    size(peer.downloaded), size(peer.uploaded), peer.rtt_ms === undefined ? "" : `${peer.rtt_ms} ms`]));

const sourceTable = (sources) => table(`${plural(sources.length, "source")} outside the swarm`,
  ["Source", ["Received", "number"], ["Down", "number"], "State"],
  sources.map((source) => [source.name, size(source.downloaded), rate(source.download_rate),
    source.dropped ? `dropped: ${source.trouble ?? "it lied"}` : source.trouble ?? "in use"]));

const fileTable = (id, files) => table(plural(files.length, "file"),
  ["Name", ["Size", "number"], ["Done", "number"], ""],
  files.map((file) => [file.path, size(file.size), `${percent(file.done, file.size)} %`,
    file.wanted === false ? "not wanted" : el("a", { href: `/files/${encodeURIComponent(id)}/${file.path.split("/").map(encodeURIComponent).join("/")}`, target: "_blank", rel: "noopener" }, "Open")]));
