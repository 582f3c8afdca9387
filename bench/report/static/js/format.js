"use strict";
// Numbers as people read them: three digits, a unit that fits, thousands parted.
const Report = {};
Report.format = (() => {
  const SCALES = {
    s: [[1, 1, "s"], [1e-3, 1e3, "ms"], [0, 1e6, "µs"]],
    byte: [[2 ** 30, 2 ** -30, "GiB"], [2 ** 20, 2 ** -20, "MiB"], [0, 2 ** -10, "KiB"]],
    1: [[0, 100, "%"]],
    "image/s": [[0, 1, "images/s"]],
  };
  const NOTHING = "";

  function fixed(value, decimals) {
    return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  }

  function digits(value) {
    const size = Math.abs(value);
    return fixed(value, size >= 100 ? 0 : size >= 10 ? 1 : 2);
  }

  // The scale of a unit that fits a value: by how much to multiply, and what to write behind.
  function scaleOf(value, unit) {
    const scales = SCALES[unit] || [[0, 1, unit]];
    const [, factor, shown] = scales.find(([least]) => Math.abs(value) >= least) || scales[scales.length - 1];
    return { factor, shown };
  }

  function quantity(value, unit) {
    if (value === null || value === undefined) return NOTHING;
    const { factor, shown } = scaleOf(value, unit);
    return `${unit === "1" ? fixed(value * factor, 1) : digits(value * factor)} ${shown}`;
  }

  // An interval of ratios, or of points where the values are shares.
  function interval(limits, unit) {
    if (!limits) return NOTHING;
    const [estimate, low, high] = limits;
    const isShare = unit === "1";
    const write = (value) => (isShare ? `${value > 0 ? "+" : ""}${fixed(value, 1)}` : fixed(value, 2));
    const said = `${write(estimate)}${isShare ? " points" : "x"}`;
    return low === null || high === null ? said : `${said} [${write(low)}, ${write(high)}]`;
  }

  function percent(share) {
    return share === null || share === undefined ? NOTHING : `${fixed(100 * share, 0)} %`;
  }

  function minute(date) {
    return String(date).slice(0, 16).replace("T", " ");
  }

  function plural(number, noun) {
    return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
  }

  return { quantity, interval, percent, scaleOf, minute, plural, fixed, digits };
})();
