// Records as they come. After a break it goes on after the last record that was shown.

import { el, notice } from "./dom.js";
import { address, ask } from "./server.js";
import { RecordList } from "./record.js";
import { number, rate } from "./words.js";

const mostRows = 500;

export class LiveView {
  element = el("div", { class: "view" });
  #log;
  #list;
  #source = null;
  #retry = null;
  #last = null;
  #times = [];
  #isPaused = false;
  #dot = el("span", { class: "dot idle" });
  #words = el("span", { id: "live-state" }, "connecting …");
  #rate = el("span", { class: "muted" });
  #button = el("button", { id: "pause", title: "Pause or go on (p)", click: () => this.#toggle() }, "Pause");
  #note = el("div", { role: "status" });
  #clock;

  constructor(log) {
    this.#log = log;
    this.#list = new RecordList(log);
    this.#list.list.classList.add("empty");
    this.#list.list.append("New records appear here, the newest first.");
    this.element.append(
      el("div", { class: "tools" }, this.#button, el("span", { class: "state", role: "status" }, this.#dot, this.#words), this.#rate),
      this.#note, this.#list.element);
    this.#clock = setInterval(() => this.#tellRate(), 1000);
    this.#connect();
  }

  stop() {
    clearInterval(this.#clock);
    this.#disconnect();
  }

  #disconnect() {
    clearTimeout(this.#retry);
    this.#source?.close();
    this.#source = null;
  }

  #connect() {
    this.#disconnect();
    const from = this.#last === null ? null : this.#last + 1;
    const source = new EventSource(address(this.#log.name, "tail", { from }));
    this.#source = source;
    source.addEventListener("open", () => this.#tell("live", ""));
    source.addEventListener("message", (event) => this.#add(JSON.parse(event.data)));
    source.addEventListener("skipped", (event) => this.#addGap(JSON.parse(event.data)));
    source.addEventListener("failure", (event) => {
      this.#disconnect();
      this.#tell("stopped", "bad");
      this.#note.replaceChildren(notice(JSON.parse(event.data).error, true));
    });
    source.addEventListener("error", () => this.#lost(source));
  }

  /** The browser connects again by itself, unless the server answers with a refusal. */
  async #lost(source) {
    if (source !== this.#source) return;
    this.#tell("connection lost, trying again …", "warn");
    if (source.readyState !== EventSource.CLOSED) return;
    this.#disconnect();
    this.#retry = setTimeout(() => this.#connect(), 2000);
    try {
      await ask(address(this.#log.name));
    } catch (error) {
      if (error.status === 0 || this.#isPaused) return;
      this.#disconnect();
      this.#tell("stopped", "bad");
      this.#note.replaceChildren(notice(error.message, true));
    }
  }

  #add(record) {
    this.#last = record.sequence;
    this.#times.push(Date.now());
    this.#prepend(this.#list.row(record));
  }

  #addGap({ from, before }) {
    this.#last = before - 1;
    this.#prepend(el("li", { class: "gap" }, `Records ${number(from)} to ${number(before - 1)} are not shown here: they came too quickly, or were removed.`));
  }

  #prepend(row) {
    const { list } = this.#list;
    if (list.classList.contains("empty")) {
      list.classList.remove("empty");
      list.replaceChildren();
    }
    list.prepend(row);
    while (list.childElementCount > mostRows) list.lastElementChild.remove();
  }

  #toggle() {
    this.#isPaused = !this.#isPaused;
    this.#button.textContent = this.#isPaused ? "Go on" : "Pause";
    if (this.#isPaused) {
      this.#disconnect();
      this.#tell(this.#last === null ? "paused" : `paused after record ${number(this.#last)}`, "idle");
    } else {
      this.#note.replaceChildren();
      this.#connect();
    }
  }

  #tell(words, kind) {
    this.#words.textContent = words;
    this.#dot.className = `dot ${kind}`;
  }

  #tellRate() {
    const now = Date.now();
    this.#times = this.#times.filter((time) => time > now - 10_000);
    this.#rate.textContent = this.#isPaused ? "" : `${rate(this.#times.length / 10)} records/s over the last 10 s`;
  }

  get keys() {
    return { ...this.#list.keys, p: () => this.#toggle() };
  }
}
