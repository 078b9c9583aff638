// Elements, made of values.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element; `on…` attributes are listeners, false and null ones are left out. */
export const h = (tag, attributes = {}, ...children) =>
  built(document.createElement(tag), attributes, children);

/** An SVG element. */
export const s = (tag, attributes = {}, ...children) =>
  built(document.createElementNS(SVG, tag), attributes, children);

function built(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (isLeftOut(value)) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    // The policy forbids the attribute.
    else if (name === "style") Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => !isLeftOut(child)));
  return element;
}

const isLeftOut = (value) => value === null || value === undefined || value === false;

/** Put other content in a place, unless nothing changed: what has the focus or is read stays. */
export function show(place, ...content) {
  const next = h("div", {}, content);
  if (place.innerHTML !== next.innerHTML) place.replaceChildren(...next.childNodes);
}

/** A part of the page under a heading. */
export const section = (title, ...content) =>
  h("section", {}, h("h2", {}, title), content);

/** A table's head; the names of `numbers` stand to the right, as the numbers below them do. */
export const heads = (names, numbers = []) => h("thead", {}, h("tr", {},
  names.map((name) => h("th", { scope: "col", class: numbers.includes(name) && "number" }, name))));

/** A bar of `parts` (name, share of the whole, class), with `marks` (name, share) across it. */
export function bar(label, parts, marks = []) {
  const percent = ({ share }) => `${100 * Math.min(share, 1)}%`;
  const span = (part) =>
    h("span", { class: part.class, title: part.name, style: { width: percent(part) } });
  return h(
    "div", { class: "bar", role: "img", "aria-label": label },
    parts.map(span),
    marks.map((mark) => h("i", { title: mark.name, style: { left: percent(mark) } })),
  );
}

/** Run `step` now and every `pauseMs`, never while the page is hidden, until `signal` ends it. */
export async function repeatedly(step, pauseMs, signal) {
  while (!signal.aborted) {
    if (!document.hidden) await step();
    await pause(pauseMs, signal);
  }
}

export const pause = (ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener("abort", () => {
    clearTimeout(timer);
    resolve();
  }, { once: true });
});
