// Adding a transfer: a magnet link, the id of a hit, or a torrent file.

import { announce, el } from "/dom.js";
import { post } from "/api.js";

const kept = (name, otherwise) => localStorage.getItem(name) ?? otherwise;

/** The form. */
export function adder() {
  const source = el("input", { id: "source", autocomplete: "off", spellcheck: "false" });
  const folder = el("input", { id: "folder", value: kept("folder", ""), autocomplete: "off", spellcheck: "false" });
  const file = el("input", { id: "torrent", type: "file", accept: ".torrent,application/x-bittorrent" });
  const told = el("p", { role: "status" });
  const add = async (event) => {
    event.preventDefault();
    told.className = "";
    try {
      if (file.files.length > 0) await addFiles([...file.files], folder.value);
      else await fetchSource(source.value.trim(), folder.value);
      told.textContent = "Added.";
      source.value = "";
      file.value = "";
    } catch (refused) {
      told.textContent = refused.message;
      told.className = "error";
    }
  };
  return el("form", { onsubmit: add },
    el("div", { class: "fields" },
      el("div", {}, el("label", { for: "source" }, "Magnet link or id of a hit"), source),
      el("div", {}, el("label", { for: "torrent" }, "or a torrent file"), file),
      el("div", {}, el("label", { for: "folder" }, "Folder on the node's machine"), folder),
      el("button", { type: "submit", class: "fix" }, "Add")),
    told);
}

/** Fetches a magnet link or a hit. Without a folder it goes where the node puts downloads. */
export async function fetchSource(source, folder = kept("folder", "")) {
  const answer = await post("fetch", { source, ...(folder ? { output: folder } : {}) });
  localStorage.setItem("folder", folder);
  announce(`Fetching ${answer.name}.`);
  return answer;
}

async function addFiles(files, folder) {
  for (const file of files) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    await post("fetch", { torrent: base64(bytes), ...(folder ? { output: folder } : {}) });
  }
  localStorage.setItem("folder", folder);
  announce(files.length === 1 ? "Added." : `${files.length} added.`);
}

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
