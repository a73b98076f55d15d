// JSON on several lines. Its numbers and strings stay as they were written: a number may have more digits than JavaScript knows.

import { el } from "./dom.js";
import { visible } from "./bytes.js";

const token = /("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\],]|[^\s{}[\],:"]+/g;
const isOpening = (piece) => piece === "{" || piece === "[";
const isClosing = (piece) => piece === "}" || piece === "]";

/** As nodes; null where the text is no JSON. */
export function jsonNodes(text) {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  const nodes = [];
  let depth = 0;
  const line = () => nodes.push(`\n${"  ".repeat(depth)}`);
  const tokens = Array.from(text.matchAll(token));
  tokens.forEach(([piece, string, colon], place) => {
    const isEmpty = isOpening(piece) ? isClosing(tokens[place + 1]?.[0]) : isOpening(tokens[place - 1]?.[0]);
    if (isOpening(piece)) {
      nodes.push(piece);
      if (isEmpty) return;
      depth += 1;
      line();
    } else if (isClosing(piece)) {
      if (!isEmpty) {
        depth -= 1;
        line();
      }
      nodes.push(piece);
    } else if (piece === ",") {
      nodes.push(piece);
      line();
    } else if (string !== undefined) {
      nodes.push(el("span", { class: colon ? "key" : "string" }, visible(string)), colon ? ": " : "");
    } else {
      nodes.push(el("span", { class: "literal" }, piece));
    }
  });
  return nodes;
}
