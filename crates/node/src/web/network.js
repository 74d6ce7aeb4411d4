// The overlays: one card a system, with what a person wants to see of it.

import { el, facts, show, table } from "/dom.js";
import { count, plural, short, size, words } from "/format.js";
import { draw } from "/ring.js";

const NAMES = {
  chord: "The ring (Chord)",
  directory: "Directories (Napster)",
  gnutella: "Flooding (Gnutella)",
  supernode: "Supernodes (FastTrack)",
  bittorrent: "The swarm (BitTorrent)",
};
const STANDINGS = {
  joining: ["joining", "soft"], joined: ["joined", "good"], isolated: ["alone, looking for the others", "bad"],
  leaving: ["leaving", "soft"], left: ["left", "soft"],
};

export function open() {
  const root = el("div", {}, el("h1", {}, "Network"));
  const none = el("p", { class: "card" }, "This node has joined no system.");
  const cards = new Map();
  const update = ({ status }) => {
    none.hidden = status.systems.length > 0;
    for (const system of status.systems) {
      if (!cards.has(system.system)) {
        const card = system.system === "chord" ? ringCard() : plainCard();
        cards.set(system.system, card);
        root.append(card.root);
      }
      cards.get(system.system).update(system);
    }
  };
  root.append(none);
  return { root, update };
}

function head(system) {
  const [text, kind] = STANDINGS[system.standing] ?? [words(system.standing ?? "unknown"), "soft"];
  return [el("h2", {}, NAMES[system.system] ?? words(system.system)), el("span", { class: `pill ${kind}` }, text)];
}

function ringCard() {
  let place = 0;
  let last = null;
  const top = el("div", { class: "head" });
  const choice = el("select", { id: "place", onchange: () => { place = Number(choice.value); update(last); } });
  const chooser = el("p", {}, el("label", { for: "place" }, "Its place on the ring"), choice);
  const drawing = el("figure", {});
  const about = el("div");
  const near = el("div");
  const fingers = el("div");
  const counters = el("div");
  const root = el("section", { class: "card", "aria-label": NAMES.chord },
    top,
    el("div", { class: "split" }, el("div", {}, chooser, drawing), el("div", {}, about, near)),
    el("details", {}, el("summary", {}, "Finger table"), fingers),
    el("details", {}, el("summary", {}, "Counters"), counters));
  const update = (ring) => {
    last = ring;
    if (place >= ring.nodes.length) place = 0;
    const here = ring.nodes[place];
    show(top, [ring.system, ring.standing], () => head(ring));
    show(choice, ring.nodes.map((node) => node.id), (ids) =>
      ids.map((id, at) => el("option", { value: at, selected: at === place }, `${short(id)} (number ${at})`)));
    chooser.hidden = ring.nodes.length < 2;
    show(drawing, [ring.nodes, place], () => (here ? draw(ring.nodes, place) : []));
    show(about, [ring.address, ring.mode, ring.estimated_nodes, ring.traffic, ring.disk], () => aboutRing(ring));
    show(near, here ?? null, () => (here ? neighbours(here) : []));
    show(fingers, here?.fingers ?? [], () => fingerTable(here));
    show(counters, ring.counters, () => counterTable(ring.counters));
  };
  return { root, update };
}

const aboutRing = (ring) => facts([
  ["Reached at", el("code", {}, ring.address)],
  ["Size", `about ${plural(ring.estimated_nodes, "node")}, mode ${ring.mode}`],
  ["Received", `${size(ring.traffic.bytes_in)} in ${plural(ring.traffic.datagrams_in, "datagram")}`],
  ["Sent", `${size(ring.traffic.bytes_out)} in ${plural(ring.traffic.datagrams_out, "datagram")}`],
  ["Disk", ring.disk && el("span", { class: "error" }, ring.disk)],
]);

function neighbours(here) {
  const row = (role, node) => [role, el("code", { title: node.id }, short(node.id)), el("code", {}, node.address)];
  const rows = [
    ...(here.predecessor ? [row("predecessor", here.predecessor)] : []),
    ...here.successors.map((node, at) => row(`successor ${at + 1}`, node)),
  ];
  const owns = !here.active ? "owns no keys yet"
    : here.predecessor ? `owns the keys after ${short(here.predecessor.id)} up to itself` : "owns all keys";
  const me = el("p", {}, el("code", { title: here.id }, short(here.id)), ` ${owns}.`);
  return rows.length === 0 ? me : [me, table("Neighbours on the ring", ["Role", "Node", "Address"], rows)];
}

function fingerTable(here) {
  if (!here || here.fingers.length === 0) return el("p", {}, "It knows nobody else.");
  const rows = here.fingers.map(({ i, through, start, node }) =>
    [i === through ? i : `${i} to ${through}`, el("code", {}, short(start)), el("code", {}, short(node.id)), el("code", {}, node.address)]);
  return table("Row i names the first node at or after n + 2^(i-1)", ["i", "Start", "Node", "Address"], rows);
}

function counterTable(counters) {
  const rows = Object.entries(counters ?? {}).filter(([, value]) => value > 0).map(([name, value]) => [name, count(value)]);
  return rows.length === 0 ? el("p", {}, "Nothing was counted yet.")
    : table("Since the node started", ["What", ["How often", "number"]], rows);
}

/** A system this page has no drawing for: its fields as facts, its lists as tables. */
function plainCard() {
  const top = el("div", { class: "head" });
  const body = el("div");
  const update = (system) => {
    show(top, [system.system, system.standing], () => head(system));
    show(body, system, () => fields(system, ["system", "standing"]));
  };
  return { root: el("section", { class: "card" }, top, body), update };
}

function fields(object, without = []) {
  const entries = Object.entries(object).filter(([name, value]) => !without.includes(name) && value !== null);
  const simple = entries.filter(([, value]) => typeof value !== "object");
  const lists = entries.filter(([, value]) => Array.isArray(value) && value.length > 0);
  const objects = entries.filter(([, value]) => typeof value === "object" && !Array.isArray(value));
  return [
    facts(simple.map(([name, value]) => [words(name), shown(name, value)])),
    lists.map(([name, rows]) => listOf(words(name), rows)),
    objects.map(([name, value]) => (name === "counters"
      ? el("details", {}, el("summary", {}, "Counters"), counterTable(value))
      : [el("h3", {}, words(name)), fields(value)])),
  ];
}

function listOf(name, rows) {
  if (typeof rows[0] !== "object") return [el("h3", {}, name), el("ul", {}, rows.map((row) => el("li", {}, String(row))))];
  const keys = Object.keys(rows[0]);
  return table(name, keys.map(words), rows.map((row) => keys.map((key) => shown(key, row[key]))));
}

function shown(name, value) {
  if (typeof value === "number") return /bytes/.test(name) ? size(value) : count(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (value !== null && typeof value === "object") return JSON.stringify(value);
  return String(value ?? "");
}
