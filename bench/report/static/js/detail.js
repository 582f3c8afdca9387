"use strict";
// What a row of the table opens: its blocks by launch as a figure, its launches, changes, throughputs and floors.
Report.detail = (() => {
  const { el, table } = Report.dom;
  const { quantity, percent, minute, interval, scaleOf, digits } = Report.format;
  const { charts } = Report;
  const ROW_HEIGHT = 22; // of one launch in the figure
  const MOST_LAUNCHES = 40; // drawn; all are in the table

  function median(values) {
    const ordered = [...values].sort((a, b) => a - b);
    const middle = ordered.length >> 1;
    return ordered.length % 2 ? ordered[middle] : (ordered[middle - 1] + ordered[middle]) / 2;
  }

  function build(row) {
    const launches = row.data.launches || [];
    const { scenario } = row;
    return el("div", { class: "detail" },
      el("h3", {}, el("code", {}, scenario.id), row.arm ? ` ${row.arm}` : ""),
      scenario.why ? el("p", {}, el("strong", {}, `${scenario.verdict}: `), scenario.why) : null,
      scenario.where ? el("p", {}, `where: ${scenario.where}`) : null,
      facts(row),
      launches.some((one) => one.samples.length) ? blocks(row, launches) : el("p", { class: "aside" }, "No blocks are kept of this row."),
      launches.length ? launchTable(row, launches) : null,
      (scenario.changes || []).length ? changeTable(scenario.changes) : null);
  }

  function facts(row) {
    const { metric, data } = row;
    const pairs = [
      [metric.label, metric.formula],
      ...Object.entries(data.rates || {}).map(([name, value]) => [REPORT_DATA.metrics[name].label, quantity(value, REPORT_DATA.metrics[name].unit)]),
      ["floor", data.floor === undefined ? "" : `${percent(data.floor)} of its time is the least that this machine's peaks allow`],
      ["MFU, MBU", data.mfu === undefined ? "" : `${percent(data.mfu)} of the matmul peak, ${percent(data.mbu)} of the read peak`],
      [row.metric.unit === "1" ? "lead over MoE" : "over MoE", interval(data.ratio, metric.unit)],
      ["other axes", row.other],
      ["layers", row.scenario.depth ? `${row.scenario.depth} of the model's, not all` : ""],
      ["from", `${row.source}, ${row.machine}`],
    ].filter(([, said]) => said);
    return el("dl", {}, pairs.flatMap(([name, said]) => [el("dt", {}, name || "metric"), el("dd", {}, said)]));
  }

  // A dot a block, a line a launch, the launch's median as a bar.
  function blocks(row, launches) {
    const { factor, shown } = scaleOf(row.value || 1, row.metric.unit);
    const named = launches.map((one) => ({ ...one, name: one.side ? `${one.side} ${one.id}` : one.id })).slice(0, MOST_LAUNCHES);
    const points = named.flatMap((one) => one.samples.map((value, index) => ({ launch: one.name, value: value * factor, index })));
    const medians = named.filter((one) => one.samples.length).map((one) => ({ launch: one.name, value: median(one.samples) * factor }));
    const drawn = charts.draw(`Blocks of ${row.scenario.id} ${row.arm} by launch`, {
      width: charts.width(760), height: 65 + ROW_HEIGHT * named.length, marginLeft: 130, marginRight: 20, marginBottom: 42,
      x: { label: `${row.metric.label || "value"}, ${shown}`, labelOffset: 38, grid: true, nice: true },
      y: { domain: named.map((one) => one.name), label: null, tickFormat: (name) => name.slice(0, 18) },
      marks: [
        Plot.dot(points, { x: "value", y: "launch", r: 2.5, stroke: "var(--c1)", strokeOpacity: 0.6 }),
        Plot.tickX(medians, { x: "value", y: "launch", stroke: "var(--ink)", strokeWidth: 2.5 }),
        Plot.tip(points, Plot.pointer({ x: "value", y: "launch", title: (one) => `block ${one.index + 1} of ${one.launch}\n${digits(one.value)} ${shown}` })),
      ],
    });
    const left = launches.length - named.length;
    const caption = `A dot is a block, a bar the launch's median.${left ? ` ${left} more launches are in the table below.` : ""}`;
    return charts.figure("Blocks by launch", drawn, { caption });
  }

  function launchTable(row, launches) {
    const started = REPORT_DATA.sources[row.scenario.source].launches || {};
    const rows = launches.map((one) => [
      one.side ? `${one.side} ${one.id}` : one.id,
      minute(started[one.id] || ""),
      String(one.samples.length),
      String(one.voided || 0),
      one.samples.length ? quantity(median(one.samples), row.metric.unit) : "",
      one.samples.length ? quantity(Math.min(...one.samples), row.metric.unit) : "",
      one.samples.length ? quantity(Math.max(...one.samples), row.metric.unit) : "",
    ]);
    return table(["launch", "started", "#blocks", "#voided", "#median", "#least", "#greatest"], rows, "Launches");
  }

  function changeTable(changes) {
    const rows = changes.map((one) => [one.control, one.said, one.bound, one.verdict]);
    return table(["control", "#change, above 0 is worse", "#limit", "verdict"], rows, "Changes against the other side");
  }

  return { build };
})();
