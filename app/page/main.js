// The page: which view the address names, who is served, the key, the keyboard.

import { rememberKey, whenKeyIsWanted } from "./api.js";
import { checkpointPage } from "./checkpoint.js";
import { h, show } from "./dom.js";
import { editPage } from "./edit.js";
import { overview } from "./overview.js";

const VIEWS = [
  [/^#\/edits\/(edit-[0-9a-f]+)$/, editPage],
  [/^#\/checkpoints\/(ckpt-[0-9a-f]+)$/, checkpointPage],
];
const main = document.querySelector("main");
const served = document.querySelector("#served");
const outage = document.querySelector("#outage");
let leaving = new AbortController();

/** The view that the address names, and the id in it. */
function named(address) {
  for (const [form, view] of VIEWS) {
    const found = address.match(form);
    if (found) return { view, id: found[1] };
  }
  return { view: overview };
}

function visit() {
  leaving.abort();
  leaving = new AbortController();
  const { view, id } = named(location.hash);
  main.onkey = null;
  main.replaceChildren(h("p", { class: "soft wide" }, "Loading…"));
  document.title = id ? `Palimpsest · ${id}` : "Palimpsest";
  outage.hidden = true;
  scrollTo(0, 0);
  view(main, { id, signal: leaving.signal, told }).catch((error) => {
    if (error.name !== "AbortError") told(null, error);
  });
}

/** What every view learns of the service: its models, or that it does not answer. */
function told(models, error) {
  outage.hidden = !error;
  if (error) outage.textContent = outageText(error);
  if (models) show(served, servedModels(models));
}

function outageText({ status, message }) {
  if (status === 401) return "This service needs a key: enter it under “API key…” above.";
  return status ? message : `${message}; trying again`;
}

function servedModels(models) {
  if (models.length === 0) return "no model is served yet";
  const alive = models.filter((model) => model.workers > 0);
  const names = (alive.length ? alive : models).map((model) => model.name).join(", ");
  return [
    h("i", { class: alive.length ? "dot good" : "dot bad" }),
    alive.length ? names : `${names} (no worker)`,
  ];
}

// Its address would name no view.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});

const keyDialog = document.querySelector("#ask-key");
const keyField = keyDialog.querySelector("input");
let asking = null;
let declined = false;

/** Several calls may be refused at once: they wait for one answer. Who gave none is not pressed. */
function ask(hadKey) {
  asking ??= new Promise((resolve) => {
    document.querySelector("#ask-key-why").textContent = hadKey
      ? "That key is not valid here."
      : "This service requires a key.";
    keyField.value = "";
    keyDialog.addEventListener("close", () => {
      asking = null;
      const key = keyField.value.trim();
      declined = keyDialog.returnValue !== "ok";
      if (declined) return resolve(false);
      rememberKey(key);
      return resolve(key !== "");
    }, { once: true });
    keyDialog.returnValue = "";
    keyDialog.showModal();
  });
  return asking;
}

// Enter in the field means "use it", not the first button.
keyField.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  keyDialog.close("ok");
});

const showKeys = () => document.querySelector("#keys").showModal();

whenKeyIsWanted((hadKey) => !declined && ask(hadKey));
document.querySelector("[data-asks=key]").addEventListener("click", async () => {
  if (await ask(false)) visit();
});
document.querySelector("[data-asks=keys]").addEventListener("click", showKeys);

const TYPED_INTO = "input:not([type=checkbox]), textarea, select, dialog[open]";

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  const typing = target.closest(TYPED_INTO);
  if (key === "Escape" && typing?.matches("input, textarea")) typing.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (key === "Enter" && target.closest("a, button, summary")) return;
  if (key === "?") showKeys();
  if (key === "h") location.hash = "#/";
  if (key === "n") event.preventDefault();
  if ([..."njkxc", "Enter"].includes(key)) main.onkey?.(key);
});

window.addEventListener("hashchange", () => {
  visit();
  main.focus({ preventScroll: true });
});
visit();
