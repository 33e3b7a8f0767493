// ---- The boxes in a list, and the figures of what is pinned

import { colorOf, foundIn, modelOf, now, panesByModel, shownPanes } from "./now.js";
import { detectionOf, figures, keyOf, named, ofDetection, score, titleOf } from "./subject.js";
import { answerIn } from "./answers.js";
import { hint } from "./stage.js";
import { askAbout, askAboutLabel, pin, point } from "./pinning.js";
import { redrawing } from "./redraw.js";

/** What the model finds: boxes, or classes of whole pictures. */
export const thing = (count) => (modelOf(0).has_boxes ? (count === 1 ? "box" : "boxes") : count === 1 ? "class" : "classes");

function swatchOf(detection) {
  const swatch = make("span", { className: "swatch" });
  swatch.style.background = colorOf(detection);
  return swatch;
}

function boxButton(detection) {
  const subject = ofDetection(detection, now.settings[0].model);
  const button = make(
    "button",
    { type: "button" },
    swatchOf(detection),
    make("span", { className: "class", textContent: detection.class }),
    make("span", { className: "head", textContent: detection.head ?? "" }),
    make("span", { className: "score", textContent: score(detection.confidence) }),
  );
  button.dataset.key = keyOf(subject);
  button.setAttribute("aria-label", `${named(detection)}: its heat; Enter pins it`);
  for (const event of ["pointerenter", "focus"]) button.addEventListener(event, () => point(subject));
  for (const event of ["pointerleave", "blur"]) button.addEventListener(event, () => point(null));
  button.addEventListener("click", () => pin(subject));
  return make("li", {}, button);
}

/** A label that no box found. */
function missedButton(label) {
  const button = make(
    "button",
    { type: "button", className: "missed" },
    make("span", { className: "swatch" }),
    make("span", { className: "class", textContent: label.class }),
    make("span", { className: "head", textContent: "missed label" }),
  );
  button.setAttribute("aria-label", `Missed label: ${label.class}: ask why`);
  button.addEventListener("click", () => askAboutLabel(label));
  return make("li", {}, button);
}

const none = ({ best_candidate: best, conf, is_undefined: isUndefined }) =>
  isUndefined
    ? "The network’s output is undefined here (NaN): the model is broken, or the picture is."
    : `No ${thing(0)} above ${(conf ?? 0).toFixed(2)}${best ? `; best: ${named(best)} — lower the confidence` : ""}.`;

/** Shows the boxes of the first pane's model. What has the focus keeps it. */
export const showList = redrawing([byId("boxes")], () => {
  const found = foundIn(0);
  const focused = byId("boxes").contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const detections = found?.detections ?? [];
  const missed = byId("labels").checked ? (found?.labels ?? []).filter((label) => !label.found && !label.is_crowd) : [];
  byId("boxes").replaceChildren(...detections.map(boxButton), ...missed.map(missedButton));
  byId("boxes-title").textContent = found ? `${detections.length} ${thing(detections.length)}` : "…";
  byId("boxes").hidden = found && detections.length + missed.length === 0;
  byId("no-boxes").hidden = !found || detections.length > 0;
  if (found && detections.length === 0) byId("no-boxes").textContent = none(found);
  lightList();
  if (focused === undefined) return;
  const buttons = [...byId("boxes").querySelectorAll("button")];
  (buttons.find((button) => button.dataset.key === focused) ?? buttons[0] ?? byId("boxes-title")).focus({ preventScroll: true });
});

export function lightList() {
  const [pointed, pinned] = [keyOf(now.pointed), keyOf(now.pinned)];
  for (const button of byId("boxes").querySelectorAll("[data-key]")) {
    button.classList.toggle("pointed", button.dataset.key === pointed);
    button.setAttribute("aria-pressed", button.dataset.key === pinned);
  }
}

const list = (facts) =>
  facts.flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", {}, value)]);

