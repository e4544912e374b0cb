"use strict";
// Dragging over an axis sets "from" and "to" in the address. data-drag="x:ms,x:ms": instants at places, in percent.
(() => {
  const LEAST = 1;
  const points = (area) => area.dataset.drag.split(",").map((each) => each.split(":").map(Number));
  function instant(area, x) {
    const all = points(area);
    const next = Math.max(1, all.findIndex((each) => each[0] >= x));
    const [[x0, at0], [x1, at1]] = [all[next - 1], all[next]];
    return at0 + (at1 - at0) * (x1 > x0 ? (x - x0) / (x1 - x0) : 0);
  }
  document.addEventListener("pointerdown", (event) => {
    const area = event.target.closest?.("[data-drag]");
    if (!area || event.button !== 0 || event.pointerType === "touch") return;
    const box = area.getBoundingClientRect();
    const place = (at) => Math.min(100, Math.max(0, ((at.clientX - box.left) / box.width) * 100));
    const start = place(event);
    const mark = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    mark.setAttribute("class", "drag");
    mark.setAttribute("height", "100%");
    area.append(mark);
    event.preventDefault();
    let end = start;
    const move = (at) => {
      end = place(at);
      mark.setAttribute("x", `${Math.min(start, end)}%`);
      mark.setAttribute("width", `${Math.abs(end - start)}%`);
    };
    function stop(isDone) {
      for (const [name, act] of Object.entries(acts)) document.removeEventListener(name, act);
      mark.remove();
      if (!isDone || Math.abs(end - start) < LEAST) return;
      const address = new URL(location.href);
      for (const name of ["period", "cursor"]) address.searchParams.delete(name);
      for (const [name, x] of [["from", Math.min(start, end)], ["to", Math.max(start, end)]]) {
        address.searchParams.set(name, new Date(instant(area, x)).toISOString());
      }
      location.assign(address);
    }
    const acts = {
      pointermove: move,
      pointerup: () => stop(true),
      pointercancel: () => stop(false),
      keydown: (key) => { if (key.key === "Escape") stop(false); },
    };
    for (const [name, act] of Object.entries(acts)) document.addEventListener(name, act);
  });
})();
