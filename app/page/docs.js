// The API's description as a page: every operation, field and problem, from /openapi.json.

import { get, home } from "./api.js";
import { h } from "./dom.js";

const named = (ref) => ref.split("/").at(-1);
const bodyOf = (operation) => operation.requestBody?.content?.["application/json"]?.schema;

/** A text of paragraphs and list items, with its code set as such. */
function described(text) {
  const code = (part) => (part.startsWith("`") ? h("code", {}, part.slice(1, -1)) : part);
  const paragraph = (line) => h("p", {}, line.split(/(`[^`]+`)/).map(code));
  return text && text.split(/\n(?=- )|\n\n/).map(paragraph);
}

/** A schema's type in a few words, with links to the schemas it names. */
function type(schema = {}) {
  if (schema.$ref) return h("a", { href: `#${named(schema.$ref)}` }, named(schema.$ref));
  const several = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (several) return several.flatMap((one, i) => (i ? [" or ", type(one)] : [type(one)]));
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(", ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return [type(schema.items), " …"];
  return schema.format ? `${schema.type} (${schema.format})` : schema.type ?? "anything";
}

const LIMITS = {
  minimum: "≥",
  exclusiveMinimum: ">",
  maximum: "≤",
  exclusiveMaximum: "<",
  minLength: "length ≥",
  maxLength: "length ≤",
  maxItems: "items ≤",
  pattern: "matches",
};

function limits(schema = {}) {
  const limitsOf = (one) => Object.entries(LIMITS)
    .filter(([name]) => one[name] !== undefined)
    .map(([name, sign]) => `${sign} ${one[name]}`);
  const told = [schema, ...(schema.anyOf ?? [])].flatMap(limitsOf);
  const { default: preset } = schema;
  const isValue = preset !== undefined && preset !== null && typeof preset !== "object";
  if (isValue) told.push(`default ${JSON.stringify(preset)}`);
  return [...new Set(told)].join(", ");
}

/** A table of fields: name, schema, whether it is required, and its description. */
const fields = (rows) => rows.length > 0
  && h("table", { class: "fields" }, h("tbody", {}, rows.map(fieldRow)));

const fieldRow = ([name, schema, required, text]) => h(
  "tr", {},
  h("td", {}, h("code", {}, name), required && h("span", { class: "chip" }, "required")),
  h("td", {}, type(schema), h("span", { class: "soft" }, " ", limits(schema))),
  h("td", {}, described(text ?? schema?.description)),
);

function operationView({ method, path, operation }) {
  const body = bodyOf(operation);
  const parameter = ({ name, schema, required, description = "", in: place }) =>
    [name, schema, required, `${description} (${place})`];
  return h(
    "section", { class: "wide", id: operation.operationId },
    h(
      "h2", {},
      h("span", { class: "chip now" }, method.toUpperCase()), " ",
      h("code", {}, path), " ",
      operation.summary,
    ),
    described(operation.description),
    fields((operation.parameters ?? []).map(parameter)),
    body && h("p", {}, "Body: ", type(body)),
    h(
      "details", { open: true },
      h("summary", {}, "Responses"),
      fields(Object.entries(operation.responses).map(answerRow)),
    ),
    h("details", {}, h("summary", {}, "curl"), h("pre", {}, curl(method, path, body))),
  );
}

function answerRow([status, answer]) {
  const [media, content] = Object.entries(answer.content ?? {})[0] ?? [];
  return [status, content?.schema ?? { type: media ?? "nothing" }, false, answer.description];
}

/** A line for the shell. */
function curl(method, path, body) {
  const sample = body?.$ref && api.components.schemas[named(body.$ref)].examples?.[0];
  const flags = method === "get" ? "" : ` -X ${method.toUpperCase()}`;
  const line = `curl${flags} ${home()}${path}`;
  if (!sample) return line;
  const quoted = JSON.stringify(sample).replaceAll("'", "'\\''");
  return `${line} -H 'Content-Type: application/json' \\\n  -d '${quoted}'`;
}

function schemaView([name, schema]) {
  const hasList = schema.description?.includes("\n- ");
  const property = ([field, one]) => [field, one, schema.required?.includes(field)];
  return h(
    "section", { class: "wide", id: name },
    h("h2", {}, name),
    described(schema.description),
    schema.enum && !hasList
      && h("p", {}, schema.enum.map((value) => [h("code", {}, value), " "])),
    fields(Object.entries(schema.properties ?? {}).map(property)),
    schema.examples && h("pre", {}, JSON.stringify(schema.examples[0], null, 2)),
  );
}

const operationsOf = ([path, methods]) => Object.entries(methods)
  .filter(([method]) => method !== "head")
  .map(([method, operation]) => ({ path, method, operation }));

const contentsLine = ({ path, method, operation }) => h(
  "li", {},
  h("a", { href: `#${operation.operationId}` }, `${method.toUpperCase()} ${path}`),
  ` ${operation.summary ?? ""}`,
);

const tagViews = ({ name, description }) => [
  h("section", { class: "wide head" }, h("h1", {}, name), described(description)),
  ...operations.filter(({ operation }) => operation.tags?.includes(name)).map(operationView),
];

const api = await get("openapi.json");
const operations = Object.entries(api.paths).flatMap(operationsOf);
document.querySelector("main").replaceChildren(
  h(
    "section", { class: "wide" },
    h("h1", {}, `${api.info.title} ${api.info.version}`),
    described(api.info.summary),
    described(api.info.description),
    h("ul", { class: "contents" }, operations.map(contentsLine)),
  ),
  ...(api.tags ?? []).flatMap(tagViews),
  h("section", { class: "wide head" }, h("h1", {}, "Schemas")),
  ...Object.entries(api.components.schemas).map(schemaView),
);
document.getElementById(location.hash.slice(1))?.scrollIntoView();
