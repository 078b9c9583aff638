// The API's description as a page: every operation, field and problem, from /openapi.json.

import { h } from "./dom.js";
import { get, home } from "./api.js";

const main = document.querySelector("main");
const named = (ref) => ref.split("/").at(-1);

const described = (text) => text && text.split(/\n(?=- )|\n\n/).map((line) => h("p", {}, line.split(/(`[^`]+`)/).map((part) => (part.startsWith("`") ? h("code", {}, part.slice(1, -1)) : part))));

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

const LIMITS = { minimum: "≥", exclusiveMinimum: ">", maximum: "≤", exclusiveMaximum: "<", minLength: "length ≥", maxLength: "length ≤", maxItems: "at most", pattern: "matches" };

function limits(schema = {}) {
  const all = [schema, ...(schema.anyOf ?? [])];
  const told = all.flatMap((one) => Object.entries(LIMITS).filter(([name]) => one[name] !== undefined).map(([name, sign]) => `${sign} ${one[name]}`));
  if (schema.default !== undefined && schema.default !== null && typeof schema.default !== "object") told.push(`default ${JSON.stringify(schema.default)}`);
  return [...new Set(told)].join(", ");
}

const fields = (rows) => rows.length > 0 && h("table", { class: "fields" }, h("tbody", {}, rows.map(([name, schema, required, text]) => h("tr", {},
  h("td", {}, h("code", {}, name), required && h("span", { class: "chip" }, "required")),
  h("td", {}, type(schema), h("span", { class: "soft" }, " ", limits(schema))), h("td", {}, described(text ?? schema?.description))))));

function operation(method, path, told) {
  const body = told.requestBody?.content?.["application/json"]?.schema;
  const answers = Object.entries(told.responses).map(([status, answer]) => {
    const [media, content] = Object.entries(answer.content ?? {})[0] ?? [];
    return [status, content?.schema ?? { type: media ?? "nothing" }, false, answer.description];
  });
  return h("section", { class: "wide", id: told.operationId },
    h("h2", {}, h("span", { class: "chip now" }, method.toUpperCase()), " ", h("code", {}, path), " ", told.summary),
    described(told.description),
    fields((told.parameters ?? []).map((p) => [`${p.name}`, p.schema, p.required, `${p.description ?? ""} (${p.in})`])),
    body && h("p", {}, "Body: ", type(body)),
    h("details", { open: true }, h("summary", {}, "Answers"), fields(answers)),
    example(method, path, told));
}

/** A line for the shell. */
function example(method, path, told) {
  const ref = told.requestBody?.content?.["application/json"]?.schema?.$ref;
  const sample = ref && api.components.schemas[named(ref)].examples?.[0];
  const flags = method === "get" ? "" : ` -X ${method.toUpperCase()}`;
  const body = sample ? ` -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(sample).replaceAll("'", "'\\''")}'` : "";
  return h("details", {}, h("summary", {}, "curl"), h("pre", {}, `curl${flags} ${home()}${path}${body}`));
}

const schema = (name, told) => h("section", { class: "wide", id: name }, h("h2", {}, name), described(told.description),
  told.enum && !told.description?.includes("\n- ") && h("p", {}, told.enum.map((value) => [h("code", {}, value), " "])),
  fields(Object.entries(told.properties ?? {}).map(([field, one]) => [field, one, told.required?.includes(field)])),
  told.examples && h("pre", {}, JSON.stringify(told.examples[0], null, 2)));

const api = await get("openapi.json");
const operations = Object.entries(api.paths).flatMap(([path, methods]) => Object.entries(methods).filter(([method]) => method !== "head").map(([method, told]) => ({ path, method, told })));
main.replaceChildren(
  h("section", { class: "wide" }, h("h1", {}, `${api.info.title} ${api.info.version}`), described(api.info.summary), described(api.info.description),
    h("ul", { class: "contents" }, operations.map(({ path, method, told }) => h("li", {}, h("a", { href: `#${told.operationId}` }, `${method.toUpperCase()} ${path}`), ` ${told.summary ?? ""}`)))),
  ...(api.tags ?? []).flatMap((tag) => [h("section", { class: "wide head" }, h("h1", {}, tag.name), described(tag.description)),
    ...operations.filter(({ told }) => told.tags?.includes(tag.name)).map(({ path, method, told }) => operation(method, path, told))]),
  h("section", { class: "wide head" }, h("h1", {}, "Schemas")),
  ...Object.entries(api.components.schemas).map(([name, told]) => schema(name, told)));
document.getElementById(location.hash.slice(1))?.scrollIntoView();
