"use strict";
// What all figures share: size, colours that suit both themes, captions, the numbers as a table, and paging of panels.
Report.charts = (() => {
  const { el, table } = Report.dom;
  const { state } = Report;
  const PANELS = 12; // of a view at once
  const COLOURS = 8; // --c1 to --c8 of the style
  const FIRST = ["moe", "dense", "dense_active", "dense_reference"]; // arms that keep their colours everywhere
  const WHISKERS = "Dots are medians, whiskers 95 % intervals: over launches where there are several, else over the "
    + "blocks of one launch, which say nothing of the next.";

  function colour(name, among) {
    const index = FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length + rest(among).indexOf(name) % (COLOURS - FIRST.length);
    return `var(--c${index + 1})`;
  }

  function rest(names) {
    return [...new Set(names)].filter((name) => !FIRST.includes(name));
  }

  // Names once each: arms that keep their colours first.
  function ordered(names) {
    const known = new Set(names);
    return [...FIRST.filter((name) => known.has(name)), ...rest(names)];
  }

  function width(most) {
    return Math.min(most, document.getElementById("main").clientWidth);
  }

  // Draw with Observable Plot in the page's colours; what assistive technology reads is the label.
  function draw(label, options) {
    const drawn = Plot.plot({
      style: { background: "transparent", color: "var(--ink)", fontSize: "12px", overflow: "visible" },
      ...options,
    });
    const svg = drawn.tagName.toLowerCase() === "svg" ? drawn : drawn.querySelector("svg:last-of-type");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
    return drawn;
  }

  // A figure: its title, what was drawn, how to read it, and the numbers behind it.
  function figure(title, drawn, { legend = null, caption = "", columns = null, rows = [] } = {}) {
    return el("figure", { class: "panel" },
      el("figcaption", {}, el("strong", {}, title)),
      legend, drawn,
      caption ? el("p", { class: "aside" }, caption) : null,
      columns ? el("details", {}, el("summary", {}, "Numbers"), table(columns, rows, title)) : null);
  }

  // Names with their colours; a dashed one stands for floors.
  function legend(names, { dashed = "", hollow = [] } = {}) {
    const key = (name) => el("span", { class: "key" },
      el("span", { class: hollow.includes(name) ? "swatch hollow" : "swatch", style: `--swatch: ${colour(name, names)}` }), name);
    return el("p", { class: "legend" }, names.map(key),
      dashed ? el("span", { class: "key" }, el("span", { class: "swatch dashed" }), dashed) : null);
  }

  // Panels of a page, so many at once, with links to the others.
  function panels(items, drawOne, nothing) {
    if (!items.length) return el("p", { class: "empty" }, nothing);
    const now = state.read();
    const last = Math.ceil(items.length / PANELS);
    const page = Math.min(now.page, last);
    const shown = items.slice((page - 1) * PANELS, page * PANELS);
    return el("div", {},
      el("div", { class: "panels" }, shown.map(drawOne)),
      last > 1 ? pager(page, last, `${Report.format.plural(items.length, "figure")}`) : null);
  }

  function pager(page, last, what) {
    const to = (target, text, focus) => (target < 1 || target > last || target === page
      ? el("span", { class: "button off", "aria-disabled": "true" }, text)
      : el("a", { class: "button", href: state.link({ page: target }), "data-focus": focus }, text));
    return el("nav", { class: "pager", "aria-label": "Pages" },
      to(1, "First", "first"), to(page - 1, "Previous", "previous"),
      el("span", {}, `page ${page} of ${last}, ${what}`),
      to(page + 1, "Next", "next"), to(last, "Last", "last"));
  }

  // Things with one key together, in the order in which keys come first.
  function grouped(items, keyOf) {
    const groups = new Map();
    for (const item of items) {
      const key = keyOf(item);
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(item);
    }
    return [...groups.values()];
  }

  return { WHISKERS, colour, ordered, width, draw, figure, legend, panels, pager, grouped };
})();
