"use strict";
// Behaviour of every page: dialogs, toasts, copying, times that go on, theme. Pages work without it, less live.
(() => {
  const root = document.documentElement;
  const kept = (name) => {
    try { return localStorage.getItem(`taskflow.${name}`); } catch { return null; }
  };
  const keep = (name, value) => {
    try { localStorage.setItem(`taskflow.${name}`, value); } catch { /* private windows may refuse */ }
  };
  const cookie = (name, value) => {
    document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=31536000; samesite=lax`;
  };
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) cookie("tz", zone);

  // ---- clicks
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    const at = (selector) => event.target.closest(selector);
    const opener = at("[data-dialog]");
    if (opener) document.getElementById(opener.dataset.dialog)?.showModal();
    const closer = at("[data-close]");
    if (closer && closer.closest("dialog")?.matches(":modal")) {
      event.preventDefault();
      closer.closest("dialog").close();
    }
    at("[data-dismiss]")?.closest(".toast")?.remove();
    const copier = at("[data-copy]");
    if (copier) {
      navigator.clipboard?.writeText(copier.dataset.copy);
      copier.dataset.copied = "";
      setTimeout(() => delete copier.dataset.copied, 1200);
    }
    const reader = at("[data-copy-text]");
    if (reader) {
      fetch(reader.dataset.copyText).then((answer) => answer.text()).then((text) => {
        navigator.clipboard?.writeText(text);
        reader.dataset.copied = "";
        setTimeout(() => delete reader.dataset.copied, 1200);
      });
    }
    if (at("[data-theme-button]")) nextTheme();
  });

  const themes = ["", "light", "dark"];
  function nextTheme() {
    const next = themes[(themes.indexOf(root.dataset.theme || "") + 1) % themes.length];
    if (next) root.dataset.theme = next;
    else delete root.dataset.theme;
    cookie("theme", next);
  }

  // ---- dialogs: one whose form was sent is closed, whatever the answer was; toasts say what happened
  document.addEventListener("submit", (event) => {
    const dialog = event.target.closest?.("dialog");
    if (dialog && event.target.hasAttribute("hx-post")) setTimeout(() => dialog.close());
  });

  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) {
        if (!(node instanceof Element)) continue;
        if (node.matches(".toast[role=status]")) setTimeout(() => node.remove(), 6000);
        if (node.matches("dialog[data-modal]:not([open])")) node.showModal();
      }
    }
  }).observe(root, { childList: true, subtree: true });

  // ---- times: <time datetime data-time="age|clock|due|running">, in the browser's zone; T swaps age and clock
  const NB = "\u00a0";
  const DAY = 86400;
  const two = (value) => String(value).padStart(2, "0");
  const whole = (seconds) => {
    const s = Math.max(0, Math.floor(seconds));
    if (s < 60) return `${s}${NB}s`;
    if (s < 3600) return `${Math.floor(s / 60)}${NB}m${NB}${s % 60}${NB}s`;
    if (s < DAY) return `${Math.floor(s / 3600)}${NB}h${NB}${Math.floor((s % 3600) / 60)}${NB}m`;
    return `${Math.floor(s / DAY)}${NB}d${NB}${Math.floor((s % DAY) / 3600)}${NB}h`;
  };
  const took = (seconds) => {
    if (seconds < 0.9995) return `${Math.max(0, Math.round(seconds * 1000))}${NB}ms`;
    if (seconds < 9.995) return `${seconds.toFixed(2)}${NB}s`;
    if (seconds < 59.95) return `${seconds.toFixed(1)}${NB}s`;
    return whole(seconds);
  };
  const ago = (seconds) => {
    const s = Math.max(0, Math.floor(seconds));
    for (const [size, unit] of [[DAY, "d"], [3600, "h"], [60, "m"]]) if (s >= size) return `${Math.floor(s / size)}${NB}${unit} ago`;
    return `${s}${NB}s ago`;
  };
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const clock = (at) => `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const day = (at) => `${at.getDate()}${NB}${months[at.getMonth()]}${at.getFullYear() === new Date().getFullYear() ? "" : ` ${at.getFullYear()}`}`;
  const skew = 0;
  function timeText(kind, at) {
    const past = (Date.now() + skew - at.getTime()) / 1000;
    const swapped = kept("times") === "clock";
    if (kind === "due") return past < 0 ? `in${NB}${whole(-past)}` : "now";
    if (kind === "running") return took(past);
    if (past > 7 * DAY) return day(at);
    return (kind === "clock") !== swapped ? clock(at) : ago(past);
  }
  const zoneName = (at) => {
    const part = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(at).find((each) => each.type === "timeZoneName");
    return part ? part.value : "";
  };
  function tick() {
    for (const element of document.querySelectorAll("time[data-time]")) {
      const at = new Date(element.dateTime);
      const text = timeText(element.dataset.time, at);
      if (element.textContent !== text) element.textContent = text;
      if (!element.dataset.titled) {
        element.dataset.titled = "1";
        element.title = `${at.getDate()} ${months[at.getMonth()]} ${at.getFullYear()}, ${clock(at)}.${String(at.getMilliseconds()).padStart(3, "0")} ${zoneName(at)}`;
      }
    }
  }
  tick();
  setInterval(tick, 1000);

  // ---- the pause after failed tries to sign in
  const countdown = document.querySelector("[data-countdown]");
  if (countdown) {
    const button = document.querySelector("[data-wait]");
    if (button) button.disabled = true;
    let left = Number(countdown.dataset.countdown);
    const timer = setInterval(() => {
      left -= 1;
      countdown.textContent = String(Math.max(0, left));
      if (left <= 0) {
        clearInterval(timer);
        if (button) button.disabled = false;
      }
    }, 1000);
  }

  // ---- live updates: changes wait while a row has the pointer or the focus, something is selected, or on purpose
  const indicator = document.querySelector("[data-live]");
  const held = [];
  let isBehind = false;
  let isPaused = false;
  const rows = () => document.querySelector("[data-rows]");
  const isHeld = () => isPaused || Boolean(
    rows()?.querySelector(".check:checked") || rows()?.matches(":hover") || rows()?.contains(document.activeElement)
    || document.querySelector(":popover-open:not(#side), dialog[open]"));
  function showLive(state, text) {
    if (!indicator) return;
    indicator.hidden = false;
    indicator.dataset.state = state;
    indicator.setAttribute("aria-pressed", String(state !== "paused"));
    indicator.textContent = text;
  }
  function toggleLive() {
    isPaused = !isPaused;
    showLive(isPaused ? "paused" : "live", isPaused ? "Paused" : "Live");
    if (!isPaused) release();
  }
  indicator?.addEventListener("click", toggleLive);
  document.addEventListener("htmx:sse:after:connection", () => showLive(isPaused ? "paused" : "live", isPaused ? "Paused" : "Live"));
  // a server with too many streams gives no stream: the parts of the page load again every 15 s instead
  document.addEventListener("htmx:response:error", (event) => {
    const { sourceElement, response } = event.detail.ctx;
    if (sourceElement?.id !== "live") return;
    showLive("lost", response.status === 503 ? "Live is off: too many viewers" : "Live is off");
    setInterval(() => { if (!isHeld()) htmx.trigger(sourceElement, "changed"); }, 15000);
  });
  document.addEventListener("htmx:sse:error", (event) => {
    if (event.detail.status === 401) location.reload(); // the session has ended: to the page where one signs in
    showLive("lost", "Reconnecting");
  });
  document.addEventListener("htmx:sse:before:message", (event) => {
    const message = event.detail.message;
    if (!isHeld()) return;
    if (message.event === "changed") {
      event.preventDefault();
      isBehind = true;
      if (isPaused) showLive("paused", "Paused, changes waiting");
      return;
    }
    if (message.event) return;
    // The count of new runs and of the navigation never moves a row.
    if (!message.data.includes("<tr")) return;
    event.preventDefault();
    held.push(message.data);
    if (held.length > 200) held.shift();
    if (isPaused) showLive("paused", `Paused, ${held.length} waiting`);
  });
  function release() {
    if (!(held.length || isBehind) || isHeld()) return;
    const element = document.getElementById("live");
    const text = held.splice(0).join("");
    if (element && text) htmx.swap({ text, sourceElement: element, target: element, swap: "none" });
    if (element && isBehind) htmx.trigger(element, "changed");
    isBehind = false;
  }
  setInterval(release, 500);

  // ---- parts that load again: the server answers 304, and nothing is swapped, if the page shows the newest state
  const tags = new Map();
  document.addEventListener("htmx:before:request", (event) => {
    const { request } = event.detail.ctx;
    const target = request.headers["HX-Target"];
    if (request.method !== "GET") tags.clear(); // its answer changes parts
    else if (tags.has(target)) request.headers["If-None-Match"] = tags.get(target);
  });
  document.addEventListener("htmx:after:request", (event) => {
    const { request, response } = event.detail.ctx;
    const tag = response.headers.get("etag");
    if (tag && request.method === "GET") tags.set(request.headers["HX-Target"], tag);
  });
  document.addEventListener("htmx:sse:after:message", (event) => {
    const { data } = event.detail.message;
    if (data && !data.includes('hx-target="#nav-')) tags.clear(); // it changes rows
  });

  // ---- the answer to an action that leads to another page: opened as a whole, because its scripts begin anew
  document.addEventListener("htmx:before:response", (event) => {
    const there = event.detail.ctx.response.headers.get("hx-location");
    if (!there) return;
    event.preventDefault();
    location.assign(there);
  });

  // The list from which runs are opened: J and K on a run's page walk along it.
  if (document.querySelector(".table.runs[data-rows-of]")) {
    try { sessionStorage.setItem("taskflow.list", location.search.slice(1)); } catch { /* private windows may refuse */ }
  }

  const news = document.getElementById("news");
  if (news) new MutationObserver(() => { news.hidden = !news.childNodes.length; }).observe(news, { childList: true });

  // ---- selection
  const boxes = () => [...(rows()?.querySelectorAll(".m-check .check") ?? [])];
  const bulk = document.getElementById("bulk");
  function showSelection() {
    const chosen = boxes().filter((box) => box.checked).length;
    const label = bulk?.querySelector("[data-selected]");
    if (label) label.textContent = `${chosen} selected`;
    const all = document.querySelector("[data-select-all]");
    if (all) {
      all.checked = chosen > 0 && chosen === boxes().length;
      all.indeterminate = chosen > 0 && !all.checked;
    }
  }
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-select-all]")) for (const box of boxes()) box.checked = event.target.checked;
    if (event.target.matches?.(".check")) showSelection();
  });
  function clearSelection() {
    for (const box of boxes()) box.checked = false;
    const all = bulk?.querySelector("[name=all]");
    if (all) all.checked = false;
    showSelection();
  }
  bulk?.addEventListener("reset", () => setTimeout(clearSelection));
  document.addEventListener("htmx:after:request", (event) => {
    if (event.target.closest?.("dialog")) clearSelection();
  });

  // ---- keys
  let at = -1;
  let last = -1;
  let isGoing = false;
  const lines = () => [...(rows()?.querySelectorAll("tr") ?? [])];
  function move(to) {
    const all = lines();
    if (!all.length) return;
    for (const row of all) delete row.dataset.at;
    at = Math.max(0, Math.min(all.length - 1, to));
    all[at].dataset.at = "";
    all[at].querySelector(".row-link")?.focus({ preventScroll: true });
    all[at].scrollIntoView({ block: "nearest" });
  }
  function select(isRange) {
    const all = boxes();
    const from = isRange && last >= 0 ? Math.min(last, at) : at;
    const to = isRange && last >= 0 ? Math.max(last, at) : at;
    for (let each = from; each <= to; each += 1) if (all[each]) all[each].checked = isRange ? true : !all[each].checked;
    last = at;
    showSelection();
  }
  function act(kind) {
    if (!boxes().some((box) => box.checked) && at >= 0 && boxes()[at]) boxes()[at].checked = true;
    showSelection();
    if (boxes().some((box) => box.checked)) bulk?.querySelector(`[name=kind][value=${kind}]`)?.click();
  }
  const sections = { r: "runs", t: "tasks", e: "errors", q: "queues", s: "schedules", h: "webhooks", k: "tokens", w: "workers" };
  const press = (selector) => document.querySelector(selector)?.click();
  // on the row with the focus, else the button of the page's head
  const pressHere = (selector, elsewhere) => (lines()[at]?.querySelector(selector) ?? document.querySelector(`${elsewhere} ${selector}`))?.click();
  const actions = {
    "?": () => document.getElementById("shortcuts")?.showModal(),
    "/": () => document.querySelector("[data-search]")?.focus(),
    f: () => press("[data-filter]"),
    l: () => indicator && toggleLive(),
    ".": () => { if (news && !news.hidden) (news.querySelector("a") ?? news).click(); },
    t: () => { keep("times", kept("times") === "clock" ? "age" : "clock"); tick(); },
    g: () => { isGoing = true; setTimeout(() => { isGoing = false; }, 1500); },
    j: () => move(at + 1),
    ArrowDown: () => move(at + 1),
    k: () => move(at - 1),
    ArrowUp: () => move(at - 1),
    x: () => select(false),
    X: () => select(true),
    Escape: clearSelection,
    r: () => act("replay"),
    c: () => act("cancel"),
    n: () => pressHere("[data-new]", ".top"),
    p: () => pressHere("[data-pause]", ".top"),
  };
  document.addEventListener("keydown", (event) => {
    const isJump = (event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k";
    if (isJump) {
      event.preventDefault();
      const jump = document.getElementById("jump");
      jump?.showModal();
      jump?.querySelector("input")?.focus();
      return;
    }
    if (event.metaKey || event.ctrlKey || event.altKey || kept("keys") === "off") return;
    if (event.target.closest?.("input:not([type=checkbox]), textarea, select, dialog, [contenteditable]")) return;
    // A row of a trace has keys of its own.
    if (event.target.closest?.("[role=treegrid]") && !isGoing && !["?", "g", "l", "t", "/"].includes(event.key)) return;
    if (isGoing && sections[event.key]) {
      isGoing = false;
      press(`.nav a[data-section="${sections[event.key]}"]`);
      event.preventDefault();
      return;
    }
    const action = actions[event.key];
    if (!action || ((event.key.startsWith("Arrow") || event.key === "j" || event.key === "k") && !rows())) return;
    if (action() !== false) event.preventDefault();
  });
  const switcher = document.querySelector("[data-keys-switch]");
  if (switcher) {
    switcher.checked = kept("keys") !== "off";
    switcher.addEventListener("change", () => keep("keys", switcher.checked ? "on" : "off"));
  }
  document.querySelector("[data-density-switch]")?.addEventListener("change", (event) => {
    if (event.target.checked) root.dataset.density = "compact";
    else delete root.dataset.density;
    cookie("density", event.target.checked ? "compact" : "");
  });
  for (const button of document.querySelectorAll("[data-help]")) {
    button.hidden = false;
    button.addEventListener("click", actions["?"]);
  }
  for (const button of document.querySelectorAll("[data-jump]")) {
    button.hidden = false;
    button.addEventListener("click", () => document.getElementById("jump")?.showModal());
  }
})();
