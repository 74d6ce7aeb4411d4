// Rates over time: what all systems have carried, second by second, for the last ten minutes.

import { el, show, svg, table } from "/dom.js";
import { rate, size, span } from "/format.js";

const KEPT_SECONDS = 600;
const WIDTH = 1080;
const HEIGHT = 300;
const LEFT = 78;
const BOTTOM = 24;

function totals(status) {
  const all = { down: 0, up: 0 };
  for (const system of status.systems) {
    const { bytes_in, bytes_out } = carried(system);
    all.down += bytes_in;
    all.up += bytes_out;
  }
  return all;
}

/** What a system has carried: its sockets' bytes or, of the swarm, the files' alone. */
const carried = (system) => system.traffic
  ?? { bytes_in: system.downloaded ?? 0, bytes_out: system.uploaded ?? 0 };

/** The last minutes, from the counters as they came. */
export class History {
  samples = [];
  #last = null;

  add(status) {
    const at = status.uptime_seconds;
    const all = totals(status);
    const last = this.#last;
    this.#last = { at, all };
    if (last === null || at <= last.at) return;
    const seconds = at - last.at;
    const sample = { down: (all.down - last.all.down) / seconds, up: (all.up - last.all.up) / seconds };
    if (sample.down < 0 || sample.up < 0) return;
    this.samples.push({ at, ...sample });
    while (this.samples[0].at < at - KEPT_SECONDS) this.samples.shift();
  }

  now() {
    const recent = this.samples.slice(-3);
    const mean = (of) => recent.reduce((sum, sample) => sum + of(sample), 0) / Math.max(1, recent.length);
    return { down: mean((sample) => sample.down), up: mean((sample) => sample.up) };
  }
}

export function open() {
  const chart = el("figure", { class: "card" });
  const per = el("section", { class: "card" });
  const root = el("div", {}, el("h1", {}, "Rates"), chart, per);
  const update = ({ status, rates }) => {
    show(chart, rates.samples, () => picture(rates));
    show(per, status.systems.map((system) => [system.system, carried(system)]), (rows) => bySystem(rows));
  };
  return { root, update };
}

function picture(rates) {
  const { samples } = rates;
  const now = rates.now();
  const caption = el("figcaption", {},
    el("span", { class: "down" }, el("span", { class: "key down" }), `received, now ${rate(now.down)}`), "  ",
    el("span", { class: "up" }, el("span", { class: "key up" }), `sent, now ${rate(now.up)}`));
  if (samples.length < 2) return [caption, el("p", { class: "soft" }, "The picture begins with the next seconds.")];
  const top = nice(Math.max(1024, ...samples.map((sample) => Math.max(sample.down, sample.up))));
  const end = samples.at(-1).at;
  const start = Math.max(end - KEPT_SECONDS, samples[0].at);
  const x = (at) => LEFT + ((at - start) / Math.max(1, end - start)) * (WIDTH - LEFT - 8);
  const y = (value) => 10 + (1 - value / top) * (HEIGHT - BOTTOM - 10);
  const line = (of, kind) => svg("polyline", { class: kind, points: samples.map((sample) => `${x(sample.at).toFixed(1)},${y(of(sample)).toFixed(1)}`).join(" ") });
  const marks = [0, top / 2, top].map((value) => [
    svg("line", { class: "axis", x1: LEFT, x2: WIDTH - 8, y1: y(value), y2: y(value) }),
    svg("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, rate(value))]);
  const label = `Over the last ${span(end - start)}: received at most ${rate(Math.max(...samples.map((s) => s.down)))}, sent at most ${rate(Math.max(...samples.map((s) => s.up)))}`;
  return [caption,
    svg("svg", { class: "drawing", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
      marks, line((s) => s.down, "rate-down"), line((s) => s.up, "rate-up"),
      svg("text", { x: LEFT, y: HEIGHT - 6 }, `${span(end - start)} ago`),
      svg("text", { x: WIDTH - 8, y: HEIGHT - 6, "text-anchor": "end" }, "now"))];
}

/** The next power of two: marks stay where they are while rates move. */
const nice = (value) => 2 ** Math.ceil(Math.log2(value));

function bySystem(rows) {
  return table("Carried since the node started", ["System", ["Received", "number"], ["Sent", "number"]],
    rows.map(([name, traffic]) => [name, size(traffic.bytes_in), size(traffic.bytes_out)]));
}
