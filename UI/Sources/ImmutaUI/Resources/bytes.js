// Payloads as bytes, as text that shows what cannot be seen, and as a hex dump.

import { el } from "./dom.js";

/** The bytes of a record that an answer brought. */
export function bytesOf(record) {
  if (record.base64 === undefined) return new TextEncoder().encode(record.text ?? "");
  return Uint8Array.from(atob(record.base64), (character) => character.charCodeAt(0));
}

/** Its text: what is no UTF-8 is replaced by U+FFFD. */
export function textOf(record) {
  return record.text ?? new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytesOf(record));
}

// Control bytes, marks that turn the direction of what follows, and characters without a width: they are shown by name, so that a
// text cannot look like another one.
const hidden = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffd]+/g;

/** A text as nodes, in which nothing is invisible. Lines are kept unless it is to be one line. */
export function visible(text, { isOneLine = false } = {}) {
  const nodes = [];
  let place = 0;
  for (const match of text.matchAll(hidden)) {
    if (match.index > place) nodes.push(text.slice(place, match.index));
    place = match.index + match[0].length;
    // Runs of them are one element: bytes that are no text have thousands.
    for (const run of isOneLine ? [match[0]] : match[0].split(/([\n\t]+)/)) {
      if (!isOneLine && /^[\n\t]*$/.test(run)) nodes.push(run);
      else nodes.push(el("span", { class: "ctl", title: codePoints(run) }, Array.from(run, symbol).join("")));
    }
  }
  nodes.push(text.slice(place));
  return nodes;
}

const codePoints = (run) => Array.from(run.slice(0, 8), codePoint).join(" ") + (run.length > 8 ? " …" : "");

const codePoint = (character) => `U+${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

function symbol(character) {
  const code = character.charCodeAt(0);
  if (code === 0x0a) return "⏎";
  if (code === 0x09) return "⇥";
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "␡";
  if (code === 0xfffd) return "\ufffd";
  return codePoint(character);
}

/** The lines of a hex dump, as nodes. */
export function hexDump(bytes) {
  const lines = [];
  for (let start = 0; start < bytes.length; start += 16) {
    const line = bytes.subarray(start, start + 16);
    const digits = Array.from(line, (byte) => byte.toString(16).padStart(2, "0"));
    const halves = [digits.slice(0, 8).join(" "), digits.slice(8).join(" ")].join("  ");
    const text = Array.from(line, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·")).join("");
    lines.push(
      el("span", { class: "offset" }, start.toString(16).padStart(8, "0")), `  ${halves.padEnd(49)} `,
      el("span", { class: "text" }, text), "\n");
  }
  return lines;
}
