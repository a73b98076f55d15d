// Elements. Whatever comes from a log gets into the page as a text node or as the value of an attribute, never as markup.

/** An element; functions among the properties are listeners, and null and false leave a property out. */
export function el(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same, of a drawing. */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A table with a row for each list of cells. A column is `{title, number}`; a cell is a text or an element. */
export function table(columns, rows) {
  const kind = (column) => [column.number && "number", column.wide && "wide"].filter(Boolean).join(" ") || null;
  return el("div", { class: "scroll" },
    el("table", {},
      el("thead", {}, el("tr", {}, columns.map((column) => el("th", { class: kind(column), scope: "col" }, column.title)))),
      el("tbody", {}, rows.map((cells) =>
        el("tr", {}, cells.map((cell, place) => el("td", { class: kind(columns[place]) }, cell)))))));
}

/** A note that something is not as it should be. */
export function notice(text, isBad = false) {
  return el("p", { class: isBad ? "notice bad" : "notice" }, text);
}
