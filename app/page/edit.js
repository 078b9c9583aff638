// One edit: where it stands, what it changed, and what came of it.

import { answers } from "./answers.js";
import { events, get, once, post } from "./api.js";
import { h, repeatedly, section, show } from "./dom.js";
import { filesView } from "./files.js";
import { activity, isFinal, spaced, time, tone, verdict } from "./format.js";
import { memoryView } from "./memory.js";
import { phases, timeline } from "./phases.js";
import { neuronPicture } from "./picture.js";
import { problemView } from "./problem.js";

const LOOK_MS = 3000;

export async function editPage(root, { id, signal, told }) {
  const head = h("section", { class: "wide head" });
  const refusal = h("div", { class: "wide", role: "alert" });
  const body = h("div", { class: "wide stack" });
  root.replaceChildren(head, refusal, body);
  let [edit, shape, drawn, followed, refused] = [null, null, false, false, false];

  async function look() {
    const [{ items }, found] = await Promise.all([
      get("models", { signal }),
      get(`edits/${id}`, { signal }),
    ]);
    told(items);
    [edit, shape] = [found, items.find((model) => model.name === found.model)?.shape];
    await draw();
  }

  /** What may pass is tried again; a refusal stays. */
  const tried = () => look().catch((error) => {
    if (signal.aborted) return;
    refused = error.status < 500;
    if (refused) show(body, problemView(error));
    else told(null, error);
  });

  async function draw() {
    show(head, heading(edit), h("menu", {}, actions(edit, refusal, tried)));
    if (!isFinal(edit)) return show(body, underWay(edit), memorySection(edit));
    if (drawn) return undefined;
    const checkpoint = edit.checkpoint_id
      ? await get(`checkpoints/${edit.checkpoint_id}`, { signal }).catch(takenAway)
      : null;
    drawn = true;
    return body.replaceChildren(...results(edit, checkpoint, shape));
  }

  async function follow() {
    followed = true;
    for await (const { type, data } of events(id, signal)) {
      if (type === "phase") {
        Object.assign(edit, { status: "running", phase: data.phase, progress: null });
      }
      if (type === "progress") edit.progress = data;
      if (["phase", "progress"].includes(type)) await draw();
    }
    followed = false;
    if (!signal.aborted) await tried();
  }

  await repeatedly(async () => {
    if (refused || drawn) return;
    await tried();
    if (edit && !isFinal(edit) && !followed) follow();
  }, LOOK_MS, signal);
}

/** A checkpoint may be gone while its edit is still known. */
function takenAway(error) {
  if (error.status < 500) return null;
  throw error;
}

function heading(edit) {
  const target = edit.operation === "erase" ? "(erased)" : edit.target_new;
  const facts = ` ${edit.model} · ${edit.method} · ${time(edit.created_at)}`;
  return [
    h("p", { class: "soft" }, h("a", { href: "#/" }, "Edits"), " / ", h("code", {}, edit.id)),
    h("h1", { dir: "auto" }, edit.prompt, " ", h("b", { class: "new", dir: "auto" }, target)),
    h(
      "p", {},
      h("span", { class: `chip ${tone(verdict(edit))}`, id: "verdict" }, verdict(edit)),
      h("span", { class: "soft" }, facts, edit.attempt > 1 && ` · attempt ${edit.attempt}`),
    ),
  ];
}

function actions(edit, refusal, then) {
  const act = (name, path, done) => h("button", {
    type: "button",
    class: "quiet",
    onclick: () => post(path, undefined, once())
      .then(done)
      .catch((error) => show(refusal, problemView(error))),
  }, name);
  if (!isFinal(edit)) return [act("Cancel", `edits/${edit.id}/cancel`, then)];
  if (edit.status === "succeeded") return [];
  const open = (made) => { location.hash = `#/edits/${made.id}`; };
  return [act("Try again", `edits/${edit.id}/retry`, open)];
}

const underWay = (edit) =>
  section("Now", phases(edit), h("p", { class: "soft" }, activity(edit)));

const results = (edit, checkpoint, shape) => [
  edit.error && failure(edit.error),
  edit.warnings.length > 0 && warnings(edit.warnings),
  edit.answers.length > 0 && section("Before and after", answers(edit.answers)),
  edit.neurons?.length > 0 && section("Neurons", neuronPicture(edit.neurons, shape)),
  h(
    "div", { class: "two" },
    edit.metrics && section("Metrics", metrics(edit.metrics)),
    section("Time", timeline(edit)),
  ),
  memorySection(edit),
  checkpoint && section("Checkpoint", checkpointLine(checkpoint), filesView(checkpoint)),
  section("Request", asSent(edit)),
].filter(Boolean);

const failure = (error) => h(
  "section", { class: "problem" },
  h("p", {}, h("b", {}, spaced(error.code)), `: ${error.message}`),
  h("p", { class: "soft" }, error.retryable
    ? "Trying again may succeed."
    : "Trying the same request again will not help."),
);

const warnings = (all) => h("section", { class: "warned" }, all.map((warning) =>
  h("p", {}, h("b", {}, spaced(warning.code)), `: ${warning.message}`)));

const memorySection = (edit) => edit.admission && section("Memory", memoryView(edit));

const checkpointLine = ({ id }) =>
  h("p", {}, h("a", { href: `#/checkpoints/${id}` }, h("code", {}, id)));

const KINDS = {
  rewrite: "Reliability",
  rephrase: "Generalization",
  locality: "Locality",
  portability: "Portability",
};
const TEACHER_FORCED = "share of answer tokens that are right, given the right tokens before them";
const FREE_GENERATION = "share of freely generated answers that begin as wanted";

function metrics(found) {
  const kinds = Object.entries(KINDS).filter(([kind]) =>
    found[`${kind}_acc`] !== null || found[`${kind}_exact`] !== null);
  const column = (name, title) => h("th", { scope: "col", class: "number", title }, name);
  return h(
    "table", {},
    h("thead", {}, h(
      "tr", {},
      h("th"),
      column("Teacher forced", TEACHER_FORCED),
      column("Free generation", FREE_GENERATION),
    )),
    h("tbody", {}, kinds.map(([kind, name]) => h(
      "tr", {},
      h("th", { scope: "row" }, name),
      h("td", { class: "number" }, percent(found[`${kind}_acc`])),
      h("td", { class: "number" }, percent(found[`${kind}_exact`])),
    ))),
  );
}

function percent(share) {
  if (share === null || share === undefined) return "–";
  return `${(100 * share).toFixed(share === 1 || share === 0 ? 0 : 1)} %`;
}

const SENT = [
  "model", "base", "method", "operation",
  "prompt", "subject", "ground_truth", "target_new",
  "refine_prompts", "protect_prompts", "rephrase_prompts", "locality", "portability",
  "hparams", "require_held", "pad_rank", "deadline_s", "metadata",
];

function asSent(edit) {
  const sent = SENT.filter((name) => name in edit).map((name) => [name, edit[name]]);
  const text = JSON.stringify(Object.fromEntries(sent), null, 2);
  return h("details", {}, h("summary", {}, "As it was sent"), h("pre", {}, text));
}
