// The list of edits, and the bar that composes what is ticked in it.

import { get, once, post } from "./api.js";
import { h, show } from "./dom.js";
import { activity, count, isFinal, spaced, time, tone, verdict } from "./format.js";
import { problemView } from "./problem.js";

const [PAGE, ANSWER] = [30, 60];
const STATES = ["queued", "running", "succeeded", "failed", "canceled"];
const ticked = new Set();

export class EditList {
  /** `tried` takes what a load promises, and tells when that fails. */
  constructor({ signal, tried }) {
    Object.assign(this, { signal, tried, status: "", pages: 1, turn: 0, isStale: true });
    this.rows = h("tbody");
    this.more = h("div", { class: "more" });
    this.bar = h("div", { class: "compose", role: "region", "aria-label": "Ticked edits" });
    this.element = h(
      "section", { class: "wide" },
      h(
        "div", { class: "title" },
        h("h2", {}, "Edits"),
        h("label", { class: "inline" }, "Show ", this.filter()),
      ),
      h("table", { class: "edits" }, head(), this.rows),
      this.more,
      this.bar,
    );
    // Ticking is heard here, since rows come and go.
    this.rows.addEventListener("change", ({ target }) => {
      if (target.checked) ticked.add(target.dataset.tick);
      else ticked.delete(target.dataset.tick);
      this.tell();
    });
    this.tell();
  }

  filter() {
    const onchange = ({ target }) => {
      Object.assign(this, { status: target.value, pages: 1 });
      this.tried(this.load());
    };
    return h(
      "select", { "aria-label": "State", onchange },
      h("option", { value: "" }, "all"),
      STATES.map((name) => h("option", {}, name)),
    );
  }

  async load() {
    const turn = ++this.turn; // of several, the last one counts, whichever comes last
    this.isStale = true;
    const items = [];
    let cursor = null;
    for (let page = 0; page < this.pages; page++) {
      const told = await get(`edits?${this.query(cursor)}`, { signal: this.signal });
      if (turn !== this.turn) return;
      items.push(...told.items);
      cursor = told.next_cursor;
      if (cursor === null) break;
    }
    this.isStale = false;
    this.draw(items, { hasOlder: cursor !== null });
  }

  query(cursor) {
    const query = new URLSearchParams({ limit: PAGE, neurons: false });
    if (this.status) query.set("status", this.status);
    if (cursor) query.set("cursor", cursor);
    return query;
  }

  draw(items, { hasOlder }) {
    const focused = focusedRow()?.dataset.id;
    show(this.rows, items.length ? items.map(row) : emptyRow(this.status));
    if (focused) this.rows.querySelector(`[data-id="${focused}"]`)?.focus();
    const onclick = () => {
      this.pages += 1;
      this.tried(this.load());
    };
    show(this.more);
    if (hasOlder) {
      this.more.append(h("button", { type: "button", class: "quiet", onclick }, "Older edits"));
    }
  }

  tell(problem) {
    show(this.bar, problem && problemView(problem));
    this.bar.hidden = ticked.size === 0;
    const clear = () => this.clear();
    this.bar.append(
      h("span", {}, `${count(ticked.size, "edit")} ticked`),
      h("button", { type: "button", onclick: () => this.compose() }, "Compose into one"),
      h("button", { type: "button", class: "quiet", onclick: clear }, "Untick all"),
    );
  }

  clear() {
    ticked.clear();
    for (const box of this.rows.querySelectorAll("[data-tick]")) box.checked = false;
    this.tell();
  }

  async compose() {
    if (!ticked.size) return;
    try {
      const made = await post("checkpoints", { edits: [...ticked.keys()] }, once());
      ticked.clear();
      location.hash = `#/checkpoints/${made.id}`;
    } catch (error) {
      this.tell(error);
    }
  }

  /** Move the focus by one row. */
  step(by) {
    const rows = [...this.rows.querySelectorAll("tr[data-id]")];
    const at = rows.indexOf(focusedRow());
    rows[Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
  }

  /** The row that has the focus. */
  get current() {
    return this.rows.querySelector("tr:focus-within, tr:focus");
  }
}

const focusedRow = () => document.activeElement?.closest?.("tr[data-id]");

const head = () => h("thead", {}, h(
  "tr", {},
  h("th", { scope: "col" }, h("span", { class: "unseen" }, "Tick")),
  ["State", "Prompt", "Before → after", "Created"].map((name) => h("th", { scope: "col" }, name)),
));

function row(edit) {
  const box = h("input", {
    type: "checkbox",
    disabled: !edit.checkpoint_id,
    checked: ticked.has(edit.id),
    "aria-label": `Tick ${edit.prompt}`,
    "data-tick": edit.id,
  });
  const state = verdict(edit);
  const told = edit.error ? spaced(edit.error.code) : state;
  const link = h("a", { href: `#/edits/${edit.id}`, class: "clamp" }, edit.prompt);
  return h(
    "tr", { "data-id": edit.id, tabindex: -1 },
    h("td", {}, box),
    h("td", {}, h("span", { class: `chip ${tone(state)}` }, told)),
    h("td", { class: "prompt", dir: "auto" }, link),
    h("td", { class: "change" }, h("div", { class: "clamp" }, change(edit))),
    h("td", { class: "soft when" }, time(edit.created_at)),
  );
}

function emptyRow(status) {
  const told = status
    ? "No edits in this state."
    : "No edits yet. Use the form above to make the first one.";
  return h("tr", {}, h("td", { colspan: 5, class: "empty" }, told));
}

/** A text within another, written in its own direction. */
const text = (told) => h("bdi", {}, told);

/** So much of an answer that the one after it still fits. */
function short(told) {
  const all = [...told.trim()];
  return all.length > ANSWER ? `${all.slice(0, ANSWER - 1).join("")}…` : all.join("");
}

function change(edit) {
  const soft = (...told) => h("span", { class: "soft" }, told);
  if (edit.status === "queued") return soft(activity(edit));
  const isAnswered = isFinal(edit) && edit.before !== null && edit.after !== null;
  if (!isAnswered) return soft("wanted: ", text(edit.target_new));
  return [
    h("del", { dir: "auto" }, short(edit.before)),
    " → ",
    h("ins", { dir: "auto" }, short(edit.after)),
  ];
}
