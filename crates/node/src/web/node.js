// The node itself: who it is, what it wants to say, its values in the ring, and its end.

import { announce, confirm, el, facts, show } from "/dom.js";
import { lines, post } from "/api.js";
import { span } from "/format.js";

export function open() {
  const about = el("div");
  const notices = el("section", { class: "card" });
  const root = el("div", {}, el("h1", {}, "Node"),
    el("section", { class: "card" }, about, ending()), notices, database());
  const update = ({ status }) => {
    show(about, { ...status, systems: 0 }, () => facts([
      ["Version", status.version], ["Process", status.pid], ["Runs for", span(status.uptime_seconds)],
      ["Start", `number ${status.incarnation}`], ["API", el("code", {}, `http://${status.api}/api/v1/`)],
      ["Public key", el("code", {}, status.key)], ["State", status.leaving ? "leaving" : "running"]]));
    show(notices, status.notices, (told) => [el("h2", {}, "Notices"),
      told.length === 0 ? el("p", { class: "soft" }, "Nothing to act on.")
        : el("ul", { class: "notices" }, told.map((line) => el("li", {}, line)))]);
  };
  return { root, update };
}

function ending() {
  const told = el("p", { role: "status" });
  const leave = async () => {
    const yes = await confirm("Stop this node?", "It hands over what it holds for others, says goodbye and stops. This page then has nobody to ask.", "Leave and stop");
    if (!yes) return;
    told.textContent = "Handing over…";
    try {
      await lines("leave", {}, (step) => {
        if (step.event === "left") told.textContent = `Left: ${step.system}`;
        if (step.event === "stopped") told.textContent = step.abandoned.length === 0 ? "The node has left and stopped." : `Stopped; not handed over in time: ${step.abandoned.join(", ")}`;
      });
    } catch (refused) {
      told.textContent = refused.message;
    }
  };
  const logout = async () => {
    await post("logout").catch(() => null);
    location.reload();
  };
  return [el("div", { class: "actions" },
    el("button", { type: "button", class: "quiet", onclick: logout }, "Log this browser out"),
    el("button", { type: "button", class: "danger", onclick: leave }, "Leave…")), told];
}

/** The ring as a database of (key, value) pairs. */
function database() {
  const key = el("input", { id: "key", maxlength: 255, autocomplete: "off" });
  const value = el("input", { id: "value", autocomplete: "off" });
  const result = el("div", { role: "status" });
  const attempt = async (work) => {
    try {
      const text = await work();
      result.replaceChildren(text);
      announce(result.textContent);
    } catch (refused) {
      result.replaceChildren(el("p", { class: "error" }, refused.message));
    }
  };
  const put = () => attempt(async () => {
    const kept = await post("put", { key: { text: key.value }, value: { text: value.value } });
    return el("p", {}, `Stored, version ${kept.seq}, on ${kept.copies} of ${kept.of} hosts.`);
  });
  const get = () => attempt(async () => {
    const found = await post("get", { key: { text: key.value } });
    return facts(found.values.flatMap(({ value: it, seq, writer }) => [
      ["Value", it.text ?? `base64 ${it.base64}`], ["Version", `${seq}, by ${writer.slice(0, 16)}…`]]));
  });
  return el("section", { class: "card" }, el("h2", {}, "Values in the ring"),
    el("form", { class: "fields", onsubmit: (event) => { event.preventDefault(); get(); } },
      el("div", {}, el("label", { for: "key" }, "Key"), key),
      el("div", {}, el("label", { for: "value" }, "Value"), value),
      el("button", { type: "button", class: "fix", onclick: put }, "Put"),
      el("button", { type: "submit", class: "quiet fix" }, "Get")),
    result);
}
