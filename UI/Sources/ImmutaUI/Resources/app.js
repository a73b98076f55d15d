// The page: which log and which view of it is shown, as the address says.

import { el, notice } from "./dom.js";
import { address, ask, nameInAddress } from "./server.js";
import { listen, showKeys } from "./keys.js";
import { ConsumersView, OverviewView, SegmentsView, healthOf } from "./overview.js";
import { RecordsView } from "./records.js";
import { LiveView } from "./live.js";
import { ChartsView } from "./charts.js";
import { HealthView } from "./health.js";
import { ago, bytes, moment, number, rate, storedNote, title } from "./words.js";

const views = [
  ["records", "Records", "r", RecordsView], ["live", "Live", "l", LiveView], ["charts", "Charts", "c", ChartsView],
  ["segments", "Segments", "s", SegmentsView], ["consumers", "Consumers", "o", ConsumersView], ["health", "Health", "h", HealthView],
];
const main = document.getElementById("main");
const trouble = document.getElementById("trouble");
let overview = { namespaces: [], total: 0, directory: "" };
let view = null;
let place = { name: null, tab: null };
/** Of the log that is shown: how many records it had, and when. */
let before = null;

// The token is in a cookie from now on.
history.replaceState(null, "", `${location.pathname}${location.hash}`);

function placeOf(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const [name, tab] = path.split("/");
  let known = name || null;
  try {
    known = known && decodeURIComponent(known);
  } catch {
    known = null;
  }
  return { name: known, tab: views.some(([id]) => id === tab) ? tab : "records", parameters: new URLSearchParams(query) };
}

const linkTo = (name, tab) => `#/${nameInAddress(name)}/${tab}`;

async function show() {
  view?.stop();
  view = null;
  place = placeOf(location.hash);
  before = null;
  document.title = place.name ? `${title(place.name)} – Immuta` : "Immuta";
  drawNamespaces();
  if (!place.name) {
    view = new OverviewView(overview);
    return main.replaceChildren(view.element);
  }
  const shown = place;
  let report;
  try {
    report = await ask(address(place.name));
  } catch (error) {
    if (shown === place) main.replaceChildren(el("div", { class: "head" }, el("h1", {}, title(place.name))), notice(error.message, true));
    return;
  }
  if (shown !== place) return;
  const [, , , View] = views.find(([id]) => id === place.tab);
  view = new View(report.log, place.parameters);
  main.replaceChildren(
    el("div", { class: "head" }, el("h1", {}, title(place.name)), el("code", { class: "path" }, report.log.path)),
    el("dl", { class: "stats", id: "stats" }),
    ...(report.log.damage === undefined ? [] : [notice(report.log.damage, true)]),
    ...(report.log.shown === "stored" ? [notice(storedNote(report.log))] : []),
    el("nav", { class: "tabs", "aria-label": "Views" }, views.map(([id, words, key]) =>
      el("a", { href: linkTo(place.name, id), "aria-current": id === place.tab ? "page" : null, title: `${words} (${key})` }, words))),
    view.element);
  main.scrollTo(0, 0);
  drawStats(report.log);
}

function drawNamespaces() {
  const nav = document.getElementById("namespaces");
  const links = overview.namespaces.map((log) => {
    const [kind] = healthOf(log);
    return el("a", { href: linkTo(log.name, place.tab ?? "records"), "aria-current": log.name === place.name ? "page" : null, title: title(log.name) },
      el("div", { class: "name" }, el("i", { class: `dot ${kind}` }), el("span", {}, title(log.name))),
      el("div", { class: "facts" }, log.error === undefined ? `${number(log.records)} · ${bytes(log.bytes)}` : "cannot be opened"));
  });
  const more = overview.next && el("button", { class: "more", click: showMore }, `More of ${number(overview.total)}`);
  const focused = nav.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  nav.replaceChildren(...links, ...(more ? [more] : []));
  if (focused) Array.from(nav.querySelectorAll("a")).find((link) => link.getAttribute("href") === focused)?.focus();
}

function drawStats(log) {
  const stats = document.getElementById("stats");
  if (!stats) return;
  const now = Date.now();
  const growth = before && now > before.time ? Math.max(0, (1000 * (log.count - before.count)) / (now - before.time)) : null;
  before = { count: log.count, time: now };
  const rows = [
    ["Records", number(log.records)], ["Numbers", log.records ? `${number(log.firstSequence)} – ${number(log.count - 1)}` : "–"],
    ["Size", bytes(log.bytes)], ["Segments", number(log.segments)], ["First", moment(log.first)], ["Newest", ago(log.last)],
    ["Now", growth === null ? "…" : `${rate(growth)} records/s`],
  ];
  stats.replaceChildren(...rows.map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value))));
}

// How many more pages of namespaces were asked for: each look asks for all of them again.
let pages = 1;

function showMore() {
  pages += 1;
  return look();
}

async function look() {
  try {
    const namespaces = [];
    let answer = { next: null };
    for (let page = 0; page < pages && answer.next !== undefined; page += 1) {
      const query = answer.next ? `?after=${encodeURIComponent(answer.next)}` : "";
      answer = await ask(`api/namespaces${query}`);
      namespaces.push(...answer.namespaces);
    }
    overview = { ...answer, namespaces };
    trouble.hidden = true;
  } catch (error) {
    trouble.textContent = error.message;
    trouble.title = error.message;
    trouble.hidden = false;
    return;
  }
  document.getElementById("directory").textContent = overview.directory;
  drawNamespaces();
  if (view instanceof OverviewView) view.update(overview);
  const log = overview.namespaces.find((log) => log.name === place.name);
  if (log && log.error === undefined) drawStats(log);
}

// Colours

const themes = [null, "light", "dark"];

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  const button = document.getElementById("theme");
  button.textContent = theme === "light" ? "☀" : theme === "dark" ? "☾" : "◐";
  if (theme) localStorage.setItem("immuta-theme", theme);
  else localStorage.removeItem("immuta-theme");
}

function nextTheme() {
  const current = themes.indexOf(document.documentElement.dataset.theme ?? null);
  setTheme(themes[(current + 1) % themes.length]);
}

const stored = localStorage.getItem("immuta-theme");
setTheme(themes.includes(stored) ? stored : null);
document.getElementById("theme").addEventListener("click", nextTheme);
document.getElementById("help").addEventListener("click", showKeys);

listen((key) => {
  const own = view?.keys[key];
  if (own) return own;
  const tab = place.name && views.find(([, , letter]) => letter === key);
  if (tab) return () => { location.hash = linkTo(place.name, tab[0]); };
  return { "?": showKeys, d: nextTheme }[key];
});

addEventListener("hashchange", show);
await look();
await show();
setInterval(() => { if (!document.hidden) look(); }, 3000);
