// The ring as a drawing: ids clockwise from the top, this node's places, and the chosen place's fingers as chords.

import { el, svg } from "/dom.js";
import { plural, short } from "/format.js";

const MIDDLE = 180;
const RADIUS = 148;

/** Where an id of 160 bits in hex is on the circle, from 0 to 1. */
const turn = (id) => parseInt(id.slice(0, 12).padEnd(12, "0"), 16) / 2 ** 48;

function point(part, radius = RADIUS) {
  const angle = part * 2 * Math.PI;
  return [MIDDLE + radius * Math.sin(angle), MIDDLE - radius * Math.cos(angle)];
}

const at = (part, radius) => point(part, radius).map((x) => x.toFixed(1)).join(" ");

function dot(id, kind, radius, title) {
  const [x, y] = point(turn(id));
  return svg("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: radius, class: kind }, svg("title", {}, title));
}

/** The keys that a place owns: from its predecessor up to itself. */
function owned(here) {
  if (!here.active || !here.predecessor) return null;
  const from = turn(here.predecessor.id);
  const to = turn(here.id);
  const wide = (to - from + 1) % 1 > 0.5 ? 1 : 0;
  return svg("path", { class: "ring-own", d: `M ${at(from)} A ${RADIUS} ${RADIUS} 0 ${wide} 1 ${at(to)}` });
}

/** A chord bent towards the middle, so that short ones can be told from the circle. */
function chord(from, to, kind) {
  const part = (turn(from) + ((turn(to) - turn(from) + 1) % 1) / 2) % 1;
  const apart = (turn(to) - turn(from) + 1) % 1;
  const bend = RADIUS * (1 - Math.min(apart, 1 - apart) * 2) * 0.75;
  return svg("path", { class: kind, d: `M ${at(turn(from))} Q ${at(part, apart > 0.5 ? -bend : bend)} ${at(turn(to))}` });
}

function others(nodes) {
  const known = new Map();
  const mine = new Set(nodes.map((node) => node.id));
  for (const node of nodes) {
    const around = [node.predecessor, ...node.successors, ...node.fingers.map((finger) => finger.node)];
    for (const other of around) if (other && !mine.has(other.id)) known.set(other.id, other);
  }
  return [...known.values()];
}

/** `nodes` are this node's places; `place` is the number of the one whose fingers are drawn. */
export function draw(nodes, place) {
  const here = nodes[place];
  const known = others(nodes);
  const fingers = here.fingers.filter((finger) => finger.node.id !== here.id);
  const next = here.successors[0];
  const summary = `The ring from ${short(here.id)}: ${plural(fingers.length, "finger")}, `
    + `${plural(here.successors.length, "successor")}, ${plural(known.length, "other place")} known. The tables say the same.`;
  return [
    svg("svg", { class: "drawing", viewBox: "0 0 360 360", role: "img", "aria-label": summary },
      svg("circle", { cx: MIDDLE, cy: MIDDLE, r: RADIUS, class: "ring-line" }),
      owned(here),
      fingers.map((finger) => chord(here.id, finger.node.id, "ring-finger")),
      next && next.id !== here.id ? chord(here.id, next.id, "ring-next") : null,
      known.map((node) => dot(node.id, "ring-other", 4, `${node.id} at ${node.address}`)),
      nodes.map((node, number) => dot(node.id, number === place ? "ring-here" : "ring-mine", number === place ? 8 : 5, `this node, place ${number}: ${node.id}`)),
      svg("text", { x: MIDDLE, y: 14, "text-anchor": "middle" }, "0"),
      svg("text", { x: MIDDLE, y: MIDDLE - 4, "text-anchor": "middle", class: "strong" }, short(here.id)),
      svg("text", { x: MIDDLE, y: MIDDLE + 14, "text-anchor": "middle" }, `${plural(known.length, "other place")} known`)),
    el("figcaption", { class: "soft" }, "Filled: the place shown, with its fingers, its successor and the keys it owns. Circles: this node's other places."),
  ];
}
