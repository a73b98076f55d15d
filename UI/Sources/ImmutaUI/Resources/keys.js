// What keys do.

import { el } from "./dom.js";

const rows = [
  [["j", "k"], "the next record, the one before (or the arrows)"], [["Enter"], "show the record"],
  [["1", "2", "3"], "as text, as JSON, as a hex dump"], [["Esc"], "close"], [["g", "G"], "the first records, the newest ones"],
  [["[", "]"], "a page back, a page on"], [["n"], "go to a number"], [["t"], "go to a time"], [["/"], "search"],
  [["p"], "pause the live view, or go on"], [["v"], "verify, in the health view"],
  [["r", "l", "c", "s", "o", "h"], "records, live, charts, segments, consumers, health"], [["d"], "light or dark"], [["?"], "these keys"],
];

/** Calls the function for a key, unless somebody types. `find` gives it by the key's name. */
export function listen(find) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const isTyping = event.target.closest("input:not([type=range]), select, textarea");
    if (isTyping) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    // A record that has the focus may be longer than the window: there the arrows scroll.
    if (event.key.startsWith("Arrow") && event.target.closest("pre, input")) return;
    const action = find(event.key);
    if (!action) return;
    event.preventDefault();
    action();
  });
}

export function showKeys() {
  const dialog = document.getElementById("keys");
  dialog.replaceChildren(
    el("h2", {}, "Keys"),
    el("dl", {}, rows.flatMap(([keys, words]) => [
      el("dt", {}, keys.flatMap((key) => [el("kbd", {}, key), " "])), el("dd", {}, words),
    ])),
    el("form", { method: "dialog" }, el("button", { autofocus: true }, "Close")));
  dialog.showModal();
}
