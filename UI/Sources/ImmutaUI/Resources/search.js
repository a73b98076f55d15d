// Records that hold a text. The server looks for a quarter of a second at a time, and says where to go on.

import { el } from "./dom.js";
import { address, ask } from "./server.js";
import { counted, number } from "./words.js";

const mostFound = 500;

export class Search {
  form;
  isActive = false;
  #log;
  #list;
  #say;
  #whenLeft;
  #text = el("input", { type: "search", id: "search", placeholder: "Search payloads", "aria-label": "Search payloads",
    autocomplete: "off", spellcheck: "false", title: "Search (/)" });
  #button = el("button", { id: "search-go" }, "Search");
  #run = 0;

  constructor(log, list, say, whenLeft) {
    this.#log = log;
    this.#list = list;
    this.#say = say;
    this.#whenLeft = whenLeft;
    this.form = el("form", { class: "group find", role: "search", submit: (event) => this.#submit(event) }, this.#text, this.#button);
  }

  focus() {
    this.#text.focus();
    this.#text.select();
  }

  begin(text) {
    this.#text.value = text;
    return this.#look(text);
  }

  stop() {
    this.#run += 1;
    this.isActive = false;
    this.#button.textContent = "Search";
  }

  #submit(event) {
    event.preventDefault();
    // While it looks, the button ends that.
    if (this.isActive && event.submitter === this.#button && this.#button.textContent === "Stop") return this.stop();
    if (this.#text.value) return this.#look(this.#text.value);
    this.stop();
    return this.#whenLeft();
  }

  async #look(text) {
    this.stop();
    const run = this.#run;
    this.isActive = true;
    this.#button.textContent = "Stop";
    this.#list.pane.close();
    this.#list.list.replaceChildren();
    let from = 0;
    let [found, searched, unreadable] = [0, 0, 0];
    try {
      while (from !== undefined && found < mostFound) {
        // Small letters find large ones, too.
        const ignorecase = text === text.toLowerCase() ? 1 : 0;
        const page = await ask(address(this.#log.name, "search", { text, from, ignorecase }));
        if (run !== this.#run) return;
        found += page.found.length;
        searched += page.searched;
        unreadable += page.unreadable;
        this.#list.list.append(...page.found.map((record) => this.#list.row(record)));
        from = page.next;
        this.#tell(text, { found, searched, unreadable, from, count: page.count });
      }
    } catch (error) {
      if (run !== this.#run) return;
      this.#say(error.message, true);
    }
    this.#button.textContent = "Search";
  }

  #tell(text, { found, searched, unreadable, from, count }) {
    this.#list.list.classList.toggle("empty", found === 0);
    let words = `${counted(found, "record")} with “${text}” among ${number(searched)}`;
    if (from !== undefined) {
      words += found >= mostFound ? `: these are the first; the rest from ${number(from)} on was not looked at` : ` of ${number(count)} …`;
    }
    if (unreadable > 0) words += `; ${counted(unreadable, "record")} could not be read`;
    this.#say(words);
  }
}
