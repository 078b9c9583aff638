// What the model answered before and after, as a table.

import { compared } from "./diff.js";
import { h, heads } from "./dom.js";

/** The prompts that were asked, what changed in the answers marked. */
export const answers = (asked) => h("table", { class: "answers" },
  heads(["", "Prompt", "Before", "After", "Wanted"]),
  h("tbody", {}, asked.map((answer) => {
    const [before, after] = compared(answer.before, answer.after);
    return h("tr", {}, h("td", { class: "soft role" }, answer.role), h("td", { dir: "auto" }, answer.prompt), h("td", { "data-label": "before", dir: "auto" }, before),
      h("td", { "data-label": "after", dir: "auto" }, after), h("td", { class: "soft", "data-label": "wanted", dir: "auto" }, answer.expected ?? "–"));
  })));
