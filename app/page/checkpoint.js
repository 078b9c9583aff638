// One checkpoint: the edits that are in it, its files, and undoing by unticking.

import { answers } from "./answers.js";
import { h, repeatedly, section, show } from "./dom.js";
import { get, once, post } from "./api.js";
import { filesView } from "./files.js";
import { activity, isFinal, spaced, time, tone, verdict } from "./format.js";
import { problemView } from "./problem.js";
import { phases } from "./phases.js";

const LOOK_MS = 1000;

export async function checkpointPage(root, { id, signal, told }) {
  get("models", { signal }).then(({ items }) => told(items)).catch((error) => { if (!signal.aborted) told(null, error); });
  let job = null;
  async function look() {
    job = await get(`checkpoints/${id}`, { signal });
    if (isFinal(job)) root.replaceChildren(...finished(job));
    else show(root, heading(job), h("section", { class: "wide" }, phases(job), h("p", { class: "soft" }, activity(job))));
  }
  await repeatedly(() => (job && isFinal(job) ? undefined : look().catch((error) => {
    if (signal.aborted) return;
    if (error.status) root.replaceChildren(h("section", { class: "wide" }, problemView(error)));
    else told(null, error);
  })), LOOK_MS, signal);
}

const heading = (job) => h("section", { class: "wide head" },
  h("p", { class: "soft" }, h("a", { href: "#/" }, "Edits"), " / checkpoint"),
  h("h1", {}, h("code", {}, job.id)),
  h("p", {}, h("span", { class: `chip ${tone(verdict(job))}`, id: "verdict" }, verdict(job)), h("span", { class: "soft" }, ` ${job.model ?? ""} · ${time(job.created_at)}`)));

function finished(job) {
  const parts = job.parts?.length ? job.parts.map((part) => part.edit_id) : job.edits ?? [job.edit_id];
  return [
    heading(job),
    h("div", { class: "wide stack" },
      job.error && h("section", { class: "problem" }, h("p", {}, h("b", {}, spaced(job.error.code)), `: ${job.error.message}`)),
      section("Edits in it", undoing(parts, job.result?.retests ?? [])),
      job.result?.conflicts?.length > 0 && section("Where edits meet", job.result.conflicts.map((conflict) => h("p", {},
        h("span", { class: "chip warn" }, spaced(conflict.kind)), " ", conflict.edits.map(link).flatMap((a, i) => (i ? [" and ", a] : [a])),
        conflict.subject && `: ${conflict.subject}`))),
      job.files && section("Files", filesView(job))),
  ].filter(Boolean);
}

const link = (id) => h("a", { href: `#/edits/${id}` }, h("code", {}, id));

/** The edits with a tick each: composing the rest takes the others back out. */
function undoing(parts, retests) {
  const refusal = h("div", { role: "alert" });
  const left = () => [...form.querySelectorAll("input:checked")].map((box) => box.value);
  const button = h("button", { disabled: true }, "Compose without the unticked");
  const form = h("form", {
    onchange: () => { const n = left().length; button.disabled = n === 0 || n === parts.length; },
    onsubmit: async (event) => {
      event.preventDefault();
      try {
        location.hash = `#/checkpoints/${(await post("checkpoints", { edits: left() }, once())).id}`;
      } catch (error) {
        show(refusal, problemView(error));
      }
    },
  }, parts.map((id) => {
    const retest = retests.find((found) => found.edit_id === id);
    return h("div", { class: "part-of" }, h("label", { class: "check" }, h("input", { type: "checkbox", value: id, checked: true }), " ", link(id),
      retest && h("span", { class: `chip ${retest.outcome === "held" ? "good" : "warn"}` }, spaced(retest.outcome))),
    retest?.answers.length > 0 && answers(retest.answers));
  }), parts.length > 1 && h("p", { class: "soft" }, "To take an edit back out, untick it and compose the rest; the model is then as if it had never been made."),
  refusal, parts.length > 1 && h("menu", {}, button));
  return form;
}
