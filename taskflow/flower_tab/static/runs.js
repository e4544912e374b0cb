// Replaces the rows of the tab of runs every few seconds, while somebody looks at them.
(function () {
  "use strict";
  const PAUSE_MS = 3000;
  const rows = document.getElementById("runs-rows");
  const dot = document.getElementById("runs-live-indicator");
  const words = document.getElementById("runs-refresh-status");
  const address = new URL(rows.dataset.rows, location.origin); // without credentials, which the page's own may have
  let shown = null;

  function tell(text, isLive) {
    if (words.textContent !== text) {
      words.textContent = text;
    }
    dot.classList.toggle("status-dot-live", isLive);
    dot.classList.toggle("status-dot-error", !isLive);
  }

  async function refresh() {
    try {
      const answer = await fetch(address, { credentials: "same-origin", redirect: "error" });
      if (answer.status === 401 || answer.status === 403) {
        tell("Sign in again", false);
        return;
      }
      const text = await answer.text();
      if (text !== shown && !rows.contains(document.activeElement)) {
        rows.innerHTML = text;
        shown = text;
      }
      tell(answer.ok ? "Live" : "Not up to date", answer.ok);
    } catch {
      tell("Flower does not answer", false);
    }
  }

  async function turn() {
    if (!document.hidden) {
      await refresh();
    }
    setTimeout(turn, PAUSE_MS);
  }

  setTimeout(turn, PAUSE_MS);
})();
