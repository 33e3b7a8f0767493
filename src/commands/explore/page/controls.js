// ---- Sliders and choices: thresholds, how heat looks, and how the maps of each pane are made

import { firstSettings, foundIn, methodOf, modelOf, now, panesByModel, shownPanes } from "./now.js";
import { findBoxes } from "./looking.js";
import { refreshRows } from "./pictures.js";
import { showBoxes, showHeat, showPicture } from "./stage.js";
import { showFacts, showList } from "./facts.js";
import { answer } from "./answers.js";
import { showLayers } from "./layers.js";
import { remember } from "./address.js";

const CHOICES = ["method", "target", "fuse", "contrast"];

const option = ({ name, summary }) => make("option", { value: name, textContent: name, title: summary ?? "" });

const methodOption = ({ name, summary, is_slow: isSlow }) =>
  make("option", { value: name, textContent: isSlow ? `${name} (slow)` : name, title: summary });

// Thresholds: the server finds the boxes anew

export function showThresholds() {
  byId("conf").value = now.conf;
  byId("iou").value = now.iou;
  byId("conf-value").textContent = now.conf.toFixed(2);
  byId("iou-value").textContent = now.iou.toFixed(2);
  byId("conf").disabled = shownPanes().every((pane) => modelOf(pane).conf === null);
  const needsNms = shownPanes().some((pane) => modelOf(pane).iou !== null);
  byId("iou").disabled = !needsNms;
  byId("iou").title = needsNms ? "" : "This model needs no NMS";
  if (!needsNms) byId("iou-value").textContent = "none";
}

for (const id of ["conf", "iou"]) {
  byId(id).addEventListener("input", () => {
    now[id] = Number(byId(id).value);
    showThresholds();
    if (now.picture) findBoxes(now.picture);
    remember();
  });
  byId(id).addEventListener("change", refreshRows);
}

// Colours: no round trip

export function setColormap(name) {
  const map = data.colormaps.find((map) => map.name === name) ?? data.colormaps[0];
  byId("colormap").value = map.name;
  look.colormap = map.colors;
  colorHeat();
}

export function showLayersOfScene() {
  for (const { layer, plates } of panes) {
    layer.hidden = !byId("heat-shown").checked;
    plates.hidden = !byId("names").checked;
  }
  showBoxes();
  showList();
}

byId("colormap").append(...data.colormaps.map(option));
byId("colormap").addEventListener("input", () => {
  setColormap(byId("colormap").value);
  remember();
});
for (const id of ["opacity", "threshold"]) {
  byId(id).addEventListener("input", () => {
    colorHeat();
    remember();
  });
}
for (const id of ["heat-shown", "names", "labels"]) {
  byId(id).addEventListener("input", () => {
    showLayersOfScene();
    remember();
  });
}
byId("labels-choice").hidden = !data.has_labels;
byId("show").querySelector("[value=missed]").hidden = !data.has_labels;

// How maps are made

/** Shows the settings of a pane, and which of them apply to its method. */
export function showSettings(pane) {
  const settings = now.settings[pane];
  const method = methodOf(pane);
  const { targets, classes } = modelOf(pane);
  inPane(pane, "target").replaceChildren(...targets.map(option));
  const nothing = make("option", { value: "", textContent: "no other class" });
  inPane(pane, "contrast").replaceChildren(nothing, ...classes.map((name) => option({ name })));
  inPane(pane, "model").value = settings.model;
  for (const id of CHOICES) inPane(pane, id).value = settings[id] ?? "";
  inPane(pane, "method").title = method ? `${method.summary}. Extra cost: ${method.cost}` : "";
  for (const id of ["target", "contrast"]) inPane(pane, id).disabled = method?.takes_gradient === false;
  inPane(pane, "fuse").disabled = method?.takes_layers === false;
  showLayers(pane);
}

/** Changes settings of a pane, in one round trip. */
export function change(pane, settings) {
  const model = now.settings[pane].model;
  Object.assign(now.settings[pane], settings);
  const isOther = now.settings[pane].model !== model;
  if (isOther) changeModel(pane);
  showSettings(pane);
  // Wrong settings find no boxes either.
  if (now.picture && (isOther || !foundIn(pane))) findBoxes(now.picture);
  showHeat([pane]);
  showFacts();
  remember();
}

/** Another model has other layers and targets. */
function changeModel(pane) {
  const { targets, classes, layers } = modelOf(pane);
  const settings = now.settings[pane];
  if (!targets.some(({ name }) => name === settings.target)) settings.target = "auto";
  if (!classes.includes(settings.contrast)) settings.contrast = null;
  const paths = new Set(layers.map(({ path }) => path));
  if (!settings.layers.split(",").every((path) => paths.has(path))) settings.layers = "auto";
  showThresholds();
}

document.addEventListener("take-layers", ({ detail: { pane, layers } }) => change(pane, { layers }));

for (const pane of [0, 1]) {
  inPane(pane, "model").append(...data.models.map(({ name }, index) => make("option", { value: index, textContent: name })));
  inPane(pane, "model").closest("label").hidden = data.models.length === 1;
  inPane(pane, "model").addEventListener("input", ({ target }) => change(pane, { model: Number(target.value) }));
  inPane(pane, "method").append(...data.methods.map(methodOption));
  inPane(pane, "fuse").append(...data.fuses.map(option));
  for (const id of CHOICES) inPane(pane, id).addEventListener("input", ({ target }) => change(pane, { [id]: target.value || null }));
  inPane(pane, "figure").querySelector("form").addEventListener("submit", (event) => event.preventDefault());
}

// Side by side

function showPaired() {
  inPane(1, "figure").hidden = !now.isPaired;
  byId("second-again").hidden = !now.isPaired;
  byId("paired").setAttribute("aria-pressed", now.isPaired);
  view.classList.toggle("paired", now.isPaired);
  for (const pane of [0, 1]) {
    const which = now.isPaired ? (pane ? "Right picture" : "Left picture") : "Picture";
    inPane(pane, "stage").setAttribute("aria-label", `${which}: + and - zoom, 0 shows all of it, arrows move it once it is enlarged`);
    inPane(pane, "figure").querySelector("form").setAttribute("aria-label", `${which}: how its maps are made`);
  }
}

let wasPaired = false;

/** Puts a second pane beside the first, at first with the same settings, or with the other model. */
export function pair(isPaired = !now.isPaired) {
  now.isPaired = isPaired;
  if (isPaired && !wasPaired) {
    now.settings[1] = { ...now.settings[0] };
    if (data.models.length > 1) now.settings[1].model = 1 - now.settings[0].model;
    wasPaired = true;
  }
  afterPairing();
  if (now.picture && panesByModel().some((pane) => !foundIn(pane))) findBoxes(now.picture);
  remember();
}

export function afterPairing() {
  wasPaired ||= now.isPaired;
  showPaired();
  showSettings(1);
  showThresholds();
  showPicture();
  showBoxes();
  showHeat();
  showFacts();
  answer();
}

byId("paired").addEventListener("click", () => pair());

/** Settings as the address has them; what is not said is as at first. */
export function recallSettings(pane, wish) {
  const first = firstSettings(pane ? now.settings[0].model : undefined);
  now.settings[pane] = { ...first, ...wish };
  if (!data.models[now.settings[pane].model]) now.settings[pane].model = 0;
}
