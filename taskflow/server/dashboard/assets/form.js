"use strict";
// The form of a payload and its JSON are one document. The server writes edits into it, checks it, and answers with the
// parts of the page that follow. An element with data-at is a place in the document (a JSON pointer), data-as its kind.
(() => {
  const bench = document.getElementById("bench");
  for (const each of document.querySelectorAll("[data-without-script]")) each.hidden = true;
  document.addEventListener("change", (event) => {
    if (event.target.matches?.("[data-submits]")) event.target.form.submit();
  });
  if (!bench) return;
  const part = (id) => document.getElementById(id);
  const text = part("payload");
  const pending = new Map();
  let timer = 0;
  let number = 0;

  function plan(milliseconds) {
    part("edits").value = JSON.stringify([...pending.values()]);
    clearTimeout(timer);
    timer = setTimeout(check, milliseconds);
    number += 1;
  }

  function edit(at, kind, value, milliseconds) {
    pending.delete(at);
    pending.set(at, { at, as: kind, value });
    plan(milliseconds);
  }

  function read(field) {
    const at = field.dataset.at;
    if (field.type === "checkbox") return edit(at, "json", String(field.checked), 0);
    if (field.type === "radio" || field.tagName === "SELECT") return field.value && edit(at, "json", field.value, 0);
    const empty = field.dataset.empty;
    if (!field.value && (empty !== "keep" || field.dataset.as !== "text")) return edit(at, empty === "null" ? "null" : "drop", "", 300);
    return edit(at, field.dataset.as, field.value, 300);
  }

  bench.addEventListener("input", (event) => {
    const field = event.target;
    if (field === text) {
      pending.clear();
      paint();
      plan(300);
    } else if (field.dataset.at !== undefined) read(field);
    else if (field.name) plan(300);
  });

  bench.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    const view = event.target.closest("a[data-view]");
    if (view) {
      event.preventDefault();
      bench.dataset.view = view.dataset.view;
    }
    if (event.target.closest("[data-copy-of]")) navigator.clipboard?.writeText(text.value);
    if (!button) return;
    const { at, value } = button.dataset;
    if (button.dataset.do === "drop") return edit(at, "drop", "", 0);
    if (button.dataset.do === "put") return edit(at, "json", value, 0);
    const key = button.parentElement.querySelector("[data-key]").value;
    if (key) edit(`${at}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`, "json", value, 0);
  });

  function paint() {
    part("painted").textContent = `${text.value}\n`;
    lines(text.value.split("\n").length);
  }

  function lines(count) {
    part("gutter").textContent = Array.from({ length: Math.min(count, 5000) }, (_, at) => at + 1).join("\n");
  }

  // Returns the number of faults; null if the server did not answer, or another check followed.
  async function check() {
    clearTimeout(timer);
    const asked = number;
    const sent = [...pending.keys()];
    let answer;
    try {
      const request = { method: "POST", body: new URLSearchParams(new FormData(bench)) };
      const response = await fetch(bench.dataset.check, request);
      if (!response.ok) throw new Error(String(response.status));
      answer = await response.json();
    } catch {
      part("verdict").textContent = "The server did not check the payload. It does when the run is triggered.";
      return null;
    }
    if (asked !== number) return null; // a newer check is on its way, with the same edits
    for (const at of sent) pending.delete(at);
    part("edits").value = "";
    show(answer);
    return answer.faults;
  }

  function show({ text: written, lines: count, parts }) {
    const focus = document.activeElement;
    const kept = focus?.closest("#fields") ? { id: focus.id, start: focus.selectionStart, end: focus.selectionEnd } : null;
    if (text.value.replaceAll("\r\n", "\n") !== written) text.value = written;
    for (const [name, html] of Object.entries(parts)) if (part(name)) part(name).innerHTML = html;
    part("stack").classList.toggle("plain", !parts.painted);
    if (parts.painted) part("painted").append("\n");
    lines(count);
    if (!kept?.id) return;
    const again = part(kept.id);
    again?.focus({ preventScroll: true });
    if (kept.start !== null && kept.start !== undefined && again?.setSelectionRange) again.setSelectionRange(kept.start, kept.end);
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) bench.requestSubmit(part("trigger") ?? undefined);
  });
  // A payload with faults is not sent: the fields say why. The server refuses it in any case.
  bench.addEventListener("submit", async (event) => {
    part("edits").value = JSON.stringify([...pending.values()]);
    if (event.submitter?.dataset.plain !== undefined) return;
    event.preventDefault();
    const button = part("trigger");
    if (!button || button.disabled) return;
    button.disabled = true;
    const faults = await check();
    if (faults === 0) return bench.submit();
    button.disabled = false;
    (bench.querySelector("[aria-invalid]") ?? text).focus();
  });
  addEventListener("pageshow", () => { if (part("trigger")) part("trigger").disabled = false; });
})();
