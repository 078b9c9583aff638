// An edit's neurons: a dot each, by layer and score.

import { h, heads, s } from "./dom.js";
import { count } from "./format.js";

const [WIDTH, LEFT, RIGHT, TOP, FOOT] = [720, 46, 24, 8, 34];
const STRONGEST = 20;

/** The picture, with a line below that tells of the dot under the pointer. */
export function neuronPicture(neurons, shape) {
  const plot = planned(neurons, shape);
  const told = h("output", { class: "soft" }, summary(neurons));
  const picture = s(
    "svg", {
      viewBox: `0 0 ${WIDTH} ${plot.height}`,
      role: "img",
      "aria-label": summary(neurons),
      class: "neurons",
    },
    bands(plot),
    axis(plot),
    neurons.map((neuron) => dot(neuron, plot)),
  );
  picture.addEventListener("pointerover", ({ target }) => {
    told.value = target.dataset.told ?? summary(neurons);
  });
  return h("figure", {}, picture, h("figcaption", {}, told), strongest(neurons));
}

function planned(neurons, shape) {
  const layers = shape?.n_layer ?? Math.max(...neurons.map((n) => n.layer)) + 1;
  const band = Math.min(Math.max(320 / layers, 8), 34);
  const scores = neurons.map((n) => n.score);
  const [low, high] = [Math.min(0, ...scores), Math.max(0, ...scores)];
  const units = shape?.d_ff ?? Math.max(...neurons.map((n) => n.unit)) + 1;
  const room = WIDTH - LEFT - RIGHT - 12;
  const y = (layer) => TOP + band * (layers - 1 - layer);
  return {
    layers, band, low, high, height: TOP + band * layers + FOOT,
    x: (score) => LEFT + 6 + (high > low ? (score - low) / (high - low) : 0) * room,
    top: y,
    // Within its band a neuron lies by its number, so that equal scores lie apart.
    y: ({ layer, unit }) => y(layer) + band * (0.12 + (0.76 * unit) / units),
  };
}

const bands = ({ layers, band, top }) => Array.from({ length: layers }, (_, layer) => {
  const y = top(layer);
  const named = band >= 14 || layer % Math.ceil(14 / band) === 0;
  const shade = { class: "band", x: LEFT, y, width: WIDTH - LEFT - RIGHT, height: band };
  return [
    layer % 2 === 0 && s("rect", shade),
    named && s("text", { x: LEFT - 8, y: y + band / 2 + 4, "text-anchor": "end" }, layer),
  ];
});

function axis({ low, high, x, height }) {
  const ticks = [...new Set([low, 0, (low + high) / 2, high])];
  const name = (right, told) =>
    s("text", { x: right, y: height - 3, "text-anchor": "end" }, told);
  return [
    ticks.map((tick) =>
      s("text", { x: x(tick), y: height - 18, "text-anchor": "middle" }, digits(tick))),
    name(WIDTH - RIGHT, "score (attribution)"),
    name(LEFT - 8, "layer"),
  ];
}

function dot(neuron, { x, y }) {
  const facts = [`layer ${neuron.layer}`, `unit ${neuron.unit}`, `score ${digits(neuron.score)}`];
  return s("circle", {
    cx: x(neuron.score), cy: y(neuron), r: 3, "data-told": facts.join(" · "),
  }, s("title", {}, facts.join(", ")));
}

function strongest(neurons) {
  const ordered = [...neurons].sort((a, b) => Math.abs(b.score) - Math.abs(a.score));
  const row = ({ layer, unit, score }) => h("tr", {}, [layer, unit, digits(score)].map((value) =>
    h("td", { class: "number" }, value)));
  return h(
    "details", {},
    h("summary", {}, "The strongest neurons as a table"),
    h(
      "table", { class: "strongest" },
      heads(["Layer", "Unit", "Score"], ["Layer", "Unit", "Score"]),
      h("tbody", {}, ordered.slice(0, STRONGEST).map(row)),
    ),
  );
}

const digits = (score) => (score === 0 ? "0" : score.toPrecision(3));

function summary(neurons) {
  const layers = new Set(neurons.map((n) => n.layer)).size;
  const counts = `${count(neurons.length, "neuron")} in ${count(layers, "layer")}`;
  return `${counts}; point at one to see its unit and score`;
}
