// What is known of a log's health, and the outcome of checking every record.

import { el, notice } from "./dom.js";
import { address, ask } from "./server.js";
import { bytes, counted, date, moment, number, shownOf, span, storedNote } from "./words.js";

export class HealthView {
  element = el("div", { class: "view" });
  #log;
  #isStopped = false;
  #timer = null;
  #button = el("button", { class: "main", id: "verify", click: () => this.#begin() }, "Verify all records");
  #verdict = el("div", { id: "verdict", role: "status" });
  #facts = el("div", { class: "card" });

  constructor(log) {
    this.#log = log;
    this.element.append(
      el("section", { class: "card" },
        el("header", {}, el("h2", {}, "Verification"), el("span", { class: "space" }), this.#button), this.#verdict),
      this.#facts);
    this.#look();
    this.#showFacts();
  }

  stop() {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  get keys() {
    return { v: () => { if (!this.#button.disabled) return this.#begin(); } };
  }

  async #begin() {
    this.#button.disabled = true;
    await this.#look({ method: "POST" });
  }

  async #look(options) {
    clearTimeout(this.#timer);
    try {
      const outcome = await ask(address(this.#log.name, "verify"), options);
      if (this.#isStopped) return;
      this.#draw(outcome);
      if (outcome.state === "running") this.#timer = setTimeout(() => this.#look(), 500);
    } catch (error) {
      this.#button.disabled = false;
      this.#verdict.replaceChildren(notice(error.message, true));
    }
  }

  #draw(outcome) {
    this.#button.disabled = outcome.state === "running";
    this.#verdict.dataset.state = outcome.state;
    const rows = {
      none: () => [["Outcome", "Nobody has asked for it since this page's server was started. It reads every record."]],
      running: () => [
        ["Outcome", `Every record is read and compared with its checksum: ${span(Date.now() - date(outcome.began).getTime())} so far.`],
        ["Progress", progressOf(outcome)],
      ],
      ok: () => [
        ["Outcome", el("span", { class: "verdict ok" }, "Sound")], ["Checked", outcome.message],
        ["Records", `${number(outcome.records)}; the smallest has ${bytes(outcome.smallest)}, the largest ${bytes(outcome.largest)}`],
        ["Size", bytes(outcome.bytes)],
      ],
      damaged: () => [["Outcome", el("span", { class: "verdict bad" }, "Damaged")], ["What is wrong", outcome.message]],
      failed: () => [["Outcome", el("span", { class: "verdict bad" }, "It could not be checked")], ["Why", outcome.message]],
    }[outcome.state]();
    if (outcome.ended) rows.push(["When", `${moment(outcome.ended)}, in ${span(date(outcome.ended) - date(outcome.began))}`]);
    this.#verdict.replaceChildren(factsList(rows));
  }

  async #showFacts() {
    try {
      const { log } = await ask(address(this.#log.name));
      if (this.#isStopped) return;
      const unverifiable = log.records - log.verifiable;
      const rows = [
        ["Damage", log.damage === undefined ? "Opening found none" : el("span", { class: "bad" }, log.damage)],
        ["Checksums", unverifiable === 0 ? "Every record has one from when it was appended"
          : el("span", { class: "warn" }, `${counted(unverifiable, "record")} have none from when they were appended`)],
        ["On stable storage", log.stable >= log.count ? "All records" : `Records before ${number(log.stable)}, as far as is known; the next is ${number(log.count)}`],
        ["Clock", log.clock.length ? el("span", { class: "warn" }, log.clock.join("; ")) : "Nothing speaks against the times"],
        log.note !== undefined && ["Note", el("span", { class: "warn" }, log.note)],
        ["Codec", log.shown === "stored" ? el("span", { class: "warn" }, storedNote(log))
          : log.shown === "decoded" ? `Payloads are ${shownOf(log)}` : "None: payloads are as they were appended"],
        ["Format", log.format], ["Identity", log.identity ? el("code", {}, log.identity) : "No file holds one"],
        ["File", el("code", {}, log.path)],
      ];
      this.#facts.replaceChildren(factsList(rows.filter(Boolean)));
    } catch (error) {
      this.#facts.replaceChildren(notice(error.message, true));
    }
  }
}

/** How many records were checked so far. */
function progressOf({ done = 0, total }) {
  if (total === undefined) return el("progress", { "aria-label": "Records checked" });
  return el("span", { class: "progress" },
    el("progress", { "aria-label": "Records checked", max: Math.max(1, total), value: done }),
    `${number(done)} of ${counted(total, "record")}`);
}

const factsList = (rows) => el("dl", { class: "facts-list" }, rows.flatMap(([term, value]) => [el("dt", {}, term), el("dd", {}, value)]));
