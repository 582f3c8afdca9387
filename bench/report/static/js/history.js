"use strict";
// History by commit: promotions and tracked runs in the order of their dates, with marks where something stepped, and why.
Report.history = (() => {
  const { el, table, commit } = Report.dom;
  const { fixed, minute } = Report.format;
  const { charts } = Report;

  function passes(one, now) {
    const words = now.q.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = now.filters.benchmark || [];
    return words.every((word) => `${one.scenario} ${one.machine}`.toLowerCase().includes(word))
      && (!wanted.length || wanted.includes(one.scenario.split("[")[0]))
      && ["scale", "workload", "routing"].every((axis) => !(now.filters[axis] || []).length || now.filters[axis].some((value) => one.scenario.includes(value)))
      && (!(now.filters.batch || []).length || now.filters.batch.some((value) => new RegExp(`-b${value}(-|\\])`).test(one.scenario)))
      && (!(now.filters.length || []).length || now.filters.length.some((value) => one.scenario.includes(`-s${value}`)));
  }

  function reach(one) {
    const values = one.points.map((point) => point.value[0]);
    return Math.log(Math.max(...values) / Math.min(...values));
  }

  function build(now) {
    const found = REPORT_DATA.history.filter((one) => passes(one, now)).sort((a, b) => reach(b) - reach(a));
    return el("section", { "aria-label": "History by commit" },
      el("p", { class: "aside" }, "What moved most comes first. Diamonds are promoted baselines, dots runs that CI tracked, in the order of their "
        + "dates; whiskers are 95 % intervals, of a promotion over its launches. Vertical marks: a promotion, other work, or a step of the runs "
        + "(Pettitt's test, p below 0.01 for one series: a mark, no verdict). MoE / dense: above the last is slower."),
      charts.panels(found, panel, "No baseline's or tracked run's scenario passes these filters."));
  }

  function panel(series) {
    const points = series.points.map((point, index) => ({ ...point, index }));
    const marked = (series.steps || []).map((step, number) => ({ ...step, x: step.index - 0.5, number: String(number + 1) }));
    const ticks = points.length > 8 ? points.filter((_, index) => index % Math.ceil(points.length / 6) === 0) : points;
    const label = (index) => (points[index] ? points[index].date.slice(5, 10) : "");
    const title = (point) => [minute(point.date), point.commit.slice(0, 10), `${series.control} ${fixed(point.value[0], 3)}`, point.moe && `MoE ${point.moe}`, point.dense && `dense ${point.dense}`, point.why].filter(Boolean).join("\n");
    const isPromoted = (point) => point.kind === "promoted";
    const bounded = points.filter((point) => point.value[1] !== null);
    const drawn = charts.draw(`History of ${series.scenario}`, {
      width: charts.width(580), height: 235, marginLeft: 50, marginRight: 30, marginTop: 30, marginBottom: 42,
      x: { label: `month and day, from ${points[0].date.slice(0, 4)}`, labelOffset: 38, domain: [-0.5, points.length - 0.5], ticks: ticks.map((point) => point.index), tickFormat: label },
      y: { label: series.control, grid: true, nice: true },
      marks: [
        Plot.ruleX(marked, { x: "x", stroke: (step) => (step.what === "step" ? "var(--worse)" : "var(--aside)"), strokeDasharray: (step) => (step.what === "other work" ? "2 3" : null), strokeOpacity: 0.7 }),
        Plot.text(marked, { x: "x", frameAnchor: "top", dy: -9, text: "number", fill: "var(--aside)" }),
        Plot.line(points, { x: "index", y: (point) => point.value[0], stroke: "var(--c1)", strokeOpacity: 0.6 }),
        Plot.ruleX(bounded, { x: "index", y1: (point) => point.value[1], y2: (point) => point.value[2], stroke: "var(--c1)" }),
        Plot.dot(points, { x: "index", y: (point) => point.value[0], symbol: (point) => (isPromoted(point) ? "diamond" : "circle"), r: (point) => (isPromoted(point) ? 5 : 3), fill: "var(--c1)" }),
        Plot.tip(points, Plot.pointer({ x: "index", y: (point) => point.value[0], title, lineWidth: 30 })),
      ],
      symbol: { type: "identity" }, r: { type: "identity" },
    });
    const rows = points.map((point) => [
      commit(point.commit), minute(point.date), isPromoted(point) ? "promoted" : "run", fixed(point.value[0], 3), point.moe, point.dense || "",
      point.change || "", point.why || "",
    ]);
    const found = charts.figure(series.scenario, drawn, {
      caption: series.machine, columns: ["commit", "date", "", `#${series.control}`, "#MoE", "#dense", "#change", "why"], rows,
    });
    if (marked.length) {
      const line = (step) => el("li", {}, commit(points[step.index].commit), ` ${step.what}: ${step.why}`);
      const told = el("details", {}, el("summary", {}, Report.format.plural(marked.length, "mark"), ", and why"), el("ol", { class: "steps" }, marked.map(line)));
      found.querySelector("details").before(told);
    }
    return found;
  }

  return { build, table };
})();
