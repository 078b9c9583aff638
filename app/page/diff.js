// What changed between two texts, word by word.

import { h } from "./dom.js";

const WORDS = /\s+|[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu;

/** The words of both, each marked as kept or not: the longest common subsequence stays. */
export function marked(before, after) {
  const [a, b] = [before, after].map((text) => text.match(WORDS) ?? []);
  const common = lengths(a, b);
  const [left, right] = [[], []];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      left.push([a[i++], true]);
      right.push([b[j++], true]);
    } else if (j >= b.length || (i < a.length && common[i + 1][j] >= common[i][j + 1])) {
      left.push([a[i++], false]);
    } else {
      right.push([b[j++], false]);
    }
  }
  return [left, right];
}

function lengths(a, b) {
  const table = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i][j] = a[i] === b[j]
        ? table[i + 1][j + 1] + 1
        : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  return table;
}

/** Both texts as elements: what went is struck out, what came is marked. */
export function compared(before, after) {
  const [left, right] = marked(before, after);
  const told = (words, tag) => h("span", { class: "said" }, joined(words).map(([text, kept]) =>
    (kept ? text : h(tag, {}, text))));
  return [told(left, "del"), told(right, "ins")];
}

const joined = (words) => words.reduce((runs, [text, kept]) => {
  const run = runs.at(-1);
  if (run && run[1] === kept) run[0] += text;
  else runs.push([text, kept]);
  return runs;
}, []);
