// Home: the form, the memory, what runs now, and the list of edits.

import { h, repeatedly, show } from "./dom.js";
import { events, get } from "./api.js";
import { activity, count } from "./format.js";
import { editForm } from "./form.js";
import { EditList } from "./list.js";
import { workerView } from "./memory.js";
import { phases } from "./phases.js";

const LOOK_MS = 1500;

export async function overview(root, { signal, told }) {
  const list = new EditList();
  list.listen();
  const [memory, now, composed] = [h("div"), h("div", { "aria-live": "polite" }), h("section", { class: "wide", hidden: true })];
  const form = h("section");
  root.replaceChildren(form, h("section", {}, h("h2", {}, "Memory"), memory, h("h2", {}, "Now"), now), list.element, composed);
  const state = new Running(now, signal, () => look());
  let seen = null;
  let named = null;

  async function look() {
    const [{ items: workers }, { items: models }] = await Promise.all([get("workers", { signal }), get("models", { signal })]);
    told(models);
    const names = JSON.stringify(models.map((model) => model.name));
    if (names !== named) {
      named = names;
      form.replaceChildren(h("h2", {}, "Overwrite a fact"), editForm({ models, signal, posted: () => look() }));
    }
    // The list is read anew only when something moved: it may be long.
    const moved = JSON.stringify([workers.map((w) => [w.id, w.edit_id, w.edits_done]), models]);
    if (moved !== seen) {
      await Promise.all([list.load(signal), state.load(models), compositions(composed, signal)]);
      seen = moved;
    }
    show(memory, workers.length ? workers.map((worker) => workerView(worker, state.edits.get(worker.edit_id)))
      : h("p", { class: "empty" }, "No worker is alive. ", h("code", {}, "palimpsest up --model DIR"), " starts one."));
  }

  const keys = { n: () => form.querySelector("#prompt")?.focus(), j: () => list.step(1), k: () => list.step(-1), c: () => list.compose(),
    x: () => list.current?.querySelector("input:enabled")?.click(), Enter: () => list.current?.querySelector("a")?.click() };
  root.onkey = (key) => keys[key]?.();
  await repeatedly(() => look().catch((error) => { if (!signal.aborted) told(null, error); }), LOOK_MS, signal);
}

/** The edits that run, each followed by its event feed. */
class Running {
  constructor(place, signal, ended) {
    Object.assign(this, { place, signal, ended, edits: new Map(), followed: new Set(), waiting: 0 });
  }

  async load(models) {
    const pages = await Promise.all(["running", "canceling"].map((status) => get(`edits?status=${status}&limit=20`, { signal: this.signal })));
    this.waiting = models.reduce((sum, model) => sum + model.queued, 0);
    this.edits = new Map(pages.flatMap((page) => page.items).map((edit) => [edit.id, edit]));
    for (const id of this.edits.keys()) if (!this.followed.has(id)) this.follow(id);
    this.tell();
  }

  async follow(id) {
    this.followed.add(id);
    for await (const { type, data } of events(id, this.signal)) {
      const edit = this.edits.get(id);
      if (!edit) continue;
      if (type === "phase") Object.assign(edit, { phase: data.phase, progress: null });
      if (type === "progress") edit.progress = data;
      this.tell();
    }
    this.followed.delete(id);
    if (!this.signal.aborted) this.ended();
  }

  tell() {
    show(this.place, [...this.edits.values()].map((edit) => h("article", { class: "running", "data-running": edit.id },
      h("p", {}, h("a", { href: `#/edits/${edit.id}` }, edit.prompt), " → ", h("b", {}, edit.target_new)),
      phases(edit), h("p", { class: "soft" }, activity(edit)))),
    h("p", { class: "soft" }, this.edits.size ? null : "Nothing runs. ", this.waiting ? `${count(this.waiting, "edit")} in line.` : "The line is empty."));
  }
}

/** The checkpoints that hold several edits. */
async function compositions(place, signal) {
  const { items } = await get("checkpoints?limit=100", { signal }).catch(() => ({ items: [] }));
  const found = items.filter((checkpoint) => checkpoint.request.edits);
  place.hidden = !found.length;
  show(place, h("h2", {}, "Compositions"), h("ul", {}, found.map((checkpoint) => h("li", {},
    h("a", { href: `#/checkpoints/${checkpoint.id}` }, checkpoint.id), ` ${count(checkpoint.request.edits.length, "edit")}, ${checkpoint.result.outcome.replace("_", " ")}`))));
}

