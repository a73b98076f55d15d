// Rates and sizes, as bars.

import { el, notice, svg } from "./dom.js";
import { address, ask } from "./server.js";
import { bytes, clockOf, counted, dayOf, exactClockOf, number, rate, span } from "./words.js";

const spans = [["All", null], ["7 days", 604_800_000], ["24 h", 86_400_000], ["1 h", 3_600_000], ["10 min", 600_000]];
const height = 190;
const margin = { left: 52, right: 4, top: 8, bottom: 22 };

/** Bars with axes, drawn as wide as there is room. A bar is `{value, label, tip}`; `labels` of them have their label. */
class BarChart {
  element;
  #svg = svg("svg", { role: "img" });
  #bars = [];
  #words;
  #observer = new ResizeObserver(() => this.#draw());

  constructor(title, words, id) {
    this.#words = words;
    this.facts = el("span", { class: "muted" });
    this.element = el("figure", { class: "chart", id }, el("figcaption", {}, el("h2", {}, title), this.facts), this.#svg);
    this.#svg.setAttribute("aria-label", title);
    this.#observer.observe(this.#svg);
  }

  stop() {
    this.#observer.disconnect();
  }

  show(bars, facts) {
    this.#bars = bars;
    this.facts.textContent = facts;
    this.#draw();
  }

  #draw() {
    const width = this.#svg.clientWidth;
    if (width < 80) return;
    const room = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
    const most = niceMaximum(Math.max(0, ...this.#bars.map((bar) => bar.value)), this.#words === bytes);
    const y = (value) => margin.top + room.height * (1 - value / most);
    const step = room.width / Math.max(1, this.#bars.length);
    const grid = [0, most / 2, most].map((value) => [
      svg("line", { x1: margin.left, x2: width - margin.right, y1: y(value), y2: y(value) }),
      svg("text", { x: margin.left - 6, y: y(value) + 4, "text-anchor": "end" }, this.#words(value)),
    ]);
    const bars = this.#bars.map((bar, place) => {
      const x = margin.left + place * step;
      const thick = Math.max(0.5, Math.min(step - (step > 5 ? 1.5 : step > 2 ? 0.5 : 0), 48));
      const top = bar.value > 0 ? Math.min(y(bar.value), y(0) - 1) : y(0);
      return svg("g", {},
        svg("rect", { x: x + (step - thick) / 2, width: thick, y: top, height: y(0) - top, rx: step > 6 ? 1.5 : 0 }),
        svg("rect", { class: "hit", x, width: step, y: margin.top, height: room.height }), svg("title", {}, bar.tip));
    });
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#svg.replaceChildren(...grid.flat(), svg("g", { class: "bars" }, bars), ...this.#labels(step, room));
  }

  /** As many as there is room for. */
  #labels(step, room) {
    const longest = Math.max(0, ...this.#bars.map((bar) => bar.label.length)) * 6.4 + 18;
    const every = Math.max(1, Math.ceil(longest / step));
    return this.#bars.flatMap((bar, place) => {
      const x = margin.left + (place + 0.5) * step;
      const isOut = x + longest / 2 - 9 > margin.left + room.width + margin.right + 9;
      if (place % every !== 0 || (isOut && this.#bars.length > 1)) return [];
      return [svg("text", { x, y: height - 6, "text-anchor": "middle" }, bar.label)];
    });
  }
}

/** The least round number that is not less: 1, 2, 2.5 or 5 times a power of ten; of bytes a power of two, or half of one more. */
function niceMaximum(value, isBytes) {
  if (value <= 0) return isBytes ? 2 : 1;
  if (isBytes) {
    const power = 2 ** Math.floor(Math.log2(value));
    return [1, 1.5, 2].find((factor) => factor * power >= value) * power;
  }
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].find((factor) => factor * power >= value * 0.9999) * power;
}

/** How bars of a length are labelled that show a span of time: shortly, and each as no other. */
function labelsOf(milliseconds, whole) {
  if (milliseconds >= 86_400_000) return dayOf;
  if (whole > 86_400_000) return (moment) => `${dayOf(moment).slice(5)} ${clockOf(moment).slice(0, 5)}`;
  if (milliseconds >= 60_000) return (moment) => clockOf(moment).slice(0, 5);
  if (milliseconds >= 1000) return clockOf;
  return exactClockOf;
}

export class ChartsView {
  element = el("div", { class: "view" });
  #log;
  #span = null;
  #asked = 0;
  #note = el("div", { role: "status" });
  #choice = el("div", { class: "group choice", role: "group", "aria-label": "Span of time" });
  #records = new BarChart("Records", rate, "chart-records");
  #bytes = new BarChart("Bytes", bytes, "chart-bytes");
  #sizes = new BarChart("Sizes of records", rate, "chart-sizes");
  #segments = new BarChart("Sizes of segments", bytes, "chart-segments");

