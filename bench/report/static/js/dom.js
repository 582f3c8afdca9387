"use strict";
// Elements from plain values. Strings become text nodes and nothing else: every one of them is of a record.
Report.dom = (() => {
  function el(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (value === true) made.setAttribute(key, "");
      else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
    }
    made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  }

  // A commit, linked where the repository has a web address.
  function commit(sha) {
    const short = /^[0-9a-f]{7,64}$/.test(sha) ? sha.slice(0, 10) : sha;
    const code = el("code", {}, short);
    if (!REPORT_DATA.repository || short === sha) return code;
    return el("a", { href: `${REPORT_DATA.repository}/commit/${sha}`, rel: "noreferrer" }, code);
  }

  // A small table of texts and elements; columns that begin with "#" hold numbers.
  function table(columns, rows, caption) {
    const isNumber = columns.map((column) => column.startsWith("#"));
    const cell = (name, value, i) => el(name, { class: isNumber[i] ? "number" : null }, value);
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      el("table", { class: "small" },
        el("caption", {}, caption),
        el("thead", {}, el("tr", {}, columns.map((c, i) => cell("th", c.replace("#", ""), i)))),
        el("tbody", {}, rows.map((row) => el("tr", {}, row.map((value, i) => cell("td", value, i)))))));
  }

  return { el, commit, table };
})();
