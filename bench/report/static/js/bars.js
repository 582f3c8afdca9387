"use strict";
// Bars: memory by arm, and the parts of a decoder layer.
Report.bars = (() => {
  const { el } = Report.dom;
  const { quantity, scaleOf, digits, percent } = Report.format;
  const { model, charts } = Report;
  const PARTS = ["attention", "norms", "router", "experts", "ffn"];
  const BAR = 30; // pixels of a bar with its gap

  function memory(now) {
    const rows = model.passing(now).shown.filter((row) => row.metric.unit === "byte" && row.value !== null);
    const groups = charts.grouped(rows, (row) => JSON.stringify([row.source, row.benchmark, row.scale, row.workload, row.other]));
    return el("section", { "aria-label": "Memory" },
      el("p", { class: "aside" }, "Bytes that were allocated, weights included: counted, not timed, so there are no whiskers."),
      charts.panels(groups, memoryPanel, "No scenario whose bytes are counted passes these filters."));
  }

  function memoryPanel(group) {
    const most = Math.max(...group.map((row) => row.value));
    const { factor, shown } = scaleOf(most, "byte");
    const [first] = group;
    const axes = [first.scale, first.workload, first.other].filter(Boolean).join(" · ");
    const title = `${first.benchmark.replace(/^bench_/, "").replace("_", " ")} ${axes}`;
    const arms = [...new Set(group.map((row) => row.arm))];
    const nameOf = (row) => [row.arm, row.batch === "" ? "" : `b${row.batch}`, row.length === "" ? "" : `s${row.length}`, row.routing].filter(Boolean).join(" ");
    const drawn = charts.draw(`Memory: ${title}`, {
      width: charts.width(560), height: 65 + BAR * new Set(group.map(nameOf)).size, marginLeft: 150, marginRight: 70, marginBottom: 42,
      x: { label: `${first.metric.label}, ${shown}`, labelOffset: 38, grid: true, zero: true }, y: { label: null, domain: [...new Set(group.map(nameOf))] },
      marks: [
        Plot.barX(group, { x: (row) => row.value * factor, y: nameOf, fill: (row) => charts.colour(row.arm, arms), insetTop: 2, insetBottom: 2 }),
        Plot.text(group, { x: (row) => row.value * factor, y: nameOf, text: (row) => quantity(row.value, "byte"), textAnchor: "start", dx: 4, fill: "var(--ink)" }),
        Plot.ruleX([0], { stroke: "var(--aside)" }),
      ],
    });
    return charts.figure(title, drawn, {
      caption: `${first.machine}; ${first.source}`,
      columns: ["arm", "#batch", "#length", `#${first.metric.label}`],
      rows: group.map((row) => [row.arm, row.batch, row.length, quantity(row.value, "byte")]),
    });
  }

  function layers(now) {
    const found = REPORT_DATA.layers.filter((one) => layerPasses(one, now));
    const groups = charts.grouped(found, (one) => JSON.stringify([one.source, one.scale, one.phase, one.batch, one.length]));
    return el("section", { "aria-label": "Layers" },
      el("p", { class: "aside" }, "One decoder layer: bars are the medians of its parts, each measured apart; the dot is the layer "
        + "measured whole, its whisker the 95 % interval over blocks. Parts need not add up to the whole."),
      charts.panels(groups, layerPanel, "No scenario of bench_layers passes these filters."));
  }

  function layerPasses(one, now) {
    const seen = {
      benchmark: "bench_layers", scale: one.scale.split(",")[0], routing: one.routing, batch: String(one.batch), length: one.length,
      arm: one.arm, machine: REPORT_DATA.sources[one.source].machine, source: REPORT_DATA.sources[one.source].file,
    };
    const fitsScale = (wanted) => wanted.some((scale) => scale.split("@")[0] === seen.scale);
    return now.q.toLowerCase().split(/\s+/).filter(Boolean).every((word) => `${one.scenario} ${one.arm}`.toLowerCase().includes(word))
      && Object.entries(now.filters).every(([axis, wanted]) => !(axis in seen) || (axis === "scale" ? fitsScale(wanted) : wanted.includes(seen[axis])));
  }

  function layerPanel(group) {
    const [first] = group;
    const { factor, shown } = scaleOf(Math.max(...group.map((one) => one.layer[0])), "s");
    const title = `${first.phase} ${first.scale} · batch ${first.batch} · ${first.length}`;
    const nameOf = (one) => `${one.arm} ${one.routing}`;
    const domain = [...new Set(group.map(nameOf))];
    const parts = group.flatMap((one) => one.parts.map((part) => ({ ...part, name: nameOf(one) })));
    const known = PARTS.filter((name) => parts.some((part) => part.part === name));
    const colourOf = (part) => `var(--p${PARTS.indexOf(part) + 1})`;
    const drawn = charts.draw(`Layers: ${title}`, {
      width: charts.width(620), height: 65 + BAR * domain.length, marginLeft: 150, marginRight: 20, marginBottom: 42,
      x: { label: `one layer, ${shown}`, labelOffset: 38, grid: true, zero: true }, y: { label: null, domain },
      marks: [
        Plot.barX(parts, { x: (part) => part.seconds * factor, y: "name", fill: (part) => colourOf(part.part), order: null, insetTop: 3, insetBottom: 3 }),
        Plot.ruleY(group.filter((one) => one.layer[1] !== null), { x1: (one) => one.layer[1] * factor, x2: (one) => one.layer[2] * factor, y: nameOf, stroke: "var(--ink)", strokeWidth: 1.5 }),
        Plot.dot(group, { x: (one) => one.layer[0] * factor, y: nameOf, fill: "var(--ink)", r: 3.5 }),
        Plot.tip(parts, Plot.pointer(Plot.stackX({ x: (part) => part.seconds * factor, y: "name", title: (part) => `${part.name}: ${part.part}\n${quantity(part.seconds, "s")}${part.floor ? `\nfloor ${percent(part.floor)} of it` : ""}` }))),
      ],
    });
    const swatch = (name) => el("span", { class: "key" }, el("span", { class: "swatch", style: `--swatch: ${colourOf(name)}` }), name);
    return charts.figure(title, drawn, {
      legend: el("p", { class: "legend" }, known.map(swatch)), caption: REPORT_DATA.sources[first.source].file,
      columns: ["arm and routing", "#layer", ...known.map((name) => `#${name}`)],
      rows: group.map((one) => [nameOf(one), quantity(one.layer[0], "s"), ...known.map((name) => quantity((one.parts.find((part) => part.part === name) || {}).seconds, "s"))]),
    });
  }

  return { memory, layers, digits };
})();
