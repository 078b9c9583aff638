// The page: which view the address names, who is served, the key, the keyboard.

import { h, show } from "./dom.js";
import { rememberKey, whenKeyIsWanted } from "./api.js";
import { checkpointPage } from "./checkpoint.js";
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

function visit() {
  leaving.abort();
  leaving = new AbortController();
  const [found, view] = VIEWS.map(([form, page]) => [location.hash.match(form), page]).find(([match]) => match) ?? [null, overview];
  main.className = view.name;
  main.onkey = null;
  main.replaceChildren(h("p", { class: "soft wide" }, "Asking the service…"));
  document.title = ["Palimpsest", ...(found ? [found[1]] : [])].join(" · ");
  outage.hidden = true;
  scrollTo(0, 0);
  view(main, { id: found?.[1], signal: leaving.signal, told }).catch((error) => { if (error.name !== "AbortError") told(null, error); });
}

/** What every view learns of the service: its models, or that it does not answer. */
function told(models, error) {
  outage.hidden = !error;
  if (error) outage.textContent = error.status === 401 ? "This service needs a key: enter it under “Key…” above." : `${error.message}${error.status ? "" : "; trying again"}`;
  if (!models) return;
  const alive = models.filter((model) => model.workers > 0);
  show(served, models.length === 0 ? "no model is served yet"
    : [h("i", { class: alive.length ? "dot good" : "dot bad" }), (alive.length ? alive : models).map((model) => model.name).join(", "), alive.length ? "" : " (no worker)"]);
}

// Its address would name no view.
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });

const keyDialog = document.querySelector("#ask-key");
let asking = null;
let declined = false;

/** Several calls may be refused at once: they wait for one answer. Who gave none is not pressed. */
function ask(hadKey) {
  asking ??= new Promise((resolve) => {
    document.querySelector("#ask-key-why").textContent = hadKey ? "That key opens nothing here." : "This service asks for a key.";
    keyDialog.querySelector("input").value = "";
    keyDialog.addEventListener("close", () => {
      asking = null;
      const key = keyDialog.querySelector("input").value.trim();
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
keyDialog.querySelector("input").addEventListener("keydown", (event) => {
  if (event.key === "Enter") { event.preventDefault(); keyDialog.close("ok"); }
});

whenKeyIsWanted((hadKey) => !declined && ask(hadKey));
document.querySelector("[data-asks=key]").addEventListener("click", () => ask(false).then((given) => given && visit()));
document.querySelector("[data-asks=keys]").addEventListener("click", () => document.querySelector("#keys").showModal());

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox]), textarea, select, dialog[open]");
  if (event.key === "Escape" && typing?.matches("input, textarea")) return typing.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return undefined;
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return undefined;
  if (event.key === "?") return document.querySelector("#keys").showModal();
  if (event.key === "h") { location.hash = "#/"; return undefined; }
  if ("njkxc".includes(event.key) || event.key === "Enter") {
    if (event.key === "n") event.preventDefault();
    main.onkey?.(event.key);
  }
  return undefined;
});

window.addEventListener("hashchange", () => { visit(); main.focus({ preventScroll: true }); });
visit();