  constructor(log) {
    this.#log = log;
    for (const [words, length] of spans) {
      this.#choice.append(el("button", { click: () => this.#show(length), "data-span": String(length) }, words));
    }
    this.element.append(el("div", { class: "tools" }, this.#choice), this.#note,
      el("div", { class: "charts" }, this.#charts.map((chart) => chart.element)));
    this.#show(null);
    this.#showSizes();
  }

  get #charts() {
    return [this.#records, this.#bytes, this.#sizes, this.#segments];
  }

  stop() {
    this.#asked += 1;
    for (const chart of this.#charts) chart.stop();
  }

  get keys() {
    return {};
  }

  async #show(length) {
    this.#asked += 1;
    const asked = this.#asked;
    this.#span = length;
    for (const button of this.#choice.children) button.setAttribute("aria-pressed", String(button.dataset.span === String(length)));
    const now = Date.now();
    try {
      const rates = await ask(address(this.#log.name, "rates",
        { parts: 60, from: length === null ? null : now - length, until: length === null ? null : now }));
      if (asked !== this.#asked) return;
      this.#drawRates(rates);
    } catch (error) {
      if (asked === this.#asked) this.#note.replaceChildren(notice(error.message, true));
    }
  }

  #drawRates({ milliseconds, parts }) {
    const format = labelsOf(milliseconds, milliseconds * parts.length);
    const bar = (part, value, words) => {
      const [start, end] = [new Date(part.start), new Date(part.start + milliseconds)];
      const clock = milliseconds < 1000 ? exactClockOf : clockOf;
      const tip = `${words}\n${dayOf(start)} ${clock(start)} – ${clock(end)}\n${perSecond(part.records, part.bytes)}`;
      return { value, label: format(start), tip };
    };
    const perSecond = (records, size) =>
      `${rate(records / (milliseconds / 1000))} records/s${size === undefined ? "" : `, ${bytes(size / (milliseconds / 1000))}/s`}`;
    const total = parts.reduce((sum, part) => sum + part.records, 0);
    const size = parts.reduce((sum, part) => sum + (part.bytes ?? 0), 0);
    const each = `a bar is ${span(milliseconds)}`;
    this.#records.show(parts.map((part) => bar(part, part.records, counted(part.records, "record"))), parts.length ? `${number(total)}; ${each}` : "none");
    this.#bytes.show(parts.map((part) => bar(part, part.bytes ?? 0, bytes(part.bytes))), parts.length ? `${bytes(size)}; ${each}` : "none");
  }

  async #showSizes() {
    try {
      const [sizes, report] = await Promise.all([ask(address(this.#log.name, "sizes")), ask(address(this.#log.name))]);
      const edge = (size) => bytes(size + 1);
      this.#sizes.show(
        sizes.parts.map((part) => ({
          value: part.records, label: `<${edge(part.atMost)}`,
          tip: `${counted(part.records, "record")} of up to ${counted(part.atMost, "byte")}`,
        })),
        sizes.records ? `the newest ${number(sizes.records)}; the median is ${bytes(sizes.median)}` : "none");
      const segments = report.segments ?? [];
      this.#segments.show(
        segments.map((segment) => ({
          value: segment.bytes, label: number(segment.firstSequence),
          tip: `from record ${number(segment.firstSequence)}\n${counted(segment.records, "record")}, ${bytes(segment.bytes)}`,
        })),
        report.segments ? counted(segments.length, "segment") : "too many to show");
    } catch (error) {
      this.#note.replaceChildren(notice(error.message, true));
    }
  }
}
