"use strict";
// Draws the charts of a page with uPlot. An element with data-chart has its numbers in data-values: instants in
// seconds, then one list for each line. Colours are read from a computed color, so that themes work.
(() => {
  if (typeof uPlot === "undefined") return;
  const colorOf = (node, tone) => {
    const probe = document.createElement("span");
    probe.className = "tone-probe";
    probe.dataset.tone = tone;
    node.append(probe);
    const color = getComputedStyle(probe).color;
    probe.remove();
    return color;
  };
  const seconds = (value) => {
    if (value == null) return "\u2013";
    if (value < 1) return `${Math.round(value * 1000)}\u00a0ms`;
    if (value < 60) return `${value.toFixed(value < 10 ? 2 : 1)}\u00a0s`;
    if (value < 3600) return `${Math.floor(value / 60)}\u00a0m\u00a0${Math.floor(value % 60)}\u00a0s`;
    return `${Math.floor(value / 3600)}\u00a0h\u00a0${Math.floor((value % 3600) / 60)}\u00a0m`;
  };
  const count = (value) => (value == null ? "\u2013" : value.toLocaleString("en"));
  const axisFont = (node) => `11px ${getComputedStyle(node).fontFamily}`;
  const clock = (value) => new Date(value * 1000).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  const instants = (ticks) => {
    const isLong = ticks[ticks.length - 1] - ticks[0] > 2 * 86400;
    const form = isLong ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" };
    return ticks.map((value) => new Date(value * 1000).toLocaleString("en-GB", form));
  };
  function draw(node) {
    const values = JSON.parse(node.dataset.values);
    if (!values[0].length) return;
    const isTime = node.dataset.chart === "took";
    const isLine = isTime || node.dataset.chart === "load";
    const say = isTime ? seconds : count;
    const tones = node.dataset.tones.split(",");
    const ink = getComputedStyle(node).color;
    const grid = { stroke: colorOf(node, "line"), width: 1 };
    const series = node.dataset.lines.split(",").map((label, index) => {
      const stroke = colorOf(node, tones[index]);
      const style = isLine
        ? { spanGaps: false, points: isTime ? { size: 4 } : { show: false } }
        : { paths: uPlot.paths.bars({ size: [0.8, 40] }), points: { show: false }, fill: stroke };
      return { label, stroke, width: isLine ? 1.5 : 0, value: (_, value) => say(value), ...style };
    });
    const size = () => ({ width: Math.max(200, node.clientWidth), height: 180 });
    const plot = new uPlot(
      {
        ...size(),
        series: [{ label: "at", value: (_, value) => (value == null ? "\u2013" : clock(value)) }, ...series],
        axes: [
          { stroke: ink, grid: { show: false }, ticks: { show: false }, size: 28, font: axisFont(node), values: (_, ticks) => instants(ticks) },
          { stroke: ink, grid, ticks: { show: false }, size: 72, font: axisFont(node), values: (_, ticks) => ticks.map(say) },
        ],
        scales: { y: { range: (_, __, most) => [0, most || 1] } },
        cursor: { drag: { x: false, y: false }, points: { show: false } },
        legend: { live: true },
      },
      values,
      node,
    );
    new ResizeObserver(() => plot.setSize(size())).observe(node);
  }
  const drawAll = () => {
    for (const node of document.querySelectorAll("[data-chart]")) {
      node.replaceChildren();
      draw(node);
    }
  };
  drawAll();
  for (const node of document.querySelectorAll("[data-chart]")) {
    new MutationObserver(() => { node.replaceChildren(); draw(node); }).observe(node, { attributeFilter: ["data-values"] });
  }
  new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
})();
