// Tables: all logs, a log's segments, and its consumers.

import { el, notice, svg, table } from "./dom.js";
import { address, ask, nameInAddress } from "./server.js";
import { ago, bytes, counted, moment, number, shownOf, title } from "./words.js";

export const healthOf = (log) => {
  if (log.error !== undefined) return ["bad", "cannot be opened"];
  if (log.damage !== undefined) return ["bad", "damaged"];
  if (log.clock?.length) return ["warn", "the clock is in doubt"];
  if (log.note !== undefined) return ["warn", "see its health"];
  return ["", "nothing found"];
};

/** All logs of the directory. */
export class OverviewView {
  element = el("div", { class: "view" });

  constructor(overview) {
    this.update(overview);
  }

  stop() {}

  get keys() {
    return {};
  }

  update(overview) {
    const columns = [
      { title: "Log" }, { title: "Records", number: true }, { title: "Size", number: true }, { title: "Segments", number: true },
      { title: "Newest record" }, { title: "Codec" }, { title: "State", wide: true },
    ];
    const rows = overview.namespaces.map((log) => {
      const [kind, words] = healthOf(log);
      const link = el("a", { href: `#/${nameInAddress(log.name)}/records` }, title(log.name));
      if (log.error !== undefined) return [link, "–", "–", "–", "–", "–", el("span", { class: "bad" }, log.error)];
      return [link, number(log.records), bytes(log.bytes), number(log.segments), ago(log.last), codecOf(log),
        el("span", { class: kind || "muted" }, words)];
    });
    this.element.replaceChildren(
      el("div", { class: "head" }, el("h1", {}, "Logs"), el("span", { class: "muted" }, `${number(overview.total)} in ${overview.directory}`)),
      ...(overview.store ? [storeNote(overview.store)] : []),
      rows.length ? table(columns, rows) : notice("There are no logs in this directory."));
  }
}

const codecOf = (log) => (log.codec || log.shown !== "appended" ? `${log.codec || "unknown"}, ${shownOf(log)}` : "–");

/** What is known of the store whose partitions are in the list. */
function storeNote(store) {
  if (store.error !== undefined) return notice(`The store cannot be opened: ${store.error}`, true);
  return el("p", { id: "store", class: "muted" }, `A store of ${counted(store.partitions, "partition")}, routed by ${store.routing}.`);
}

/** A view that asks for the report of a log again and again. */
class ReportView {
  element = el("div", { class: "view" });
  #timer = null;
  #isStopped = false;

  constructor(log) {
    this.log = log;
    this.#look();
  }

  stop() {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  get keys() {
    return {};
  }

  async #look() {
    let content;
    try {
      content = this.draw(await ask(address(this.log.name)));
    } catch (error) {
      content = [notice(error.message, true)];
    }
    if (this.#isStopped) return;
    this.element.replaceChildren(...content);
    this.#timer = setTimeout(() => this.#look(), 3000);
  }
}

/** The files of a log. */
export class SegmentsView extends ReportView {
  draw({ segments }) {
    if (!segments) return [notice("The log has too many segments to look at: immuta info --segments lists them.")];
    const columns = [
      { title: "First record", number: true }, { title: "Records", number: true }, { title: "Size", number: true },
      { title: "From" }, { title: "To" }, { title: "File", wide: true },
    ];
    return [table(columns, segments.toReversed().map((segment) => [
      el("a", { href: `#/${nameInAddress(this.log.name)}/records?from=${segment.firstSequence}` }, number(segment.firstSequence)),
      number(segment.records), bytes(segment.bytes), moment(segment.first), moment(segment.last),
      segment.error !== undefined ? el("span", { class: "bad" }, segment.error)
        : el("span", {}, el("code", {}, segment.path?.split("/").at(-1) ?? "missing"), segment.isNewest && el("span", { class: "muted" }, " newest")),
    ]))];
  }
}

/** Who reads a log, and how far behind they are. */
export class ConsumersView extends ReportView {
  draw({ consumers, log }) {
    if (!consumers.length) return [notice("No consumer has a position in this log.")];
    const columns = [
      { title: "Consumer" }, { title: "Kind" }, { title: "Next record", number: true }, { title: "Lag", number: true }, { title: "" },
      { title: "Removed unread", number: true }, { title: "Held by", wide: true },
    ];
    return [table(columns, consumers.map((consumer) => [
      el("b", {}, consumer.name), consumer.isWorkQueue ? "work queue" : "consumer",
      consumer.position === undefined ? "–"
        : el("a", { href: `#/${nameInAddress(log.name)}/records?from=${consumer.position}` }, number(consumer.position)),
      number(consumer.lag), lagBar(consumer.lag, log.records),
      consumer.removed ? el("span", { class: "bad" }, number(consumer.removed)) : number(consumer.removed),
      consumer.error !== undefined ? el("span", { class: "bad" }, consumer.error) : consumer.owner ?? el("span", { class: "muted" }, "nobody"),
    ]))];
  }
}

/** How much of the log a consumer has still to read. */
function lagBar(lag, records) {
  const part = lag && records ? Math.max(2, Math.min(100, (100 * lag) / records)) : 0;
  return el("span", { class: "lag", "aria-hidden": "true" },
    svg("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none" }, svg("rect", { width: part, height: 6 })));
}
