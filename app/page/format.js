// Values as people read them.

const UNITS = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]];

export function bytes(n) {
  if (n === null || n === undefined) return "–";
  const [unit, scale] = UNITS.find(([, size]) => n >= size) ?? ["B", 1];
  return `${scale === 1 ? n : (n / scale).toFixed(n / scale >= 100 ? 0 : 1)} ${unit}`;
}

export function seconds(s) {
  if (s === null || s === undefined) return "–";
  if (s < 10) return `${s.toFixed(s < 1 ? 2 : 1)} s`;
  return s < 90 ? `${Math.round(s)} s` : `${Math.round(s / 60)} min`;
}

export const time = (at) =>
  new Date(at).toLocaleString([], { dateStyle: "short", timeStyle: "medium" });
export const between = (from, to) => (new Date(to) - new Date(from)) / 1000;
export const count = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
/** A name of the API as words. */
export const spaced = (name) => name.replaceAll("_", " ");

const FINAL_STATES = new Set(["succeeded", "failed", "canceled"]);
export const isFinal = ({ status }) => FINAL_STATES.has(status);

/** Where an edit or a composition stands, in a word or two. */
export function verdict(job) {
  const outcome = job.outcome ?? job.result?.outcome;
  if (job.status === "succeeded" && outcome) return outcome === "held" ? "held" : "not held";
  return job.status;
}

const TONES = {
  held: "good",
  "not held": "warn",
  failed: "bad",
  running: "now",
  canceling: "now",
};

/** The colour class of a verdict. */
export const tone = (state) => TONES[state] ?? "";

const REASONS = {
  no_worker: "no worker available",
  waiting_for_memory: "waiting for memory",
  retrying: "will be retried",
};

/** What an unfinished job is at. */
export function activity(job) {
  if (job.status === "queued") return waiting(job);
  if (job.status === "canceling") return "stopping";
  const phase = job.phase ?? "starting";
  const { progress } = job;
  return progress ? `${phase} · ${progress.done} of ${progress.total} ${progress.unit}` : phase;
}

function waiting({ queued_reason: reason, queue }) {
  if (reason) return REASONS[reason] ?? spaced(reason);
  const place = queue?.position ? `${queue.position} ahead` : "next";
  const eta = queue?.eta_s ? ` · about ${seconds(queue.eta_s)}` : "";
  return `queued, ${place}${eta}`;
}
