// Memory: what an edit takes, what a card has.

import { bar, h, heads } from "./dom.js";
import { bytes, count, spaced } from "./format.js";

const DECISIONS = {
  admit: ["good", "fits"],
  admit_reduced: ["warn", "fits with fewer layers a pass"],
  defer: ["warn", "fits the card, not now: it would wait"],
  reject: ["bad", "does not fit: it would be refused"],
};

const FAR = 20;

/** An admission: the decision, the figures, and the peak by item against the budget, unless that
 * is so far away that the items could not be told apart. */
export function admissionView(admission, { observed = null, colour = colours(admission.items) } = {}) {
  const { predicted_peak_bytes: predicted, budget_bytes: budget, items } = admission;
  const [tone, told] = DECISIONS[admission.decision] ?? ["warn", admission.decision];
  const most = Math.max(predicted, observed ?? 0, 1);
  const whole = budget !== null && budget < FAR * most ? Math.max(most, budget) : most;
  const marks = [
    budget !== null && budget <= whole && { name: `budget ${bytes(budget)}`, share: budget / whole },
    observed !== null && { name: `observed ${bytes(observed)}`, share: observed / whole },
  ].filter(Boolean);
  return h("div", { class: "admission" },
    h("p", {}, h("span", { class: `chip ${tone}` }, told), " ",
      figure("predicted", predicted), observed !== null && figure("observed", observed), figure("budget", budget),
      h("span", { class: "figure" }, h("b", {}, admission.applied.layers_per_pass), " layers a pass")),
    bar(`predicted ${bytes(predicted)} of ${bytes(budget)}`,
      items.map((item) => part(item, whole, colour)), marks),
    admission.reasons.map((reason) => h("p", { class: "soft" }, reason)),
    admission.easyedit && h("p", { class: "soft" }, `EasyEdit's own KN would take ${bytes(admission.easyedit.peak_bytes)} for this fact, its weights included.`));
}

/** The memory of an edit: as it was admitted, then by stage, and the stage that binds by item. */
export function memoryView({ admission, memory }) {
  const stages = memory?.stages ?? [];
  const colour = colours([...admission.items, ...stages.flatMap((stage) => stage.items)]);
  const admitted = admissionView(admission, { observed: memory?.observed_peak_bytes, colour });
  if (!stages.length) return [admitted, itemTable(admission.items, { colour })];
  const binding = stages.reduce((most, stage) => (stage.predicted_bytes > most.predicted_bytes ? stage : most));
  return [
    admitted,
    h("h3", {}, "By stage, with what was found"), stageTable(stages, colour),
    binding.items.length === 0 ? itemTable(admission.items, { colour }) : [h("h3", {}, `${binding.stage}, which takes the most, by item`), itemTable(binding.items, { observed: binding.observed_bytes, colour })],
  ];
}

/** The peak of each stage: foretold by item, and as observed. */
function stageTable(stages, colour) {
  const most = Math.max(...stages.flatMap((stage) => [stage.predicted_bytes, stage.observed_bytes ?? 0]), 1);
  return h("table", { class: "items stages" },
    heads(["Stage", "Predicted", "Observed", ""], ["Predicted", "Observed"]),
    h("tbody", {}, stages.map(({ stage, predicted_bytes: predicted, observed_bytes: observed, items }) => h("tr", {},
      h("td", {}, stage), h("td", { class: "number" }, bytes(predicted)), h("td", { class: "number" }, bytes(observed)),
      h("td", { class: "chart" }, bar(`${stage}: predicted ${bytes(predicted)}, observed ${bytes(observed)}`,
        (items.length ? items : [{ name: "predicted", bytes: predicted }]).map((item) => part(item, most, colour)),
        observed === null ? [] : [{ name: `observed ${bytes(observed)}`, share: observed / most }]))))));
}

/** The items of a predicted peak, the largest first, and what was observed of it as a whole. */
function itemTable(items, { observed = null, colour }) {
  const whole = items.reduce((sum, item) => sum + item.bytes, 0);
  const most = Math.max(whole, observed ?? 0, 1);
  const row = (name, n, parts, told) => h("tr", {}, h("td", {}, name), h("td", { class: "number" }, bytes(n)),
    h("td", { class: "chart" }, bar(`${name}: ${bytes(n)}`, parts)), h("td", { class: "soft" }, told));
  return h("table", { class: "items" },
    heads(["Item", "Predicted", "", "Depends on"], ["Predicted"]),
    h("tbody", {}, [...items].sort((a, b) => b.bytes - a.bytes)
      .map((item) => row(spaced(item.name), item.bytes, [part(item, most, colour)], item.depends_on))),
    observed !== null && h("tfoot", {}, row("all of them", whole, items.map((item) => part(item, most, colour)), ""),
      row("observed", observed, [{ name: `observed ${bytes(observed)}`, share: observed / most, class: "part taken" }], "measured as a whole")));
}

const part = (item, whole, colour) => ({ name: `${spaced(item.name)}: ${bytes(item.bytes)}`, share: item.bytes / whole, class: `part ${colour(item.name)}` });

/** A colour for each item, the same wherever its name is shown. */
function colours(items) {
  const names = [...new Set(items.map((item) => item.name))];
  return (name) => `p${Math.max(names.indexOf(name), 0) % 6}`;
}

/** A worker's card: what is taken, and what one edit may take of the rest. */
export function workerView(worker, running) {
  const { total_bytes: total, free_bytes: free, budget_bytes: budget } = worker;
  const taken = Math.max(total - free, 0);
  const predicted = running?.admission?.predicted_peak_bytes ?? 0;
  const parts = [
    { name: `taken ${bytes(taken)}`, share: taken / total, class: "part taken" },
    predicted && { name: `running edit, predicted ${bytes(predicted)}`, share: predicted / total, class: "part p0" },
  ].filter(Boolean);
  return h("div", { class: "worker" },
    h("p", {}, h("b", {}, worker.model), ` on ${worker.device} `, h("span", { class: `chip ${worker.state === "idle" ? "" : "now"}` }, worker.state),
      h("span", { class: "soft" }, ` ${worker.host} · ${count(worker.edits_done, "edit")} done`)),
    bar(`${bytes(taken)} of ${bytes(total)} are taken`, parts, [{ name: `budget of one edit ${bytes(budget)}`, share: (taken + budget) / total }]),
    h("p", {}, figure("taken", taken), figure("card", total), figure("an edit may take", budget), predicted ? figure("predicted now", predicted) : null));
}

const figure = (name, n) => h("span", { class: "figure" }, h("b", {}, bytes(n)), ` ${name}`);
