"use strict";
// Rows of the table, one an arm of a scenario, and which of them a state lets through, in which order.
Report.model = (() => {
  const SHOWN_AXES = { scale: "scale", workload: "workload", routing: "routing", batch: "batch_size", length: "seq_len" };
  const NATURAL = new Intl.Collator("en", { numeric: true });
  let rows = null;

  function all() {
    rows ||= REPORT_DATA.scenarios.flatMap((scenario) => rowsOf(scenario));
    return rows;
  }

  function rowsOf(scenario) {
    const source = REPORT_DATA.sources[scenario.source];
    const metric = REPORT_DATA.metrics[scenario.metric] || { unit: "", label: "" };
    const axes = scenario.axes || {};
    const known = Object.values(SHOWN_AXES);
    const other = Object.entries(axes).filter(([name]) => !known.includes(name));
    const shared = {
      scenario, source: source.file, machine: source.machine || "", benchmark: scenario.benchmark, metric,
      verdict: scenario.verdict || "", rank: REPORT_DATA.verdicts.indexOf(scenario.verdict || ""),
      other: other.map(([name, value]) => `${name} ${value}`).join(", "),
    };
    for (const [name, axis] of Object.entries(SHOWN_AXES)) shared[name] = axes[axis] ?? "";
    const arms = scenario.arms && scenario.arms.length ? scenario.arms : [{ arm: "", kind: "arm", launches: [] }];
    return arms.map((arm, index) => ({ ...shared, ...rowOf(scenario, arm, index) }));
  }

  function rowOf(scenario, arm, index) {
    const [rate] = Object.entries(arm.rates || {});
    const first = index === 0 ? (scenario.changes || [])[0] : null;
    const short = (said) => said.replace(/ \[.*\]$/, ""); // the interval stands in the detail
    const moved = arm.change ? short(arm.change) : first ? `${first.control} ${short(first.said)} [${first.bound}]` : "";
    return {
      key: `${scenario.source}|${scenario.id}|${arm.arm}`,
      arm: arm.arm, kind: arm.kind, data: arm,
      value: arm.value ?? null,
      rate: rate ? rate[1] : null,
      rateUnit: rate ? REPORT_DATA.metrics[rate[0]].unit : "",
      ratio: arm.ratio ? arm.ratio[0] : null,
      floor: arm.floor ?? null,
      change: moved,
      moved: first ? first.log_ratio : null,
      text: `${scenario.id} ${arm.arm} ${scenario.verdict || ""} ${scenario.why || ""}`.toLowerCase(),
    };
  }

  function isMinor(row) {
    return row.kind === "part" || row.kind === "anchor";
  }

  // Rows that the filters let through; parts of models and the anchor only where asked for, or named.
  function passing(state) {
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = Object.entries(state.filters).map(([axis, values]) => [axis, new Set(values)]);
    const names = new Set(state.filters.arm || []);
    const fit = all().filter((row) => wanted.every(([axis, values]) => values.has(String(row[axis])))
      && words.every((word) => row.text.includes(word)));
    const shown = fit.filter((row) => state.all || !isMinor(row) || names.has(row.arm));
    return { shown, numHidden: fit.length - shown.length };
  }

  function sorted(list, sort) {
    if (!sort) return list;
    const isDown = sort.startsWith("-");
    const name = sort.replace(/^-/, "");
    const turn = isDown ? -1 : 1;
    return [...list].sort((a, b) => {
      const [x, y] = [a[name], b[name]];
      const [noX, noY] = [x, y].map((value) => value === null || value === undefined || value === "");
      if (noX || noY) return noX - noY; // what has none stands last, either way
      return turn * (typeof x === "number" ? x - y : NATURAL.compare(x, y));
    });
  }

  // The values of an axis, each with the number of rows that have it.
  function values(axis) {
    const counts = new Map();
    for (const row of all()) counts.set(String(row[axis]), (counts.get(String(row[axis])) || 0) + 1);
    return [...counts].filter(([value]) => value !== "").sort((a, b) => NATURAL.compare(a[0], b[0]));
  }

  return { all, passing, sorted, values, NATURAL };
})();
