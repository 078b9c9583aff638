// The phases of an edit: which it is in, and how long each took.

import { bar, h } from "./dom.js";
import { between, seconds } from "./format.js";

const PHASES = ["admit", "collect", "select", "write", "evaluate", "publish"];

/** The steps of an edit that runs, with its progress in the present one. */
export function phases(edit) {
  const at = PHASES.indexOf(edit.phase);
  const share = edit.progress ? edit.progress.done / edit.progress.total : 0;
  const step = (name, i) => {
    const state = i < at ? "done" : i === at ? "now" : null;
    return h("li", { class: state, "aria-current": i === at ? "step" : null }, name);
  };
  const label = `Progress of ${edit.phase ?? "the edit"}`;
  return h(
    "div", {},
    h("ol", { class: "phases" }, PHASES.map(step)),
    h("progress", { max: 1, value: share, "aria-label": label }),
  );
}

/** Where the time of an edit went: queued, then by phase. */
export function timeline(edit) {
  const steps = stepsOf(edit).filter(([, s]) => s > 0);
  if (!steps.length) return h("p", { class: "empty" }, "No times measured yet.");
  const most = Math.max(...steps.map(([, s]) => s));
  return h("table", { class: "items" }, h("tbody", {}, steps.map(([name, s], i) => {
    const part = { name: `${name} ${seconds(s)}`, share: s / most, class: `part p${i % 6}` };
    return h(
      "tr", {},
      h("td", {}, name),
      h("td", { class: "number" }, seconds(s)),
      h("td", { class: "chart" }, bar(name, [part])),
    );
  })));
}

/** Each step with its seconds. */
function stepsOf({ created_at: created, started_at: started, finished_at: finished, timings }) {
  const measured = Object.entries(timings ?? {}).map(([name, s]) => [name.replace(/_s$/, ""), s]);
  const sum = measured.reduce((total, [, s]) => total + s, 0);
  const waited = started ? between(created, started) : 0;
  const rest = started && finished ? between(started, finished) - sum : 0;
  return [["queued", waited], ...measured, ["verify and publish", rest]];
}
