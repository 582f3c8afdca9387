"use strict";
// The table of rows: sorted by any column, a page at a time, each row opening its detail.
Report.table = (() => {
  const { el } = Report.dom;
  const { quantity, interval, percent, plural } = Report.format;
  const { state, model, charts } = Report;
  const PAGE = 50; // rows of a page
  const COLUMNS = [ // name, heading, what a cell shows; those with a unit stand right
    ["benchmark", "benchmark", (row) => broken(row.benchmark.replace(/^bench_/, ""), /(?<=_)/)],
    ["scale", "scale", (row) => row.scale],
    ["workload", "workload", (row) => row.workload],
    ["routing", "routing", (row) => row.routing],
    ["batch", "batch", (row) => row.batch, "number"],
    ["length", "length", (row) => row.length, "number"],
    ["other", "other axes", (row) => broken(row.other, /(?<=,)/)],
    ["arm", "arm", (row) => broken(row.arm, /(?<=\/)/)],
    ["rank", "verdict", (row) => verdict(row.verdict)],
    ["value", "value", (row) => quantity(row.value, row.metric.unit), "number"],
    ["rate", "throughput", (row) => quantity(row.rate, row.rateUnit), "number"],
    ["ratio", "over MoE [95\u00a0%]", (row) => interval(row.data.ratio, row.metric.unit), "number"],
    ["floor", "floor", (row) => percent(row.floor), "number"],
    ["moved", "change [limit]", (row) => broken(row.change.replace(/ (?=%|points)/g, "\u00a0"), /(?=\[)/), "number"],
  ];
  const LEGEND = "over MoE: the arm's value over the MoE's, above 1 the MoE is better; of an accuracy its lead in points. "
    + "floor: the least time that the machine's peaks allow, as a share of the time measured. "
    + "change: against the baseline or base, above 0 is worse.";

  // A name that may go on in the next line behind what parts its words.
  function broken(name, between) {
    return name ? el("span", {}, name.split(between).flatMap((part, i) => (i ? [el("wbr"), part] : [part]))) : "";
  }

  function verdict(said) {
    return said ? el("span", { class: `verdict ${said.toLowerCase()}` }, said) : "";
  }

  function build(now) {
    const { shown, numHidden } = model.passing(now);
    const list = model.sorted(shown, now.sort);
    const last = Math.max(1, Math.ceil(list.length / PAGE));
    const page = Math.min(now.page, last);
    const columns = COLUMNS.filter(([name]) => list.some((row) => row[name] !== "" && row[name] !== null && row[name] !== -1));
    const here = list.slice((page - 1) * PAGE, page * PAGE);
    return el("section", { "aria-label": "Table" },
      el("p", { id: "count", role: "status" }, `${plural(list.length, "row")} of ${model.all().length.toLocaleString("en-US")}`,
        numHidden ? el("span", { class: "aside" }, `; ${plural(numHidden, "row")} of parts and anchors hidden `,
          el("a", { href: state.link({ all: true }), "data-focus": "show-all" }, "show them")) : null),
      list.length > 1 ? sorter(columns, now) : null,
      list.length ? el("div", { class: "scroll main-table", role: "region", tabindex: "0", "aria-label": "Rows" },
        el("table", { id: "rows" }, head(columns, now), el("tbody", {}, here.flatMap((row) => lines(row, columns, now)))))
        : el("p", { class: "empty" }, "No row passes these filters. ", el("a", { href: state.link({ filters: {}, q: "", page: 1 }) }, "Clear them")),
      last > 1 ? charts.pager(page, last, plural(list.length, "row")) : null,
      el("p", { class: "aside" }, LEGEND));
  }

  function head(columns, now) {
    const sorted = now.sort.replace(/^-/, "");
    const isDown = now.sort.startsWith("-");
    return el("thead", {}, el("tr", {}, el("th", {}, el("span", { class: "unseen" }, "open")), columns.map(([name, heading, , kind]) => {
      const next = sorted !== name ? name : isDown ? "" : `-${name}`;
      const mark = sorted !== name ? "" : isDown ? " ▼" : " ▲";
      return el("th", { class: kind || null, "aria-sort": sorted !== name ? null : isDown ? "descending" : "ascending" },
        el("button", { type: "button", "data-focus": `sort-${name}`, onclick: () => state.change({ sort: next, page: 1 }) }, heading + mark));
    })));
  }

  // Where there is no room for headings: a phone.
  function sorter(columns, now) {
    const options = columns.flatMap(([name, heading]) => [[name, `${heading} ▲`], [`-${name}`, `${heading} ▼`]]);
    return el("label", { class: "sorter" }, "Sort ", el("select", { "data-focus": "sorter", onchange: (event) => state.change({ sort: event.target.value, page: 1 }) },
      [["", "as measured"], ...options].map(([value, text]) => el("option", { value, selected: value === now.sort }, text))));
  }

  function lines(row, columns, now) {
    const isOpen = now.open.includes(row.key);
    const toggle = () => state.change({ open: isOpen ? now.open.filter((key) => key !== row.key) : [...now.open, row.key] });
    const label = `${isOpen ? "Close" : "Open"} ${row.scenario.id} ${row.arm}`;
    const line = el("tr", { class: isOpen ? "open" : null, "data-key": row.key },
      el("td", { class: "opens" }, el("button", {
        type: "button", "aria-expanded": String(isOpen), "aria-label": label, "data-focus": `open-${row.key}`, onclick: toggle,
      }, isOpen ? "−" : "+")),
      columns.map(([name, heading, show, kind]) => {
        const said = show(row);
        return el("td", { class: kind || null, "data-name": name, "data-label": heading, "data-empty": said === "" }, said);
      }));
    if (!isOpen) return [line];
    return [line, el("tr", { class: "opened" }, el("td", { colspan: columns.length + 1 }, Report.detail.build(row)))];
  }

  return { build };
})();
