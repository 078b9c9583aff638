// The service over HTTP: problems as exceptions, a key where one is asked for, event feeds.

import { pause } from "./dom.js";
import { isFinal } from "./format.js";

const KEY = "palimpsest-key";
const FEED_PAUSE_MS = 1000;
let askForKey = async () => false;

/** What is called when the service wants a key; resolves to whether there is another one now. */
export const whenKeyIsWanted = (ask) => { askForKey = ask; };

export function rememberKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;
/** Where the service is; it may lie below another path, behind a proxy. */
export const home = () => new URL(".", document.baseURI).href.replace(/\/$/, "");

/** The service answered that it will not: an RFC 9457 document. */
class Problem extends Error {
  constructor(status, told) {
    super(told.detail || told.title || `status ${status}`);
    Object.assign(this, { status, code: told.code ?? "unknown", errors: told.errors ?? [], told });
  }
}

/** Nobody answered. */
export class Outage extends Error {}

export async function get(path, options) {
  const response = await answer("GET", path, options);
  return response.json();
}

export async function post(path, body, options = {}) {
  const headers = { ...options.headers };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await answer("POST", path, {
    ...options, headers, body: body && JSON.stringify(body),
  });
  return response.json();
}

export async function blob(path) {
  const response = await answer("GET", path);
  return response.blob();
}

/** Each edit of a page is sent with a key of its own, so that sending it twice makes one. */
export function once() {
  const random = [...crypto.getRandomValues(new Uint8Array(16))];
  const key = random.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { headers: { "Idempotency-Key": key } };
}

async function answer(method, path, { signal, body, headers } = {}) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const response = await sent(method, path, { signal, body, headers, key });
    if (response.ok) return response;
    if (response.status === 401 && key !== sessionStorage.getItem(KEY)) continue; // given meanwhile
    const unreadable = () => ({ detail: `the answer has status ${response.status}` });
    const told = await response.json().catch(unreadable);
    const { status } = response;
    if (status !== 401 || !(await askForKey(hasKey()))) throw new Problem(status, told);
  }
}

async function sent(method, path, { signal, body, headers, key }) {
  const bearer = key ? { Authorization: `Bearer ${key}` } : {};
  const options = { method, signal, body, headers: { ...headers, ...bearer }, cache: "no-cache" };
  try {
    return await fetch(`${home()}/${path}`, options);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Outage("the service does not answer");
  }
}

/** The events of an edit, past ones first, as they happen; goes on after a broken connection.
 * An EventSource could not send the key. */
export async function* events(editId, signal) {
  let last = null;
  while (!signal.aborted) {
    try {
      const headers = { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
      const response = await answer("GET", `edits/${editId}/events`, { signal, headers });
      if (response.status === 204) return;
      for await (const event of parsed(response.body)) {
        last = event.id;
        yield event;
        if (isFinal({ status: event.type })) return;
      }
    } catch (error) {
      if (signal.aborted || error.status < 500) return; // what may pass is asked for again
    }
    await pause(FEED_PAUSE_MS, signal);
  }
}

async function* parsed(body) {
  let text = "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (text + value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").find((line) => line.startsWith("data: "));
      if (data) yield JSON.parse(data.slice(6));
    }
  }
}
