// The phases of an edit: which it is in, and how long each took.

import { bar, h } from "./dom.js";
import { between, seconds } from "./format.js";

const PHASES = ["admit", "collect", "select", "write", "evaluate", "publish"];

/** The steps of an edit that runs, with its progress in the present one. */
export function phases(edit) {
  const at = PHASES.indexOf(edit.phase);
  const share = edit.progress ? edit.progress.done / edit.progress.total : 0;
  return h("div", {},
    h("ol", { class: "phases" }, PHASES.map((name, i) => h("li", { class: i < at ? "done" : i === at ? "now" : null, "aria-current": i === at ? "step" : null }, name))),
    h("progress", { max: 1, value: share, "aria-label": `progress of ${edit.phase ?? "the edit"}` }));
}

/** Where the time of an edit went: in line, then by phase. */
export function timeline(edit) {
  const waited = edit.started_at ? between(edit.created_at, edit.started_at) : 0;
  const told = Object.entries(edit.timings ?? {}).map(([name, s]) => [name.replace(/_s$/, ""), s]);
  const rest = edit.started_at && edit.finished_at
    ? Math.max(between(edit.started_at, edit.finished_at) - told.reduce((sum, [, s]) => sum + s, 0), 0) : 0;
  const steps = [["in line", waited], ...told, ["verify and publish", rest]].filter(([, s]) => s > 0);
  if (!steps.length) return h("p", { class: "empty" }, "No time was measured yet.");
  const most = Math.max(...steps.map(([, s]) => s));
  return h("table", { class: "items" }, h("tbody", {}, steps.map(([name, s], i) => h("tr", {},
    h("td", {}, name), h("td", { class: "number" }, seconds(s)),
    h("td", { class: "chart" }, bar(name, [{ name: `${name} ${seconds(s)}`, share: s / most, class: `part p${i % 6}` }]))))));
}
