// Asking the node. The browser keeps the session in a cookie that scripts cannot read.

/** An answer that is no success, with the node's one line. */
export class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, { credentials: "same-origin", redirect: "error", ...options });
  } catch {
    throw new Refused(0, "the node does not answer");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => null);
  throw new Refused(response.status, told?.error ?? `the node answers ${response.status}`);
}

const json = (body) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

async function object(response) {
  return response.status === 204 ? null : response.json();
}

export const get = async (path) => object(await ask(path));

export const post = async (path, body) => object(await ask(path, body === undefined ? { method: "POST" } : json(body)));

export const login = (token) => ask("login", { method: "POST", headers: { Authorization: `Bearer ${token}` } });

/** Reads objects as they come, one a line. `signal` stops it. */
export async function lines(path, body, each, signal) {
  const options = body === undefined ? {} : json(body);
  const response = await ask(path, { ...options, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const line of parts) if (line !== "") each(JSON.parse(line));
  }
}

/**
 * Listens to the node's events while the page is seen; a hidden page costs the node nothing. `handlers` by event name;
 * `onlost` is told when the node cannot be reached, `onback` when it can again, `onforbidden` when the session is over.
 */
export function listen(handlers, { onlost, onback, onforbidden }) {
  let source = null;
  const close = () => {
    source?.close();
    source = null;
  };
  const open = () => {
    if (source !== null || document.hidden) return;
    source = new EventSource("/api/v1/events");
    source.addEventListener("open", onback);
    source.addEventListener("error", async () => {
      close();
      try {
        await get("status");
        setTimeout(open, 500);
      } catch (refused) {
        if (refused.status === 401) onforbidden();
        else {
          onlost();
          setTimeout(open, 2000);
        }
      }
    });
    for (const [name, handler] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handler(JSON.parse(event.data)));
    }
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  open();
}
