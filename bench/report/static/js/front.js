"use strict";
// Accuracy against throughput: a panel a task, intervals on both axes, the front as a staircase, each point with its words.
Report.front = (() => {
  const { el } = Report.dom;
  const { fixed, quantity } = Report.format;
  const { charts } = Report;
  const SYMBOLS = { dense: "square", moe: "circle", smoes: "star", ablation: "triangle" };
  const KINDS = { dense: "dense", moe: "MoE", smoes: "SMoES", ablation: "ablation" };

  function build(now) {
    const words = now.q.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = now.filters.source || [];
    const found = REPORT_DATA.fronts.filter((one) => (!wanted.length || wanted.includes(one.file))
      && words.every((word) => `${one.file} ${one.tier} ${one.title} ${one.points.map((point) => point.name).join(" ")}`.toLowerCase().includes(word)));
    return el("section", { "aria-label": "Accuracy against throughput" },
      el("p", { class: "aside" }, "Whiskers are 95 % intervals on both axes. The staircase joins the models that none beats on both axes, "
        + "by their estimates; hollow points are behind it, or of one seed; a dashed ring marks a model of which some seeds never began to look. A predicted throughput is a floor, and is never ranked with a measured one."),
      charts.panels(found, panel, "No front document is among the sources, or none passes these filters."));
  }

  function size(parameters) {
    return parameters >= 1e9 ? `${fixed(parameters / 1e9, 1)} B` : `${fixed(parameters / 1e6, 2)} M`;
  }

  function seeds(point) {
    return `${point.seeds ?? 1}${point.unfinished ? `, ${point.unfinished} unfinished` : ""}`;
  }

  function staircase(front, left) {
    const points = [];
    let from = left;
    for (const [rate, accuracy] of front) {
      points.push({ rate: from, accuracy }, { rate, accuracy });
      from = rate;
    }
    return points;
  }

  function panel(front) {
    const series = [...new Set(front.points.map((point) => point.series))];
    const colourOf = (name) => `var(--c${series.indexOf(name) % 8 + 1})`;
    const left = Math.min(...front.points.map((point) => point.rate[1] ?? point.rate[0]));
    const onFront = (point) => point.standing === "on the front";
    const title = (point) => [
      point.name, `accuracy ${fixed(100 * point.accuracy[0], 1)} % [${fixed(100 * point.accuracy[1], 1)}, ${fixed(100 * point.accuracy[2], 1)}]`,
      `${quantity(point.rate[0], "req/s")}, ${point.basis}`, `${size(point.num_parameters)} parameters, ${size(point.num_active_parameters)} active`,
      `${point.standing}${point.rival ? `, behind ${point.rival}` : ""}`, `seeds: ${seeds(point)}`, point.source || "",
    ].filter(Boolean).join("\n");
    const drawn = charts.draw(`Accuracy against throughput: ${front.title}`, {
      width: charts.width(620), height: 350, marginLeft: 45, marginRight: 25, marginBottom: 42,
      x: { type: "log", label: "requests a second", labelOffset: 38, grid: true, tickFormat: ",", ticks: 5 }, y: { label: "accuracy, %", grid: true, nice: true },
      marks: [
        front.blind ? Plot.ruleY([100 * front.blind], { stroke: "var(--aside)", strokeDasharray: "2 3" }) : null,
        ...front.fronts.map((one) => Plot.line(staircase(one, left), { x: "rate", y: (step) => 100 * step.accuracy, stroke: "var(--ink)", strokeDasharray: "5 3" })),
        Plot.ruleX(front.points, { x: (p) => p.rate[0], y1: (p) => 100 * p.accuracy[1], y2: (p) => 100 * p.accuracy[2], stroke: (p) => colourOf(p.series), strokeOpacity: 0.55 }),
        Plot.ruleY(front.points.filter((p) => p.rate[1] !== null), { y: (p) => 100 * p.accuracy[0], x1: (p) => p.rate[1], x2: (p) => p.rate[2], stroke: (p) => colourOf(p.series), strokeOpacity: 0.55 }),
        Plot.dot(front.points, { x: (p) => p.rate[0], y: (p) => 100 * p.accuracy[0], symbol: (p) => SYMBOLS[p.kind], stroke: (p) => colourOf(p.series), fill: (p) => (onFront(p) ? colourOf(p.series) : "var(--paper)"), r: 5, strokeWidth: 1.8 }),
        Plot.dot(front.points.filter((p) => p.unfinished), { x: (p) => p.rate[0], y: (p) => 100 * p.accuracy[0], stroke: "var(--ink)", strokeDasharray: "2 2", r: 9 }),
        Plot.tip(front.points, Plot.pointer({ x: (p) => p.rate[0], y: (p) => 100 * p.accuracy[0], title, lineWidth: 28 })),
      ].filter(Boolean),
      symbol: { type: "identity" },
    });
    const key = (name) => el("span", { class: "key" }, el("span", { class: "swatch", style: `--swatch: ${colourOf(name)}` }), name);
    const kinds = [...new Set(front.points.map((point) => point.kind))];
    const marks = { square: "■", circle: "●", star: "★", triangle: "▲" };
    const legend = el("p", { class: "legend" }, series.map(key), kinds.map((kind) => el("span", { class: "key" }, `${marks[SYMBOLS[kind]]} ${KINDS[kind]}`)),
      front.blind ? el("span", { class: "key" }, `dotted: without sight ${fixed(100 * front.blind, 0)} %`) : null);
    return charts.figure(`${front.title}, ${front.tier}`, drawn, {
      legend, caption: [front.file, front.machine, front.workload].filter(Boolean).join("; "),
      columns: ["model", "kind", "#parameters", "#active", "#accuracy, %", "seeds", "#requests/s", "throughput", "standing"],
      rows: front.points.map((p) => [p.name, KINDS[p.kind], size(p.num_parameters), size(p.num_active_parameters), fixed(100 * p.accuracy[0], 1), seeds(p), quantity(p.rate[0], "req/s"), p.basis, p.standing]),
    });
  }

  return { build };
})();
