// One record, as text, JSON or a hex dump.

import { el, notice } from "./dom.js";
import { address, ask } from "./server.js";
import { bytesOf, hexDump, textOf, visible } from "./bytes.js";
import { jsonNodes } from "./json.js";
import { bytes, counted, dayAndTime, number, shownOf, storedNote } from "./words.js";

const shown = 64 << 10;
const views = ["text", "json", "hex"];

/** The pane in which a record is shown. */
export class RecordPane {
  element = el("section", { class: "record", "aria-label": "Record", hidden: true });
  #log;
  #record = null;
  #asked = 0;
  #whenClosed;
  #view = localStorage.getItem("immuta-view") ?? "text";

  constructor(log, whenClosed) {
    this.#log = log;
    this.#whenClosed = whenClosed;
    if (!views.includes(this.#view)) this.#view = "text";
  }

  get isOpen() {
    return !this.element.hidden;
  }

  /** Shows a record, first what is known of it, and then more of it, where there is more. */
  async show(record) {
    this.#asked += 1;
    const asked = this.#asked;
    this.#record = record;
    this.element.hidden = false;
    this.#draw();
    if (record.error !== undefined || !record.isCut) return;
    try {
      const whole = await ask(address(this.#log.name, `records/${record.sequence}`, { bytes: shown }));
      if (asked !== this.#asked) return;
      this.#record = whole;
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#record = { ...record, error: error.message };
    }
    this.#draw();
  }

  close() {
    this.#asked += 1;
    this.element.hidden = true;
    this.#record = null;
    this.#whenClosed();
  }

  set view(view) {
    this.#view = view;
    localStorage.setItem("immuta-view", view);
    if (this.#record) this.#draw();
  }

  #draw() {
    const record = this.#record;
    const buttons = views.map((view) =>
      el("button", { "aria-pressed": String(view === this.#view), click: () => { this.view = view; } },
        { text: "Text", json: "JSON", hex: "Hex" }[view]));
    const save = address(this.#log.name, `records/${record.sequence}/payload`);
    this.element.replaceChildren(
      el("header", {},
        el("h2", {}, `Record ${number(record.sequence)}`), el("span", { class: "space" }),
        el("span", { class: "group" }, buttons),
        el("button", { class: "quiet", "aria-label": "Close", title: "Close (Esc)", click: () => this.close() }, "✕"),
        record.error === undefined &&
          el("p", { class: "facts" },
            `${dayAndTime(record.time).join(" ")} · ${counted(record.size, "byte")}${record.storedSize === undefined ? "" : `, ${number(record.storedSize)} stored`} · at byte ${number(record.index)} · `,
            el("span", { class: "shown" }, shownOf(this.#log)), " · ",
            el("a", { href: save, download: true }, "save its bytes"))),
      ...this.#body(record));
  }

  #body(record) {
    if (record.error !== undefined) return [notice(record.error, true)];
    const notes = [];
    if (this.#log.shown === "stored") notes.push(notice(storedNote(this.#log)));
    if (record.isCut) {
      notes.push(notice(`Only the first ${bytes(bytesOf(record).length)} of ${bytes(record.size)} are shown.`));
    }
    if (this.#view === "hex") return [...notes, el("pre", { class: "hex", tabindex: "0" }, hexDump(bytesOf(record)))];
    if (record.base64 !== undefined) notes.push(notice("Not UTF-8: bytes that are no text are shown as \ufffd."));
    const text = textOf(record);
    const nodes = this.#view === "json" ? jsonNodes(text) : null;
    if (this.#view === "json" && !nodes) notes.push(notice("This is no JSON; it is shown as text."));
    if (record.size === 0) notes.push(el("p", { class: "muted notice" }, "This record is empty."));
    return [...notes, el("pre", { tabindex: "0" }, nodes ?? visible(text))];
  }
}

/** A record as a line that can be chosen. */
export function recordRow(record, choose) {
  const [day, time] = record.time ? dayAndTime(record.time) : ["", ""];
  const preview = record.error !== undefined ? el("span", { class: "preview error" }, record.error)
    : record.size === 0 ? el("span", { class: "preview muted" }, "empty")
    : el("span", { class: "preview" }, visible(textOf(record).slice(0, 300), { isOneLine: true }));
  const row = el("button",
    { class: "row", "aria-pressed": "false", "data-sequence": record.sequence, click: () => choose(record, row) },
    el("span", { class: "sequence" }, String(record.sequence)),
    el("span", { class: "time" }, el("span", { class: "date" }, `${day} `), time),
    el("span", { class: "size" }, record.size === undefined ? "" : bytes(record.size)), preview);
  return el("li", {}, row);
}

/** A list of records beside the pane that shows one of them. */
export class RecordList {
  list = el("ol", { class: "list" });
  element;
  pane;
  #chosen = null;

  constructor(log) {
    this.pane = new RecordPane(log, () => {
      this.element.classList.remove("open");
      this.#chosen?.setAttribute("aria-pressed", "false");
      this.#chosen?.focus();
    });
    this.element = el("div", { class: "split" }, this.list, this.pane.element);
  }

  row(record) {
    return recordRow(record, (chosen, row) => this.choose(chosen, row));
  }

  choose(record, row) {
    this.#chosen?.setAttribute("aria-pressed", "false");
    this.#chosen = row;
    row.setAttribute("aria-pressed", "true");
    this.element.classList.add("open");
    return this.pane.show(record);
  }

  /** To the next row, or the one before; says whether there was one. */
  step(by) {
    const rows = Array.from(this.list.querySelectorAll(".row"));
    const focused = rows.indexOf(document.activeElement);
    const place = focused >= 0 ? focused : rows.indexOf(this.#chosen);
    const next = rows[place < 0 ? (by > 0 ? 0 : rows.length - 1) : place + by];
    if (!next) return false;
    next.focus();
    if (this.pane.isOpen) next.click();
    return true;
  }

  get keys() {
    return {
      j: () => this.step(1), ArrowDown: () => this.step(1), k: () => this.step(-1), ArrowUp: () => this.step(-1),
      1: () => { this.pane.view = "text"; }, 2: () => { this.pane.view = "json"; }, 3: () => { this.pane.view = "hex"; },
      Escape: () => { if (this.pane.isOpen) this.pane.close(); },
    };
  }
}