const sizeWords = ([x1, y1, x2, y2]) => `${(x2 - x1).toFixed(0)} × ${(y2 - y1).toFixed(0)}`;

function factsOf({ class: name, confidence, logit, box_image: box, head }) {
  return [
    ["class", name],
    ["confidence", confidence.toFixed(4)],
    ["logit", logit?.toFixed(3)],
    ["box", box ? figures(box) : "the whole picture"],
    ["size", box && sizeWords(box)],
    ["head", head],
  ].filter(([, value]) => value);
}

const outcomeWords = { detected: "detected", threshold: "below the threshold", nms: "taken by NMS", class: "lost to another class" };

/** What became of a candidate. A button asks about another one in its place. */
function candidateLine(candidate, pane) {
  const { outcome, words, box_image: box, class: name, index } = candidate;
  const title = make("button", { type: "button", className: "candidate" }, swatchOf(candidate), named(candidate));
  title.title = index === undefined ? "Ask about this one" : "Pin this one";
  const detection = foundIn(pane)?.detections[index];
  if (detection) title.addEventListener("click", () => pin(ofDetection(detection, now.settings[pane].model)));
  else if (box) title.addEventListener("click", () => askAbout({ box: box.map(Math.round), class: name }));
  const overlap = candidate.iou === null || candidate.iou === undefined ? "" : `IoU ${candidate.iou.toFixed(2)}`;
  const fate = make("p", { textContent: words ?? outcomeWords[outcome] ?? outcome });
  const line = make("li", {}, make("div", {}, title, " ", overlap), fate);
  for (const event of ["pointerenter", "focusin"]) line.addEventListener(event, () => hint(pane, box));
  for (const event of ["pointerleave", "focusout"]) line.addEventListener(event, () => hint(pane, null));
  return line;
}

function answerBlock(pane) {
  const given = answerIn(pane);
  if (!given) return [];
  const title = data.models.length > 1 ? [make("h3", { textContent: modelOf(pane).name })] : [];
  const words = `It has no class “${now.pinned.class}”: any class is asked for.`;
  const missing = given.isOtherClass ? [make("p", { className: "note", textContent: words })] : [];
  const content = given.candidates.length
    ? make("ol", {}, ...given.candidates.map((candidate) => candidateLine(candidate, pane)))
    : make("p", { textContent: "The network predicts nothing there." });
  return [...title, ...missing, content];
}

/** Why there is no such box, in a line. */
function noteOf(subject, detection) {
  if (subject.kind === "query") return answerIn(0) ? "What the network says there, the best first:" : "asking …";
  if (detection) return "";
  if (subject.model !== now.settings[0].model) return "A box of the other model. What this one says there:";
  return "Not among the boxes at these thresholds. What became of it:";
}

const welcome = () =>
  modelOf(0).has_boxes
    ? "Point at a box for its heat, click to pin it. Click a spot, or draw a box, to ask what the network says there."
    : "Point at a class for its heat, click to pin it.";

/** Shows the figures of what is pinned, else of what is pointed at. */
export const showFacts = redrawing([byId("answers")], () => {
  const subject = now.pinned ?? now.pointed;
  const detection = subject && shownPanes().map((pane) => detectionOf(subject, pane)).find(Boolean);
  byId("pinned").classList.toggle("passing", !now.pinned);
  byId("pinned-title").textContent = subject ? (detection ? named(detection) : titleOf(subject)) : "Nothing pinned";
  byId("unpin").hidden = !now.pinned;
  byId("pinned-note").textContent = subject
    ? now.pinned ? noteOf(subject, detectionOf(subject, 0)) : "Click to pin it."
    : welcome();
  byId("pinned-facts").replaceChildren(...(detection ? list(factsOf(detection)) : []));
  byId("answers").replaceChildren(...(now.pinned ? panesByModel().flatMap(answerBlock) : []));
  byId("trust-tools").hidden = !now.pinned;
  document.dispatchEvent(new Event("facts-shown"));
});

byId("unpin").addEventListener("click", () => pin(null));
