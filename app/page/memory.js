// Memory: what an edit takes, what a card has.

import { bar, h, heads } from "./dom.js";
import { bytes, count, spaced } from "./format.js";

const DECISIONS = {
  admit: ["good", "fits"],
  admit_reduced: ["warn", "fits with fewer layers per pass"],
  defer: ["warn", "fits on the card, but not now: it would wait"],
  reject: ["bad", "does not fit: it would be refused"],
};

const FAR = 20;

/** An admission: the decision, the figures, and the peak by item against the budget, unless that
 * is so far away that the items could not be told apart. */
export function admissionView(admission, { observed = null, colour } = {}) {
  const coloured = colour ?? colours(admission.items);
  const { predicted_peak_bytes: predicted, budget_bytes: budget, items } = admission;
  const most = Math.max(predicted, observed ?? 0, 1);
  const whole = budget !== null && budget < FAR * most ? Math.max(most, budget) : most;
  const label = `predicted ${bytes(predicted)} of ${bytes(budget)}`;
  const marks = [
    budget !== null && budget <= whole && mark("budget", budget, whole),
    observed !== null && mark("observed", observed, whole),
  ].filter(Boolean);
  return h(
    "div", { class: "admission" },
    figures(admission, observed),
    bar(label, items.map((item) => part(item, whole, coloured)), marks),
    admission.reasons.map((reason) => h("p", { class: "soft" }, reason)),
    admission.easyedit && easyEditLine(admission.easyedit),
  );
}

function figures(admission, observed) {
  const [tone, told] = DECISIONS[admission.decision] ?? ["warn", admission.decision];
  return h(
    "p", {},
    h("span", { class: `chip ${tone}` }, told), " ",
    figure("predicted", bytes(admission.predicted_peak_bytes)),
    observed !== null && figure("observed", bytes(observed)),
    figure("budget", bytes(admission.budget_bytes)),
    figure("layers per pass", admission.applied.layers_per_pass),
  );
}

const easyEditLine = ({ peak_bytes: peak }) => h(
  "p", { class: "soft" },
  `EasyEdit's KN would take ${bytes(peak)} for this fact, including the weights.`,
);

/** The memory of an edit: as it was admitted, then by stage, and the stage that binds by item. */
export function memoryView({ admission, memory }) {
  const stages = memory?.stages ?? [];
  const colour = colours([...admission.items, ...stages.flatMap((stage) => stage.items)]);
  const observed = memory?.observed_peak_bytes;
  const admitted = admissionView(admission, { observed, colour });
  if (!stages.length) return [admitted, itemTable(admission.items, { colour })];
  return [
    admitted,
    h("h3", {}, "By stage"),
    stageTable(stages, colour),
    bindingStage(stages, admission, colour),
  ];
}

function bindingStage(stages, admission, colour) {
  const larger = (a, b) => (b.predicted_bytes > a.predicted_bytes ? b : a);
  const { stage, items, observed_bytes: observed } = stages.reduce(larger);
  if (items.length === 0) return itemTable(admission.items, { colour });
  return [
    h("h3", {}, `${stage}, the largest stage, by item`),
    itemTable(items, { observed, colour }),
  ];
}

/** The peak of each stage: predicted by item, and as observed. */
function stageTable(stages, colour) {
  const both = (stage) => [stage.predicted_bytes, stage.observed_bytes ?? 0];
  const most = Math.max(...stages.flatMap(both), 1);
  return h(
    "table", { class: "items stages" },
    heads(["Stage", "Predicted", "Observed", ""], ["Predicted", "Observed"]),
    h("tbody", {}, stages.map((stage) => stageRow(stage, most, colour))),
  );
}

function stageRow(told, most, colour) {
  const { stage, predicted_bytes: predicted, observed_bytes: observed } = told;
  const items = told.items.length ? told.items : [{ name: "predicted", bytes: predicted }];
  const label = `${stage}: predicted ${bytes(predicted)}, observed ${bytes(observed)}`;
  const marks = observed === null ? [] : [mark("observed", observed, most)];
  return h(
    "tr", {},
    h("td", {}, stage),
    h("td", { class: "number" }, bytes(predicted)),
    h("td", { class: "number" }, bytes(observed)),
    h("td", { class: "chart" }, bar(label, items.map((item) => part(item, most, colour)), marks)),
  );
}

/** The items of a predicted peak, the largest first, and what was observed of it as a whole. */
function itemTable(items, { observed = null, colour }) {
  const whole = items.reduce((sum, item) => sum + item.bytes, 0);
  const most = Math.max(whole, observed ?? 0, 1);
  const parts = (some) => some.map((item) => part(item, most, colour));
  const largestFirst = [...items].sort((a, b) => b.bytes - a.bytes);
  const taken = observed !== null && { ...mark("observed", observed, most), class: "part taken" };
  return h(
    "table", { class: "items" },
    heads(["Item", "Predicted", "", "Depends on"], ["Predicted"]),
    h("tbody", {}, largestFirst.map((item) =>
      itemRow(spaced(item.name), item.bytes, parts([item]), item.depends_on))),
    observed !== null && h(
      "tfoot", {},
      itemRow("total", whole, parts(items), ""),
      itemRow("observed", observed, [taken], "measured as a whole"),
    ),
  );
}

const itemRow = (name, n, parts, told) => h(
  "tr", {},
  h("td", {}, name),
  h("td", { class: "number" }, bytes(n)),
  h("td", { class: "chart" }, bar(`${name}: ${bytes(n)}`, parts)),
  h("td", { class: "soft" }, told),
);

const mark = (name, n, whole) => ({ name: `${name} ${bytes(n)}`, share: n / whole });

const part = (item, whole, colour) => ({
  name: `${spaced(item.name)}: ${bytes(item.bytes)}`,
  share: item.bytes / whole,
  class: `part ${colour(item.name)}`,
});

/** A colour for each item, the same wherever its name is shown. */
function colours(items) {
  const names = [...new Set(items.map((item) => item.name))];
  return (name) => `p${Math.max(names.indexOf(name), 0) % 6}`;
}

/** A worker's card: what is used, and how much of the rest one edit may use. */
export function workerView(worker, running) {
  const { total_bytes: total, free_bytes: free, budget_bytes: budget } = worker;
  const used = Math.max(total - free, 0);
  const predicted = running?.admission?.predicted_peak_bytes ?? 0;
  const parts = [
    { ...mark("used", used, total), class: "part taken" },
    predicted && { ...mark("running edit, predicted", predicted, total), class: "part p0" },
  ].filter(Boolean);
  const limit = { name: `limit of one edit ${bytes(budget)}`, share: (used + budget) / total };
  return h(
    "div", { class: "worker" },
    h(
      "p", {},
      h("b", {}, worker.model), ` on ${worker.device} `,
      h("span", { class: `chip ${worker.state === "idle" ? "" : "now"}` }, worker.state),
      h("span", { class: "soft" }, ` ${worker.host} · ${count(worker.edits_done, "edit")} done`),
    ),
    bar(`${bytes(used)} of ${bytes(total)} used`, parts, [limit]),
    h(
      "p", {},
      figure("used", bytes(used)),
      figure("total", bytes(total)),
      figure("available to an edit", bytes(budget)),
      predicted ? figure("predicted now", bytes(predicted)) : null,
    ),
  );
}

const figure = (name, value) =>
  h("span", { class: "figure" }, h("b", {}, value), ` ${name}`);
