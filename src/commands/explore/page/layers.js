// ---- The choice of layers: auto, or one or more of the model's

import { methodOf, modelOf, now } from "./now.js";
import { change } from "./controls.js";

const chosenIn = (pane) => (now.settings[pane].layers === "auto" ? [] : now.settings[pane].layers.split(","));

/** Says what is chosen. */
export function showLayers(pane) {
  const choice = inPane(pane, "layers");
  const method = methodOf(pane);
  const chosen = chosenIn(pane);
  const summary = choice.querySelector("summary");
  const some = chosen.length > 2 ? `${chosen.length} layers` : chosen.join(", ");
  const words = method?.takes_layers === false ? "none" : some || "auto";
  summary.textContent = words;
  summary.title = chosen.join(", ") || (method?.auto_layers ?? "");
  summary.setAttribute("aria-label", `Layers: ${words}`);
  choice.classList.toggle("disabled", method?.takes_layers === false);
  if (method?.takes_layers === false) choice.open = false;
  inPane(pane, "layers-auto").checked = chosen.length === 0;
  inPane(pane, "layers-auto-note").textContent = method?.auto_layers ?? "";
  for (const input of inPane(pane, "layers-list").querySelectorAll("input")) input.checked = chosen.includes(input.value);
}

function line(pane, { path, class: name, stride, shape, heads }) {
  const input = make("input", { type: "checkbox", value: path });
  input.addEventListener("input", () => choose(pane));
  const facts = [name, stride ? `stride ${stride}` : "", shape?.join("×"), heads.map((head) => head.split("/")[0]).join(" ")];
  const text = make("span", { textContent: facts.filter(Boolean).join(", ") });
  return make("li", {}, make("label", { className: "layer" }, input, " ", make("b", { textContent: path }), " ", text));
}

/** Takes what is checked, in the order of the network; layers that are not listed stay chosen. */
function choose(pane) {
  const inputs = [...inPane(pane, "layers-list").querySelectorAll("input")];
  const listed = new Set(inputs.map(({ value }) => value));
  const checked = inputs.filter((input) => input.checked).map(({ value }) => value);
  const wanted = new Set([...checked, ...chosenIn(pane).filter((path) => !listed.has(path))]);
  const paths = modelOf(pane).layers.map(({ path }) => path).filter((path) => wanted.has(path));
  change(pane, { layers: paths.join(",") || "auto" });
}

/** Lists the layers that are asked for: by path, class or head, and those that are chosen. */
function fill(pane) {
  const wanted = inPane(pane, "layers-find").value.trim().toLowerCase();
  const withInner = inPane(pane, "layers-inner").checked;
  const chosen = chosenIn(pane);
  const fits = ({ path, class: name, heads, is_outermost: isOutermost }) =>
    chosen.includes(path) ||
    ((withInner || isOutermost) && [path, name, ...heads].some((text) => text.toLowerCase().includes(wanted)));
  inPane(pane, "layers-list").replaceChildren(...modelOf(pane).layers.filter(fits).map((layer) => line(pane, layer)));
  showLayers(pane);
}

for (const pane of [0, 1]) {
  const choice = inPane(pane, "layers");
  choice.addEventListener("toggle", () => choice.open && fill(pane));
  for (const id of ["layers-find", "layers-inner"]) inPane(pane, id).addEventListener("input", () => fill(pane));
  inPane(pane, "layers-auto").addEventListener("input", () => change(pane, { layers: "auto" }));
  inPane(pane, "model").addEventListener("input", () => (choice.open = false));
  choice.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    choice.open = false;
    choice.querySelector("summary").focus();
  });
  addEventListener("pointerdown", ({ target }) => {
    if (!choice.contains(target)) choice.open = false;
  });
}
