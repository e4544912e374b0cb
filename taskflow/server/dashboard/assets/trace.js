"use strict";
// The trace of a run: rows by keyboard, folding, bars that grow, and spans inspected in place. The page works without it.
(() => {
  const grid = () => document.querySelector('[role="treegrid"]');
  const rows = () => [...(grid()?.querySelectorAll(".trace-row:not([hidden])") ?? [])];
  const level = (row) => Number(row.getAttribute("aria-level"));
  const folded = new Set();

  function below(row) {
    const found = [];
    for (let next = row.nextElementSibling; next && level(next) > level(row); next = next.nextElementSibling) found.push(next);
    return found;
  }

  function apply() {
    const span = new URL(location.href).searchParams.get("span");
    if (span) for (const row of rows()) row.setAttribute("aria-selected", String(row.id === `row-${span}`));
    let hidden = Infinity;
    for (const row of grid()?.querySelectorAll(".trace-row") ?? []) {
      row.hidden = level(row) > hidden;
      if (!row.hidden) {
        const isFolded = folded.has(row.id) && row.hasAttribute("aria-expanded");
        const isChild = row.querySelector("a[data-child]");
        if (row.hasAttribute("aria-expanded") && !isChild) row.setAttribute("aria-expanded", String(!isFolded));
        hidden = isFolded ? level(row) : Infinity;
      }
    }
  }

  function fold(row, isFolded) {
    const child = row.querySelector("a[data-child]");
    if (child) {
      location.assign(child.href);
      return;
    }
    if (!row.hasAttribute("aria-expanded")) return;
    if (isFolded) folded.add(row.id);
    else folded.delete(row.id);
    apply();
  }

  function focus(row) {
    if (!row) return;
    for (const each of rows()) each.tabIndex = each === row ? 0 : -1;
    row.focus();
  }

  // Puts a part of the page, as the address shows it, into its place.
  async function load(id, address) {
    const answer = await fetch(address, { headers: { "HX-Request": "true", "HX-Target": `div#${id}` } });
    const part = document.getElementById(id);
    if (!answer.ok || !part) return;
    part.outerHTML = await answer.text();
    window.htmx?.process(document.getElementById(id));
    apply();
  }

  function inspect(row) {
    const link = row.querySelector("[data-inspect]");
    if (!link) {
      row.querySelector("a")?.click();
      return;
    }
    for (const each of rows()) each.setAttribute("aria-selected", String(each === row));
    history.replaceState(null, "", link.href);
    load("inspect", link.href);
  }

  document.addEventListener("click", (event) => {
    const row = event.target.closest?.(".trace-row");
    if (!row) return;
    if (event.target.closest(".twisty")) {
      event.preventDefault();
      fold(row, row.getAttribute("aria-expanded") === "true");
    }
    else if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    else if (event.target.closest("a:not([data-inspect])")) return;
    else {
      event.preventDefault();
      inspect(row);
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, select, textarea, dialog")) return;
    if (event.key.length === 1 && localStorage.getItem("taskflow.keys") === "off") return;
    if (event.key.toLowerCase() === "z") document.querySelector('[data-key="z"]')?.click();
    if (event.key.toLowerCase() === "r") document.querySelector('[data-key="r"]')?.click();
    if (event.key.toLowerCase() === "c") document.querySelector('[data-key="c"]')?.click();
    const row = event.target.closest?.(".trace-row");
    const all = rows();
    const at = all.indexOf(row);
    const after = (matches) => all.slice(at + 1).find(matches) ?? all.find(matches);
    const moves = {
      ArrowDown: () => focus(all[at + 1]),
      ArrowUp: () => focus(all[at - 1]),
      Home: () => focus(all[0]),
      End: () => focus(all.at(-1)),
      a: () => focus(after((each) => each.querySelector(".name")?.textContent.startsWith("Attempt "))),
      e: () => focus(after((each) => each.hasAttribute("data-error"))),
    };
    const way = { j: "older", k: "newer" }[event.key];
    if (way) {
      document.querySelector(`[data-way="${way}"]`)?.click();
      return;
    }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (row && key === "ArrowRight") {
      if (row.getAttribute("aria-expanded") === "false") fold(row, false);
      else if (row.hasAttribute("aria-expanded")) focus(all[at + 1]);
    } else if (row && key === "ArrowLeft") {
      if (row.getAttribute("aria-expanded") === "true") fold(row, true);
      else focus(all.slice(0, at).reverse().find((each) => level(each) < level(row)));
    } else if (row && key === "Enter") inspect(row);
    else if (key in moves && (row || key === "a" || key === "e")) moves[key]();
    else return;
    event.preventDefault();
  });

  // The run beside this one is that of the list one came from.
  document.addEventListener("click", (event) => {
    const way = event.target.closest?.("[data-way]");
    if (!way) return;
    const address = new URL(way.href);
    address.searchParams.set("list", sessionStorage.getItem("taskflow.list") ?? "");
    way.href = address.href;
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-submit]")) event.target.form.requestSubmit();
  });

  function place(points, ms) {
    for (let index = 1; index < points.length; index += 1) {
      const [start, left] = points[index - 1];
      const [end, right] = points[index];
      if (ms <= end) return left + (Math.max(0, ms - start) / (end - start || 1)) * (right - left);
    }
    return points.at(-1)[1];
  }

  // Without a stream of updates, a run that goes on is asked for.
  let polled = 0;
  async function poll() {
    if (document.hidden || document.querySelector("button[data-live]:not([hidden])") || !document.querySelector(".trace[data-grows]")) return;
    if (Date.now() - polled < 3000) return;
    polled = Date.now();
    await load("trace", location.href);
    await load("summary", location.href);
    if (!document.querySelector(".trace[data-grows]")) {
      await load("inspect", location.href);
      await load("actions", location.href);
    }
  }

  let asked = 0;
  setInterval(() => {
    const trace = document.querySelector(".trace[data-grows]");
    if (!trace || document.hidden) return;
    poll();
    const points = trace.dataset.scale.split(" ").map((each) => each.split(",").map(Number));
    const now = Date.now();
    const x = place(points, now);
    for (const bar of trace.querySelectorAll("[data-open]")) {
      bar.setAttribute("width", `${Math.max(0.15, x - Number.parseFloat(bar.getAttribute("x")))}%`);
    }
    const head = trace.querySelector("[data-now]");
    head?.setAttribute("x1", `${x}%`);
    head?.setAttribute("x2", `${x}%`);
    const pause = trace.dataset.grows === "grows" ? 2000 : 30000;
    asked ||= now;
    if (now > points.at(-1)[0] && now - asked > pause) {
      asked = now;
      load("trace", location.href);
    }
  }, 250);

  document.getElementById("live")?.addEventListener("end", () => {
    const indicator = document.querySelector("button[data-live]");
    if (indicator) indicator.hidden = true;
  });
  document.addEventListener("htmx:after:swap", apply);
  document.addEventListener("htmx:after:settle", apply);
})();
