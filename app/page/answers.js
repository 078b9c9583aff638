// What the model answered before and after, as a table.

import { compared } from "./diff.js";
import { h, heads } from "./dom.js";

/** The prompts that were asked, what changed in the answers marked. */
export const answers = (asked) => h(
  "table", { class: "answers" },
  heads(["", "Prompt", "Before", "After", "Expected"]),
  h("tbody", {}, asked.map(row)),
);

function row({ role, prompt, before, after, expected }) {
  const [left, right] = compared(before, after);
  return h(
    "tr", {},
    h("td", { class: "soft role" }, role),
    h("td", { dir: "auto" }, prompt),
    h("td", { "data-label": "before", dir: "auto" }, left),
    h("td", { "data-label": "after", dir: "auto" }, right),
    h("td", { class: "soft", "data-label": "wanted", dir: "auto" }, expected ?? "–"),
  );
}
