// One checkpoint: the edits that are in it, its files, and undoing by unticking.

import { answers } from "./answers.js";
import { get, once, post } from "./api.js";
import { h, repeatedly, section, show } from "./dom.js";
import { filesView } from "./files.js";
import { activity, isFinal, spaced, time, tone, verdict } from "./format.js";
import { phases } from "./phases.js";
import { problemView } from "./problem.js";

const LOOK_MS = 1000;

export async function checkpointPage(root, { id, signal, told }) {
  const outage = (error) => { if (!signal.aborted) told(null, error); };
  get("models", { signal }).then(({ items }) => told(items)).catch(outage);
  let job = null;

  async function look() {
    job = await get(`checkpoints/${id}`, { signal });
    if (isFinal(job)) root.replaceChildren(...finished(job));
    else show(root, heading(job), underWay(job));
  }

  function refused(error) {
    if (signal.aborted) return;
    if (!error.status) outage(error);
    else root.replaceChildren(h("section", { class: "wide" }, problemView(error)));
  }

  const step = () => (job && isFinal(job) ? undefined : look().catch(refused));
  await repeatedly(step, LOOK_MS, signal);
}

const heading = (job) => h(
  "section", { class: "wide head" },
  h("p", { class: "soft" }, h("a", { href: "#/" }, "Edits"), " / checkpoint"),
  h("h1", {}, h("code", {}, job.id)),
  h(
    "p", {},
    h("span", { class: `chip ${tone(verdict(job))}`, id: "verdict" }, verdict(job)),
    h("span", { class: "soft" }, ` ${job.model ?? ""} · ${time(job.created_at)}`),
  ),
);

const underWay = (job) =>
  h("section", { class: "wide" }, phases(job), h("p", { class: "soft" }, activity(job)));

function finished(job) {
  const { error, result, files } = job;
  return [heading(job), h(
    "div", { class: "wide stack" },
    error && h(
      "section", { class: "problem" },
      h("p", {}, h("b", {}, spaced(error.code)), `: ${error.message}`),
    ),
    section("Edits in this checkpoint", undoing(editsOf(job), result?.retests ?? [])),
    result?.conflicts?.length > 0
      && section("Conflicts", result.conflicts.map(conflictLine)),
    files && section("Files", filesView(job)),
  )];
}

function editsOf(job) {
  if (job.parts?.length) return job.parts.map((part) => part.edit_id);
  return job.edits ?? [job.edit_id];
}

const conflictLine = ({ kind, edits, subject }) => h(
  "p", {},
  h("span", { class: "chip warn" }, spaced(kind)), " ",
  edits.map(link).flatMap((a, i) => (i ? [" and ", a] : [a])),
  subject && `: ${subject}`,
);

const link = (id) => h("a", { href: `#/edits/${id}` }, h("code", {}, id));

/** The edits with a tick each: composing the rest takes the others back out. */
function undoing(ids, retests) {
  const refusal = h("div", { role: "alert" });
  const button = h("button", { disabled: true }, "Compose the ticked edits");
  const ticked = () => [...form.querySelectorAll("input:checked")].map((box) => box.value);

  async function compose(event) {
    event.preventDefault();
    try {
      const made = await post("checkpoints", { edits: ticked() }, once());
      location.hash = `#/checkpoints/${made.id}`;
    } catch (error) {
      show(refusal, problemView(error));
    }
  }

  const onchange = () => { button.disabled = [0, ids.length].includes(ticked().length); };
  const several = ids.length > 1;
  const form = h(
    "form", { onchange, onsubmit: compose },
    ids.map((id) => editInIt(id, retests.find((retest) => retest.edit_id === id))),
    several && h("p", { class: "soft" }, "To undo an edit, untick it and compose the "
      + "rest: the model is then as if that edit had never been made."),
    refusal,
    several && h("menu", {}, button),
  );
  return form;
}

const editInIt = (id, retest) => h(
  "div", { class: "part-of" },
  h(
    "label", { class: "check" },
    h("input", { type: "checkbox", value: id, checked: true }), " ", link(id),
    retest && h("span", {
      class: `chip ${retest.outcome === "held" ? "good" : "warn"}`,
    }, spaced(retest.outcome)),
  ),
  retest?.answers.length > 0 && answers(retest.answers),
);
