"use strict";
// The filters: a text, and a list of values for each axis. Built once; a state ticks them.
Report.filters = (() => {
  const { el } = Report.dom;
  const { state, model } = Report;
  const NAMES = { length: "length", batch: "batch", source: "file" };

  function build(form) {
    form.addEventListener("submit", (event) => event.preventDefault());
    form.append(
      el("label", { class: "search" }, "Search ", el("input", {
        type: "search", id: "q", placeholder: "scenario, arm, verdict",
        oninput: (event) => state.change({ q: event.target.value, page: 1 }, { isTyping: true }),
      })),
      ...state.AXES.map(axisFilter).filter(Boolean),
      el("label", { class: "check" }, el("input", {
        type: "checkbox", id: "all", onchange: (event) => state.change({ all: event.target.checked, page: 1 }),
      }), " parts and anchors"),
      el("button", { type: "button", id: "clear", onclick: clear }, "Clear filters"),
    );
    document.addEventListener("click", (event) => closeOthers(event.target));
    form.addEventListener("keydown", (event) => {
      const open = event.key === "Escape" && event.target.closest("details[open]");
      if (open) {
        open.open = false;
        open.querySelector("summary").focus();
      }
    });
  }

  function clear() {
    state.change({ filters: {}, q: "", page: 1, all: false });
  }

  function axisFilter(axis) {
    const values = model.values(axis);
    const asked = state.read().filters[axis] || [];
    for (const value of asked) if (!values.some(([known]) => known === value)) values.push([value, 0]);
    if (values.length < 2 && !asked.length) return null;
    return el("details", { class: "filter", "data-axis": axis },
      el("summary", {}, NAMES[axis] || axis, el("span", { class: "chosen" })),
      el("fieldset", {},
        el("legend", {}, NAMES[axis] || axis),
        values.map(([value, count]) => el("label", {},
          el("input", { type: "checkbox", value, onchange: () => choose(axis) }),
          ` ${value} `, el("span", { class: "aside" }, count.toLocaleString("en-US"))))));
  }

  function choose(axis) {
    const ticked = document.querySelectorAll(`details[data-axis="${axis}"] input:checked`);
    const filters = { ...state.read().filters, [axis]: [...ticked].map((box) => box.value) };
    if (!filters[axis].length) delete filters[axis];
    state.change({ filters, page: 1 });
  }

  function closeOthers(target) {
    for (const open of document.querySelectorAll("details.filter[open]")) {
      if (!open.contains(target)) open.open = false;
    }
  }

  // Tick what a state asks for.
  function sync(form, now) {
    const q = form.querySelector("#q");
    if (document.activeElement !== q) q.value = now.q;
    form.querySelector("#all").checked = now.all;
    for (const filter of form.querySelectorAll("details.filter")) {
      const wanted = now.filters[filter.dataset.axis] || [];
      for (const box of filter.querySelectorAll("input")) box.checked = wanted.includes(box.value);
      filter.querySelector(".chosen").textContent = wanted.length ? ` ${wanted.length}` : "";
      filter.classList.toggle("active", wanted.length > 0);
    }
    form.querySelector("#clear").hidden = !now.q && !now.all && !Object.keys(now.filters).length;
  }

  return { build, sync, clear };
})();
