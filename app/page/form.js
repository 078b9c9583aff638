// The form of an edit, with its estimate as it is typed.

import { once, Outage, post } from "./api.js";
import { h, pause, show } from "./dom.js";
import { admissionView } from "./memory.js";
import { problemView } from "./problem.js";

const TYPING_MS = 300;

const LINES = {
  refine_prompts: "Paraphrases that guide the edit",
  protect_prompts: "Prompts whose answers must not change",
  rephrase_prompts: "Paraphrases used only for scoring",
};
const SHARE = { min: 0, max: 1, step: "any" };
const NUMBERS = {
  steps: ["Steps", { min: 1, max: 300, step: 1, placeholder: "20" }],
  adaptive_threshold: ["Adaptive threshold", { ...SHARE, placeholder: "method's default" }],
  adaptive_threshold_max: ["Raise threshold up to", { ...SHARE, placeholder: "not raised" }],
  max_neurons: ["Maximum neurons", { min: 1, step: 1, placeholder: "method's default" }],
};
const TEXTS = ["model", "ground_truth", "subject", "method", "operation"];

/** The form; `posted(edit)` is called with what it makes. */
export function editForm({ models, posted, signal }) {
  const estimate = h("div", { class: "estimate", "aria-live": "polite" });
  const refusal = h("div", { role: "alert" });
  const form = h(
    "form", { class: "edit-form", autocomplete: "off", novalidate: true },
    models.length > 1 && field("Model", select("model", models.map((model) => model.name))),
    field("Prompt", h("textarea", {
      name: "prompt", id: "prompt", dir: "auto", rows: 2, required: true,
      placeholder: "The capital of France is",
    })),
    h(
      "div", { class: "pair" },
      field("Old answer", text("ground_truth", { placeholder: "model's answer" })),
      field("New answer", text("target_new", { required: true, placeholder: "Rome" })),
    ),
    more(),
    estimate,
    refusal,
    h("menu", {}, h("button", { type: "submit" }, "Overwrite")),
  );
  let typing = new AbortController();
  form.addEventListener("input", () => {
    typing.abort();
    typing = new AbortController();
    form.sending = undefined; // another text is another edit
    show(refusal);
    estimated(form, estimate, typing.signal);
  });
  signal.addEventListener("abort", () => typing.abort());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(form, { estimate, refusal }, posted);
  });
  show(estimate, hint());
  return form;
}

const hint = () =>
  h("p", { class: "soft" }, "The estimated memory appears here as you type.");

const field = (name, input) => h("label", {}, name, input);
const text = (name, attributes) => h("input", { name, dir: "auto", ...attributes });
const area = (name, attributes) => h("textarea", { name, dir: "auto", rows: 2, ...attributes });
const select = (name, choices) =>
  h("select", { name }, choices.map((choice) => h("option", {}, choice)));

const more = () => h(
  "details", {},
  h("summary", {}, "More: subject, paraphrases, scoring, settings"),
  field("Subject", text("subject", { placeholder: "France" })),
  Object.entries(LINES).map(([name, label]) => field(`${label}, one per line`, area(name))),
  field(
    "Unrelated facts used only for scoring, one per line: prompt = answer",
    area("locality", { placeholder: "The capital of Italy is = Rome" }),
  ),
  h(
    "div", { class: "pair" },
    field("Method", select("method", ["calibrated", "paper", "easyedit"])),
    field("Operation", select("operation", ["edit", "erase"])),
  ),
  h("div", { class: "pair" }, Object.entries(NUMBERS).map(([name, [label, limits]]) =>
    field(label, h("input", { name, type: "number", ...limits })))),
  h(
    "label", { class: "check" },
    h("input", { type: "checkbox", name: "require_held" }),
    "Fail if the edit does not hold",
  ),
);

/** What the form asks for; empty fields are left to the service. */
function requestOf(form) {
  const typed = [...new FormData(form)].map(([name, value]) => [name, value.trim()]);
  const told = Object.fromEntries(typed.filter(([, value]) => value));
  const request = { prompt: asRun(form.elements.prompt.value), target_new: told.target_new ?? "" };
  for (const name of TEXTS) if (told[name]) request[name] = told[name];
  for (const name of Object.keys(LINES)) if (told[name]) request[name] = lines(told[name]);
  if (told.locality) request.locality = lines(told.locality).map(probe);
  const numbers = Object.keys(NUMBERS).filter((name) => told[name]);
  if (numbers.length) {
    request.hparams = Object.fromEntries(numbers.map((name) => [name, Number(told[name])]));
  }
  if (told.require_held) request.require_held = true;
  return request;
}

/** A prompt of several lines, as by a chat template, keeps the line break at its end. */
function asRun(prompt) {
  const trimmed = prompt.trim();
  return trimmed.includes("\n") ? prompt.trimStart().replace(/[^\S\n]+$/, "") : trimmed;
}

const lines = (told) => told.split("\n").map((line) => line.trim()).filter(Boolean);

function probe(line) {
  const at = line.lastIndexOf("=");
  if (at < 0) return { prompt: line };
  return { prompt: line.slice(0, at).trim(), ground_truth: line.slice(at + 1).trim() || null };
}

async function estimated(form, place, signal) {
  const request = requestOf(form);
  if (!request.prompt || !request.target_new) return show(place, hint());
  await pause(TYPING_MS, signal);
  if (signal.aborted) return undefined;
  try {
    const told = await post("edits:estimate", request, { signal });
    return signal.aborted ? undefined : show(place, admissionView(told));
  } catch (error) {
    if (signal.aborted) return undefined;
    return show(place, problemView(error));
  }
}

async function submit(form, { estimate, refusal }, posted) {
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  show(refusal);
  try {
    posted(await post("edits", requestOf(form), (form.sending ??= once())));
    form.reset();
    form.dispatchEvent(new Event("input"));
    form.sending = undefined;
  } catch (error) {
    // Nothing was taken: the next try is another edit.
    if (!(error instanceof Outage)) form.sending = undefined;
    show(estimate); // the refusal says it, and more
    show(refusal, problemView(error));
  } finally {
    button.disabled = false;
  }
}
