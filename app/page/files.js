// A checkpoint's files, and a line for each tool that loads it.

import { h, heads, show } from "./dom.js";
import { blob, hasKey, home } from "./api.js";
import { bytes } from "./format.js";
import { problemView } from "./problem.js";

/** The files of a checkpoint with their downloads, and lines to copy. */
export function filesView(checkpoint) {
  const refusal = h("div", { role: "alert" });
  return h("div", {},
    h("table", { class: "files" }, heads(["File", "Size", "SHA-256"], ["Size"]),
      h("tbody", {}, checkpoint.files.map((file) => h("tr", {},
        h("td", {}, h("button", { type: "button", class: "link", onclick: () => save(checkpoint, file, refusal) }, file.path)),
        h("td", { class: "number" }, bytes(file.size_bytes)), h("td", {}, h("code", { title: file.sha256 }, file.sha256.slice(0, 12))))))),
    refusal, Object.entries(linesFor(checkpoint)).map(([tool, line]) => copyable(tool, line)));
}

/** What vLLM's `--max-lora-rank` may be, of all its versions. */
const VLLM_RANKS = [8, 16, 32, 64, 128, 256, 320, 512];

/** One line a tool; a key is never put into them, the shell's own variable is. */
function linesFor({ id, model, parts, request }) {
  const key = hasKey();
  const hub = `HF_ENDPOINT=${home()}/hub ${key ? "HF_TOKEN=$PALIMPSEST_API_KEY " : ""}`;
  const load = "from transformers import AutoModelForCausalLM as M";
  const header = key ? '-H "Authorization: Bearer $PALIMPSEST_API_KEY" ' : "";
  const rank = Math.max(request.pad_rank ?? 0, ...parts.map((part) => part.end_rank));
  const room = VLLM_RANKS.find((taken) => taken >= rank);
  return {
    transformers: `${hub}python -c '${load}; model = M.from_pretrained("palimpsest/${id}")'`,
    PEFT: `${hub}python -c '${load}; from peft import PeftModel; model = PeftModel.from_pretrained(M.from_pretrained("${model}"), "palimpsest/${id}-lora")'`,
    ...(room && { vLLM: `${hub}vllm serve ${model} --enable-lora --max-lora-rank ${room} --lora-modules edited=palimpsest/${id}-lora` }),
    curl: `curl -f ${header}--remote-name-all ${home()}/checkpoints/${id}/files/{adapter_config.json,adapter_model.safetensors}`,
  };
}

function copyable(tool, line) {
  const button = h("button", { type: "button", class: "quiet", "aria-label": `Copy the line for ${tool}`, onclick: async () => {
    await copy(line, text);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } }, "Copy");
  const text = h("code", {}, line);
  return h("div", { class: "copyable" }, h("b", {}, tool), h("pre", { tabindex: 0 }, text), button);
}

/** The clipboard is closed to pages that came over plain HTTP from elsewhere: then the line is selected. */
async function copy(line, text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(line);
  getSelection().selectAllChildren(text);
  return document.execCommand("copy");
}

/** A link could not send the key. */
async function save(checkpoint, file, refusal) {
  try {
    const url = URL.createObjectURL(await blob(`checkpoints/${checkpoint.id}/files/${file.path}`));
    h("a", { href: url, download: file.path.split("/").at(-1) }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  } catch (error) {
    show(refusal, problemView(error));
  }
}
