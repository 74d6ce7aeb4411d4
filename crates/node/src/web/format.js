// Numbers as people read them.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function size(bytes) {
  let unit = 0;
  let value = Number(bytes) || 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

export const rate = (bytes) => `${size(bytes)}/s`;

export const count = (number) => (Number(number) || 0).toLocaleString("en");

export const plural = (number, noun) => `${count(number)} ${noun}${Number(number) === 1 ? "" : "s"}`;

export const percent = (part, whole) => (whole > 0 ? Math.floor((part / whole) * 1000) / 10 : 0);

/** Seconds as their two largest parts. */
export function span(seconds) {
  const parts = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let left = Math.max(0, Math.round(seconds));
  const out = [];
  for (const [name, length] of parts) {
    const number = Math.floor(left / length);
    left -= number * length;
    if (number > 0 || (name === "s" && out.length === 0)) out.push(`${number} ${name}`);
    if (out.length === 2) break;
  }
  return out.join(" ");
}

/** The digits of an id that tell nodes apart at a glance. */
export const short = (id) => `${String(id).slice(0, 10)}…`;

/** `snake_case` and `kebab-case` names as words. */
export const words = (name) => String(name).replace(/[_-]+/g, " ");
