// Why something was not done: a problem that the service told, or an outage.

import { h } from "./dom.js";
import { spaced } from "./format.js";
import { admissionView } from "./memory.js";

/** Why something was not done, and where in the request it lies. */
export function problemView(error) {
  const admission = error.told?.admission;
  const fields = (error.errors ?? []).filter(({ detail }) => detail !== error.message);
  return h(
    "div", { class: "problem" },
    h("p", {}, h("b", {}, error.code ? spaced(error.code) : "unavailable"), `: ${error.message}`),
    fields.map(({ pointer, detail }) =>
      h("p", { class: "soft" }, h("code", {}, pointer), ` ${detail}`)),
    admission && admissionView(admission),
  );
}
