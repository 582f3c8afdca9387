"use strict";
// What is shown, kept in the address: filters, view, sorting, page and open rows, so that each has a link.
Report.state = (() => {
  const AXES = ["benchmark", "scale", "workload", "routing", "batch", "length", "arm", "verdict", "machine", "source"];
  const DEFAULTS = { view: "table", q: "", sort: "", page: 1, all: false };

  function read() {
    const given = new URLSearchParams(location.hash.slice(1));
    const filters = {};
    for (const axis of AXES) if (given.has(axis)) filters[axis] = given.getAll(axis);
    return {
      view: given.get("view") || DEFAULTS.view,
      q: given.get("q") || DEFAULTS.q,
      sort: given.get("sort") || DEFAULTS.sort,
      page: Math.max(1, Number.parseInt(given.get("page"), 10) || DEFAULTS.page),
      all: given.get("all") === "1",
      open: given.getAll("open"),
      filters,
    };
  }

  function written(state) {
    const said = new URLSearchParams();
    for (const name of ["view", "q", "sort", "page"]) {
      if (state[name] !== DEFAULTS[name]) said.set(name, state[name]);
    }
    if (state.all) said.set("all", "1");
    for (const axis of AXES) for (const value of state.filters[axis] || []) said.append(axis, value);
    for (const key of state.open) said.append("open", key);
    return `#${said}`;
  }

  // Change some of it; a step of the browser's history, unless a user is still typing.
  function change(patch, { isTyping = false } = {}) {
    const next = { ...read(), ...patch };
    if (isTyping) history.replaceState(null, "", written(next));
    else history.pushState(null, "", written(next));
    window.dispatchEvent(new Event("statechange"));
  }

  function link(patch) {
    return written({ ...read(), ...patch });
  }

  return { AXES, read, change, link };
})();
