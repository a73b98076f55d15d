// Numbers, sizes and times, for people.

const whole = new Intl.NumberFormat("en");
const rough = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export const number = (value) => (value === null || value === undefined ? "–" : whole.format(value));

/** What a log is called: a partition of a store has a number only. */
export const title = (name) => name.replace(/^partition:/, "partition ");

/** What is shown of a log's payloads, in a few words. */
export const shownOf = (log) =>
  ({ appended: "as appended", decoded: `decoded with ${log.codec || "the codec that was given"}`, stored: "as stored, not decoded" })[log.shown];

/** Why a log's payloads are shown as they are stored. */
export const storedNote = (log) =>
  `${log.codec ? `Written with ${log.codec}. ` : ""}Payloads are shown as they are stored, not decoded: ${log.whyStored}.`;

/** With the unit in the right number: “1 record”, “2 records”. */
export const counted = (value, unit) => `${number(value)} ${unit}${value === 1 ? "" : "s"}`;

export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let place = 0;
  while (value >= 1024 && place + 1 < units.length) {
    value /= 1024;
    place += 1;
  }
  return `${place === 0 ? whole.format(value) : short.format(value)} ${units[place]}`;
}

export function rate(value) {
  if (value >= 1e6) return `${short.format(value / 1e6)} M`;
  if (value >= 1e4) return `${short.format(value / 1e3)} k`;
  return short.format(value);
}

const two = (value) => String(value).padStart(2, "0");

/** A server's time, which has nine digits of a second, as a date. */
export const date = (time) => new Date(`${time.slice(0, 23)}Z`);

export const dayOf = (moment) => `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())}`;

export const clockOf = (moment) => `${two(moment.getHours())}:${two(moment.getMinutes())}:${two(moment.getSeconds())}`;

export const exactClockOf = (moment) => `${clockOf(moment)}.${String(moment.getMilliseconds()).padStart(3, "0")}`;

/** By local time, to a millisecond: the day, and the time of day. */
export function dayAndTime(time) {
  const moment = date(time);
  if (Number.isNaN(moment.getTime())) return ["", time];
  return [dayOf(moment), exactClockOf(moment)];
}

/** By local time, to a second. */
export function moment(time) {
  if (!time) return "–";
  const [day, clock] = dayAndTime(time);
  return `${day} ${clock.slice(0, 8)}`;
}

/** A span of milliseconds, roughly. */
export function span(milliseconds) {
  const units = [["day", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]];
  for (const [unit, length] of units) {
    if (milliseconds >= length) {
      const count = rough.format(milliseconds / length);
      return `${count} ${unit === "day" && count !== "1" ? "days" : unit}`;
    }
  }
  return `${rough.format(milliseconds)} ms`;
}

/** How long ago a time is, or the time itself. */
export function ago(time) {
  if (!time) return "–";
  const milliseconds = Date.now() - date(time).getTime();
  if (milliseconds < -1000) return moment(time);
  return milliseconds < 2000 ? "just now" : `${span(milliseconds)} ago`;
}
