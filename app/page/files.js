// A checkpoint's files, and a line for each tool that loads it.

import { blob, hasKey, home } from "./api.js";
import { h, heads, show } from "./dom.js";
import { bytes } from "./format.js";
import { problemView } from "./problem.js";

/** The files of a checkpoint with their downloads, and lines to copy. */
export function filesView(checkpoint) {
  const refusal = h("div", { role: "alert" });
  const row = (file) => h(
    "tr", {},
    h("td", {}, h("button", {
      type: "button", class: "link", onclick: () => save(checkpoint, file, refusal),
    }, file.path)),
    h("td", { class: "number" }, bytes(file.size_bytes)),
    h("td", {}, h("code", { title: file.sha256 }, file.sha256.slice(0, 12))),
  );
  return h(
    "div", {},
    h(
      "table", { class: "files" },
      heads(["File", "Size", "SHA-256"], ["Size"]),
      h("tbody", {}, checkpoint.files.map(row)),
    ),
    refusal,
    Object.entries(linesFor(checkpoint)).map(([tool, line]) => copyable(tool, line)),
  );
}

/** What vLLM's `--max-lora-rank` may be, of all its versions. */
const VLLM_RANKS = [8, 16, 32, 64, 128, 256, 320, 512];

/** One line a tool; a key is never put into them, the shell's own variable is. */
function linesFor({ id, model, parts, request }) {
  const key = hasKey();
  const hub = `HF_ENDPOINT=${home()}/hub ${key ? "HF_TOKEN=$PALIMPSEST_API_KEY " : ""}`;
  const header = key ? '-H "Authorization: Bearer $PALIMPSEST_API_KEY" ' : "";
  const adapter = `palimpsest/${id}-lora`;
  const rank = Math.max(request.pad_rank ?? 0, ...parts.map((part) => part.end_rank));
  const room = VLLM_RANKS.find((taken) => taken >= rank);
  const lines = {
    transformers: hub + python(
      "from transformers import AutoModelForCausalLM as M",
      `model = M.from_pretrained("palimpsest/${id}")`,
    ),
    PEFT: hub + python(
      "from transformers import AutoModelForCausalLM as M",
      "from peft import PeftModel",
      `model = PeftModel.from_pretrained(M.from_pretrained("${model}"), "${adapter}")`,
    ),
  };
  if (room) {
    const rankFlag = `--enable-lora --max-lora-rank ${room}`;
    lines.vLLM = `${hub}vllm serve ${model} ${rankFlag} --lora-modules edited=${adapter}`;
  }
  const files = `${home()}/checkpoints/${id}/files/{adapter_config.json,adapter_model.safetensors}`;
  lines.curl = `curl -f ${header}--remote-name-all ${files}`;
  return lines;
}

const python = (...statements) => `python -c '${statements.join("; ")}'`;

function copyable(tool, line) {
  const text = h("code", {}, line);
  const button = h("button", {
    type: "button",
    class: "quiet",
    "aria-label": `Copy the command for ${tool}`,
    onclick: async () => {
      await copy(line, text);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    },
  }, "Copy");
  return h("div", { class: "copyable" }, h("b", {}, tool), h("pre", { tabindex: 0 }, text), button);
}

/** The clipboard is closed to pages that came over plain HTTP from elsewhere: then the line is
 * selected. */
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
