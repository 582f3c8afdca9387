"use strict";
// How many times the MoE's time each other arm takes, over the batch: measured with intervals, floors dashed, peers hollow.
Report.speedup = (() => {
  const { el } = Report.dom;
  const { interval, fixed } = Report.format;
  const { charts } = Report;
  const APART = 7; // pixels between arms at one batch, so that whiskers do not hide each other

  function passes(one, now) {
    const seen = {
      benchmark: one.benchmark, scale: one.axes.scale, workload: one.axes.workload, routing: one.axes.routing,
      batch: String(one.batch), length: one.axes.seq_len, arm: one.against, machine: one.machine,
      source: one.source < 0 ? null : REPORT_DATA.sources[one.source].file,
    };
    const words = now.q.toLowerCase().split(/\s+/).filter(Boolean);
    const text = Object.values(seen).join(" ").toLowerCase();
    return words.every((word) => text.includes(word))
      && Object.entries(now.filters).every(([axis, wanted]) => !(axis in seen) || seen[axis] === null || wanted.includes(String(seen[axis])));
  }

  function build(now) {
    const found = REPORT_DATA.speedups.filter((one) => passes(one, now));
    const sourceOf = (one) => (one.source < 0 ? "" : one.source);
    const groups = charts.grouped(found, (one) => JSON.stringify([one.machine, one.benchmark, one.axes, sourceOf(one), Boolean(one.depths)]));
    groups.sort((a, b) => batches(b).length - batches(a).length);
    return el("section", { "aria-label": "Speed-up over batch" },
      el("p", { class: "aside" }, `The arm's time over the MoE's; above 1 the MoE is faster. ${charts.WHISKERS} Dashes: the same `
        + "of the floors, the least times that this machine's peaks allow. Hollow: another project's code. "
        + "Extrapolated: a whole model, from slices of so many layers."),
      charts.panels(groups, panel, "No scenario with a batch and another arm passes these filters."));
  }

  function batches(group) {
    return [...new Set(group.map((one) => one.batch))].sort((a, b) => a - b);
  }

  function panel(group) {
    const arms = charts.ordered(group.map((one) => one.against));
    const domain = batches(group);
    const [first] = group;
    const title = `${first.benchmark.replace(/^bench_/, "")} ${Object.values(first.axes).join(" · ")}`;
    const hollow = [...new Set(group.filter((one) => one.is_peer).map((one) => one.against))];
    const hasFloors = group.some((one) => one.floors && !one.is_peer);
    const drawn = charts.draw(`Speed-up over batch: ${title}`, {
      width: charts.width(580), height: 260, marginLeft: 45, marginBottom: 42,
      x: { type: "point", domain, label: "batch, requests", labelOffset: 38, padding: 0.4 },
      y: { label: "times the MoE's time", grid: true, nice: true, zero: true },
      marks: [Plot.ruleY([1], { stroke: "var(--aside)" }), ...arms.flatMap((arm, index) => marks(group.filter((one) => one.against === arm), arms, index)), tips(group)],
    });
    const columns = ["arm", "#batch", "#times the MoE's time [95 %]", "#of the floors", "layers measured"];
    const rows = group.map((one) => [one.against, String(one.batch), interval(one.ratio, "s"), one.floors ? `${fixed(one.floors, 2)}x` : "", (one.depths || []).join(", ") || "all"]);
    const from = first.source < 0 ? `${first.machine}; extrapolated from ${first.depths.join(", ")} layers` : `${first.machine}; ${REPORT_DATA.sources[first.source].file}`;
    return charts.figure(title, drawn, { legend: charts.legend(arms, { dashed: hasFloors ? "of the floors" : "", hollow }), caption: from, columns, rows });
  }

  function marks(points, arms, index) {
    const ordered = [...points].sort((a, b) => a.batch - b.batch);
    const stroke = charts.colour(arms[index], arms);
    const dx = (index - (arms.length - 1) / 2) * APART;
    const floors = ordered.filter((one) => one.floors && !one.is_peer); // another project's code does the MoE's own work
    return [
      Plot.line(floors, { x: "batch", y: "floors", stroke, strokeDasharray: "4 3", dx }),
      Plot.dot(floors, { x: "batch", y: "floors", stroke, symbol: "times", r: 3, dx }),
      Plot.line(ordered, { x: "batch", y: (one) => one.ratio[0], stroke, dx }),
      Plot.ruleX(ordered.filter((one) => one.ratio[1] !== null), { x: "batch", y1: (one) => one.ratio[1], y2: (one) => one.ratio[2], stroke, strokeWidth: 1.5, dx }),
      Plot.dot(ordered, { x: "batch", y: (one) => one.ratio[0], stroke, fill: ordered.some((one) => one.is_peer) ? "var(--paper)" : stroke, r: 4, dx }),
    ];
  }

  function tips(group) {
    const title = (one) => `${one.against}, batch ${one.batch}\n${interval(one.ratio, "s")}${one.floors ? `\nof the floors ${fixed(one.floors, 2)}x` : ""}`;
    return Plot.tip(group, Plot.pointer({ x: "batch", y: (one) => one.ratio[0], title }));
  }

  return { build, passes };
})();
