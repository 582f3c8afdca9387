"use strict";
// The page: which view is shown, drawn anew for every state, with what had the focus keeping it.
Report.main = (() => {
  const { el } = Report.dom;
  const { state } = Report;
  const VIEWS = {
    table: ["Table", (now) => Report.table.build(now), () => REPORT_DATA.scenarios.length],
    speedup: ["Speed-up", (now) => Report.speedup.build(now), () => REPORT_DATA.speedups.length],
    memory: ["Memory", (now) => Report.bars.memory(now), () => REPORT_DATA.scenarios.filter((one) => (REPORT_DATA.metrics[one.metric] || {}).unit === "byte").length],
    layers: ["Layers", (now) => Report.bars.layers(now), () => REPORT_DATA.layers.length],
    front: ["Front", (now) => Report.front.build(now), () => REPORT_DATA.fronts.length],
    history: ["History", (now) => Report.history.build(now), () => REPORT_DATA.history.length],
  };

  function views(now) {
    return Object.entries(VIEWS).map(([name, [title, , count]]) => el("a", {
      href: state.link({ view: name, page: 1, open: [] }), "aria-current": now.view === name ? "page" : null, "data-focus": `view-${name}`,
      class: count() ? null : "nothing",
    }, title));
  }

  function tally() {
    const counts = new Map();
    for (const one of REPORT_DATA.scenarios) if (one.verdict) counts.set(one.verdict, (counts.get(one.verdict) || 0) + 1);
    const order = [...counts].sort((a, b) => REPORT_DATA.verdicts.indexOf(b[0]) - REPORT_DATA.verdicts.indexOf(a[0]));
    return order.map(([verdict, count]) => el("a", {
      class: `verdict ${verdict.toLowerCase()}`, href: state.link({ view: "table", filters: { verdict: [verdict] }, page: 1, q: "" }),
    }, `${count} ${verdict}`));
  }

  function render() {
    const now = state.read();
    const focused = document.activeElement?.dataset?.focus;
    const scrolled = document.querySelector(".main-table")?.scrollLeft || 0;
    document.getElementById("views").replaceChildren(...views(now));
    Report.filters.sync(document.getElementById("filters"), now);
    const [, build] = VIEWS[now.view] || [];
    const nowhere = el("p", { class: "empty" }, `There is no view ${now.view}; choose one above.`);
    document.getElementById("main").replaceChildren(build ? build(now) : nowhere);
    if (scrolled) document.querySelector(".main-table")?.scrollTo({ left: scrolled });
    if (focused) document.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  function start() {
    if (!window.REPORT_DATA) {
      const broken = document.getElementById("broken");
      broken.textContent = "data.js is missing beside this page, or broken: copy the whole folder.";
      broken.hidden = false;
      return;
    }
    Report.filters.build(document.getElementById("filters"));
    document.getElementById("summary").append(" ", ...tally());
    for (const event of ["statechange", "hashchange"]) window.addEventListener(event, render);
    let width = window.innerWidth;
    window.addEventListener("resize", () => {
      if (window.innerWidth !== width) render(); // a phone's address bar changes the height alone
      width = window.innerWidth;
    });
    render();
    document.documentElement.dataset.ready = "true";
  }

  return { start };
})();
Report.main.start();
