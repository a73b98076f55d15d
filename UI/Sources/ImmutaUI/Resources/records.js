// The records of a log, a page at a time: by number, by time, and those that hold a text.

import { el, notice } from "./dom.js";
import { address, ask } from "./server.js";
import { RecordList } from "./record.js";
import { Search } from "./search.js";
import { number } from "./words.js";

const pageSize = 100;

export class RecordsView {
  element = el("div", { class: "view" });
  #log;
  #list;
  #search;
  #page = null;
  #asked = 0;
  #note = el("div", { role: "status" });
  #buttons = {};
  #number = el("input", { type: "text", inputmode: "numeric", placeholder: "Number", "aria-label": "Number of a record",
    id: "go-number", autocomplete: "off", title: "A record's number (n)" });
  #time = el("input", { type: "datetime-local", step: "1", "aria-label": "Time", id: "go-time", title: "A time (t)" });
  #scrub = el("input", { type: "range", "aria-label": "Place in the log", min: 0, max: 0, value: 0 });
  #bounds = [el("span"), el("span")];

  constructor(log, parameters) {
    this.#log = log;
    this.#list = new RecordList(log);
    this.#search = new Search(log, this.#list, (text) => this.#say(text), () => this.show({}));
    this.element.append(this.#tools(), this.#scrubber(), this.#note, this.#list.element);
    const from = parameters.get("from");
    const text = parameters.get("search");
    if (text) this.#search.begin(text);
    else this.show(from === null ? {} : { from });
  }

  stop() {
    this.#asked += 1;
    this.#search.stop();
  }

  #tools() {
    const button = (name, label, title, go) => {
      this.#buttons[name] = el("button", { id: `go-${name}`, title, click: go }, label);
      return this.#buttons[name];
    };
    const form = (submit, ...children) =>
      el("form", { class: "group jump", submit: (event) => { event.preventDefault(); submit(); } }, children);
    return el("div", { class: "tools" },
      el("div", { class: "group pages" },
        button("first", "First", "The first record (g)", () => this.#first()),
        button("older", "‹ Older", "The page before ([)", () => this.#older()),
        button("newer", "Newer ›", "The next page (])", () => this.#newer()),
        button("last", "Last", "The newest records (G)", () => this.show({}))),
      form(() => this.#goToNumber(), this.#number, el("button", {}, "Go")),
      form(() => this.#goToTime(), this.#time, el("button", {}, "Go")),
      this.#search.form);
  }

  #scrubber() {
    this.#scrub.addEventListener("change", () => this.show({ from: this.#scrub.value }));
    this.#scrub.addEventListener("input", () => { this.#bounds[0].textContent = number(Number(this.#scrub.value)); });
    return el("div", { class: "scrub" }, this.#bounds[0], this.#scrub, this.#bounds[1]);
  }

  /** The page from a number or a time on; without either, the newest records. */
  async show(parameters) {
    this.#search.stop();
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const page = await ask(address(this.#log.name, "records", { count: pageSize, ...parameters }));
      if (asked !== this.#asked) return;
      this.#page = page;
      this.#draw();
    } catch (error) {
      if (asked === this.#asked) this.#say(error.message, true);
    }
  }

  #draw() {
    const { records, firstSequence, count } = this.#page;
    this.#list.pane.close();
    this.#say("");
    this.#list.list.replaceChildren(...records.map((record) => this.#list.row(record)));
    this.#list.list.classList.toggle("empty", records.length === 0);
    if (records.length === 0) {
      this.#list.list.append(firstSequence === count ? "This log has no records." : `There is no record from there on: the last one is ${number(count - 1)}.`);
    }
    const first = records[0]?.sequence ?? count;
    const last = records.at(-1)?.sequence ?? count - 1;
    this.#scrub.min = firstSequence;
    this.#scrub.max = Math.max(firstSequence, count - 1);
    this.#scrub.value = first;
    this.#scrub.disabled = count - firstSequence < 2;
    this.#bounds[0].textContent = records.length ? `${number(first)} – ${number(last)}` : "";
    this.#bounds[1].textContent = count > firstSequence ? `of ${number(firstSequence)} – ${number(count - 1)}` : "";
    this.#buttons.first.disabled = this.#buttons.older.disabled = first <= firstSequence;
    this.#buttons.newer.disabled = this.#page.next === undefined;
    this.#buttons.last.disabled = count === firstSequence;
    this.element.closest("main")?.scrollTo(0, 0);
  }

  #first() {
    return this.show({ from: this.#page?.firstSequence ?? 0 });
  }

  #older() {
    if (!this.#page) return;
    const first = this.#page.records[0]?.sequence ?? this.#page.count;
    const from = Math.max(this.#page.firstSequence, first - pageSize);
    // The page before is full where it can be: it may overlap this one.
    return this.show({ from });
  }

  #newer() {
    if (this.#page?.next !== undefined) return this.show({ from: this.#page.next });
  }

  async #goToNumber() {
    const text = this.#number.value.replace(/[\s,._]/g, "");
    if (!/^\d+$/.test(text)) return this.#say("A record's number has digits only.", true);
    await this.show({ from: text });
    const row = this.#list.list.querySelector(`[data-sequence="${text.replace(/^0+(?=\d)/, "")}"]`);
    row?.focus();
    row?.click();
  }

  #goToTime() {
    const time = new Date(this.#time.value).getTime();
    if (Number.isNaN(time)) return this.#say("Give a day and a time.", true);
    return this.show({ time });
  }

  #say(text, isBad = false) {
    this.#note.replaceChildren(...(text ? [notice(text, isBad)] : []));
  }

  get keys() {
    return {
      ...this.#list.keys,
      g: () => this.#first(), G: () => this.show({}), "[": () => this.#older(), "]": () => this.#newer(),
      n: () => this.#number.focus(), t: () => this.#time.focus(), "/": () => this.#search.focus(),
      j: () => this.#step(1), ArrowDown: () => this.#step(1), k: () => this.#step(-1), ArrowUp: () => this.#step(-1),
    };
  }

  /** To the next record, over the end of the page, too. */
  async #step(by) {
    if (this.#list.step(by) || this.#search.isActive) return;
    const button = by > 0 ? this.#buttons.newer : this.#buttons.older;
    if (button.disabled) return;
    await (by > 0 ? this.#newer() : this.#older());
    this.#list.step(by);
  }
}
