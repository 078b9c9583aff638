// Home: the form, the memory, what runs now, and the list of edits.

import { events, get } from "./api.js";
import { h, repeatedly, section, show } from "./dom.js";
import { editForm } from "./form.js";
import { activity, count, spaced } from "./format.js";
import { EditList } from "./list.js";
import { workerView } from "./memory.js";
import { phases } from "./phases.js";

const LOOK_MS = 1500;

export async function overview(root, { signal, told }) {
  const tried = (promise) => promise.catch((error) => { if (!signal.aborted) told(null, error); });
  const list = new EditList({ signal, tried });
  const form = h("div");
  const memory = h("div");
  const now = h("div", { "aria-live": "polite" });
  const composed = h("section", { class: "wide", hidden: true });
  root.replaceChildren(
    section("Overwrite a fact", form),
    h("section", {}, h("h2", {}, "Memory"), memory, h("h2", {}, "Now"), now),
    list.element,
    composed,
  );
  const state = new Running(now, signal, () => tried(look()));
  let seen = null;
  let named = null;

  async function look() {
    const [{ items: workers }, { items: models }] = await Promise.all([
      get("workers", { signal }),
      get("models", { signal }),
    ]);
    told(models);
    renewForm(models);
    showMemory(workers);
    // The list is read anew only when something moved: it may be long.
    const moved = JSON.stringify([workers.map((w) => [w.id, w.edit_id, w.edits_done]), models]);
    if (moved === seen && !list.isStale) return;
    await Promise.all([list.load(), state.load(models, workers), compositions(composed, signal)]);
    seen = moved;
    showMemory(workers);
  }

  function renewForm(models) {
    const names = JSON.stringify(models.map((model) => model.name));
    if (names === named) return;
    named = names;
    const posted = () => tried(look());
    form.replaceChildren(editForm({ models, signal, posted }));
  }

  function showMemory(workers) {
    if (!workers.length) return show(memory, noWorker());
    const card = (worker) => workerView(worker, state.edits.get(worker.edit_id));
    return show(memory, workers.map(card));
  }

  const keys = {
    n: () => form.querySelector("#prompt")?.focus(),
    j: () => list.step(1),
    k: () => list.step(-1),
    c: () => list.compose(),
    x: () => list.current?.querySelector("input:enabled")?.click(),
    Enter: () => list.current?.querySelector("a")?.click(),
  };
  root.onkey = (key) => keys[key]?.();
  await repeatedly(() => tried(look()), LOOK_MS, signal);
}

const noWorker = () => h(
  "p", { class: "empty" },
  "No worker is running. Start one with ", h("code", {}, "palimpsest up --model DIR"), ".",
);

/** The edits that run, each followed by its event feed. */
class Running {
  constructor(place, signal, ended) {
    Object.assign(this, { place, signal, ended, waiting: 0 });
    Object.assign(this, { edits: new Map(), composing: [], followed: new Set() });
  }

  async load(models, workers) {
    const page = (status) => get(`edits?status=${status}&limit=20`, { signal: this.signal });
    const pages = await Promise.all(["running", "canceling"].map(page));
    const busyWith = workers.map((worker) => worker.edit_id);
    this.composing = busyWith.filter((id) => id?.startsWith("ckpt-"));
    this.waiting = models.reduce((sum, model) => sum + model.queued, 0);
    this.edits = new Map(pages.flatMap(({ items }) => items).map((edit) => [edit.id, edit]));
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
    const isIdle = this.edits.size + this.composing.length === 0;
    show(
      this.place,
      [...this.edits.values()].map(runningEdit),
      this.composing.map(runningComposition),
      h(
        "p", { class: "soft" },
        isIdle && "Nothing is running. ",
        this.waiting ? `${count(this.waiting, "edit")} queued.` : "The queue is empty.",
      ),
    );
  }
}

const runningEdit = (edit) => h(
  "article", { class: "running", "data-running": edit.id },
  h(
    "p", { class: "change" },
    h("a", { href: `#/edits/${edit.id}`, class: "clamp", dir: "auto" }, edit.prompt),
    h("span", { class: "clamp" }, "→ ", h("b", { dir: "auto" }, edit.target_new)),
  ),
  phases(edit),
  h("p", { class: "soft" }, activity(edit)),
);

const runningComposition = (id) => h(
  "p", {},
  "Composing edits: ", h("a", { href: `#/checkpoints/${id}` }, h("code", {}, id)),
);

/** Those of the newest checkpoints that hold several edits; what is shown stays where the store
 * is ill. */
async function compositions(place, signal) {
  const page = await get("checkpoints?limit=200&neurons=false", { signal })
    .catch((error) => { if (!error.status) throw error; });
  if (!page) return;
  const found = page.items.filter((checkpoint) => checkpoint.request.edits);
  place.hidden = !found.length;
  show(
    place,
    h("h2", {}, "Compositions"),
    page.next_cursor
      && h("p", { class: "soft" }, `Among the newest ${page.items.length} checkpoints.`),
    h("ul", {}, found.map(compositionLine)),
  );
}

function compositionLine({ id, request, result }) {
  const facts = `${count(request.edits.length, "edit")}, ${spaced(result.outcome)}`;
  return h("li", {}, h("a", { href: `#/checkpoints/${id}` }, id), ` ${facts}`);
}
