// ---- The panes: the picture, boxes and labels on it, and heat over it

import { colorOf, foundIn, methodOf, modelOf, now, shownPanes } from "./now.js";
import { detectionOf, keyOf, named, ofDetection, titleOf, wishOf } from "./subject.js";
import { drawMap, fetchMap, knownMap, valueAt } from "./maps.js";
import { redrawing } from "./redraw.js";
import { report } from "./server.js";
import { answerIn } from "./answers.js";
import { changedIn, strokesOn } from "./paint.js";
import { askAbout, askAboutLabel, pin, point } from "./pinning.js";

/** The maps that the panes show. */
const shownMaps = [null, null];
/** Their requests that are under way. */
const requests = [null, null];

export function tell(text) {
  byId("told").textContent = text;
}

// The pictures

export function showPicture() {
  if (!now.picture) return;
  for (const pane of shownPanes()) {
    const { picture } = panes[pane];
    const address = changedIn(pane)?.address ?? `/api/pictures/${now.picture.id}/picture`;
    if (picture.getAttribute("src") !== address) picture.src = address;
    picture.alt = now.picture.name;
  }
}

for (const { picture } of panes) {
  picture.addEventListener("load", () => {
    // Until the boxes come with the true size, the shape will do.
    if (!inView.size) inView.size = { width: picture.naturalWidth, height: picture.naturalHeight };
    arrange();
  });
}

// Boxes

const rect = (corners, className) => outlineOf({ box_image: corners }, { class: className });

/** The outline of a box in its colour. */
function figure(detection, className) {
  const outline = outlineOf(detection, { class: className });
  outline.style.stroke = colorOf(detection);
  return outline;
}

/** Whether a click on something in a pane is one: the picture was not dragged by it. */
const clicking = (act) => () => {
  if (!hasDragged) act();
};

/** A box that can be pointed at and pinned. */
function detectionMark(detection, pane) {
  const subject = ofDetection(detection, now.settings[pane].model);
  const outline = figure(detection, "detection");
  const plate = make("span", { textContent: named(detection) });
  plate.style.background = colorOf(detection);
  for (const element of [outline, plate]) {
    element.addEventListener("pointerenter", () => point(subject));
    element.addEventListener("pointerleave", () => point(null));
    element.addEventListener("click", clicking(() => pin(subject)));
  }
  const outlines = [outline, ...keypointsOf(detection, colorOf(detection))];
  return { key: keyOf(subject), outlines, plate, corners: detection.box_image };
}

/** A box of the changed picture: there is no heat of it. */
function changedMark(detection) {
  const plate = make("span", { textContent: named(detection) });
  plate.style.background = colorOf(detection);
  const outlines = [figure(detection, "changed"), ...keypointsOf(detection, colorOf(detection))];
  return { outlines, plate, corners: detection.box_image };
}

function labelMark(label) {
  const outline = rect(label.box_image, `truth ${label.found ? "found" : "missed"}`);
  const outlines = [rect(label.box_image, "under"), outline];
  // The box that found it has its name.
  if (label.found) return { outlines, corners: label.box_image };
  const plate = make("span", { className: "truth", textContent: `${label.is_crowd ? "crowd" : "missed"}: ${label.class}` });
  for (const element of [outline, plate]) element.addEventListener("click", clicking(() => askAboutLabel(label)));
  return { outlines, plate, corners: label.box_image };
}

/** What was asked about, what is there, and what took its place. */
function subjectMarks(pane) {
  const subject = now.pinned;
  if (!subject) return [];
  const marks = [];
  const dashed = (corners, className, textContent) =>
    marks.push({ outlines: lines(corners, className), plate: make("span", { className, textContent }), corners });
  const isHere = detectionOf(subject, pane) && !changedIn(pane);
  const candidate = answerIn(pane)?.candidates?.[0];
  if (candidate?.box_image && !isHere && candidate.outcome !== "detected") dashed(candidate.box_image, "candidate", named(candidate));
  if (subject.box && !isHere) dashed(subject.box, "asked", subject.kind === "box" ? `pinned: ${subject.class}` : "asked");
  if (subject.point) {
    const [x, y] = subject.point;
    marks.push({ outlines: [draw("circle", { cx: x, cy: y, r: 4, class: "asked" })] });
  }
  return marks;
}

const areaOf = ([x1, y1, x2, y2]) => (x2 - x1) * (y2 - y1);

/** Shows the boxes of a pane. Small ones lie above large ones, so that each can be pointed at, and labels below all of them. */
function showBoxesIn(index) {
  const pane = panes[index];
  const found = foundIn(index);
  const changed = changedIn(index);
  const { width, height } = inView.size ?? { width: 1, height: 1 };
  const boxed = (changed?.detections ?? found?.detections ?? []).filter((detection) => detection.box_image);
  const detections = boxed.map((detection) => (changed ? changedMark(detection) : detectionMark(detection, index)));
  const labels = byId("labels").checked ? (found?.labels ?? []).map(labelMark) : [];
  const subjects = subjectMarks(index);
  const byArea = (a, b) => areaOf(b.corners ?? [0, 0, 0, 0]) - areaOf(a.corners ?? [0, 0, 0, 0]);
  const outlinesOf = (marks) => [...marks].sort(byArea).flatMap(({ outlines }) => outlines);
  pane.marks = [...subjects, ...detections, ...labels].filter(({ plate }) => plate);
  pane.boxes.setAttribute("viewBox", `0 0 ${width} ${height}`);
  pane.boxes.replaceChildren(...outlinesOf(labels), ...outlinesOf(detections), ...outlinesOf(subjects), strokesOn(index));
  pane.plates.replaceChildren(...pane.marks.map(({ plate }) => plate));
}

export const showBoxes = redrawing(panes.map(({ scene }) => scene), () => {
  for (const pane of shownPanes()) showBoxesIn(pane);
  light();
  arrange();
});

/** Shows where a candidate is, or none. */
export function hint(pane, box) {
  const { boxes } = panes[pane];
  boxes.querySelector(".hint")?.remove();
  if (box) boxes.append(draw("g", { class: "hint" }, ...lines(box, "candidate")));
}

/** Lets the box stand out whose heat is shown, and leaves the one as it is that took the place of what was asked about. */
function light() {
  const key = keyOf(now.pointed ?? now.pinned);
  for (const pane of shownPanes()) {
    const { by, winner } = answerIn(pane)?.candidates[0] ?? {};
    const taker = (by ?? winner)?.box_image?.join();
    for (const mark of panes[pane].marks) {
      const isDim = key !== "" && mark.key !== undefined && mark.key !== key && mark.corners.join() !== taker;
      for (const element of [...mark.outlines, mark.plate]) {
        element.classList.toggle("chosen", key !== "" && mark.key === key);
        element.classList.toggle("dim", isDim);
      }
    }
  }
}

// Heat

/** "gradcam at model.23, target logit, peak 0.033". */
function mapWords(map) {
  if (map.empty) return `no signal: ${map.reason}`;
  const where = map.layers.length ? ` at ${map.layers.join(", ")}` : "";
  return `${map.method}${where}${map.target ? `, target ${map.target}` : ""}, peak ${map.peak.toPrecision(3)}`;
}

function note(pane, text, isError = false) {
  const element = inPane(pane, "note");
  element.textContent = text;
  element.title = text;
  element.classList.toggle("error", isError);
}

/** Whose heat a pane shows. */
const heatOf = [null, null];

function clearHeat(pane, words = "") {
  shownMaps[pane] = null;
  heatOf[pane] = null;
  panes[pane].heat.hidden = true;
  note(pane, words);
}

function showMap(pane, subject, map) {
  shownMaps[pane] = map;
  heatOf[pane] = keyOf(subject);
  drawMap(panes[pane], map);
  panes[pane].heat.classList.remove("old");
  note(pane, mapWords(map), map.empty);
  if (pane === 0) tell(`${titleOf(subject)}: ${map.empty ? mapWords(map) : `peak ${map.peak.toPrecision(3)}`}`);
  if (map.working_layers) offerLayers(pane, map.working_layers);
  showPixel();
  requestAnimationFrame(() => performance.mark("heat-shown"));
}

/** A map without signal names layers that have one. */
function offerLayers(pane, layers) {
  const button = make("button", { type: "button", textContent: `Take ${layers}` });
  button.addEventListener("click", () => document.dispatchEvent(new CustomEvent("take-layers", { detail: { pane, layers } })));
  inPane(pane, "note").append(" ", button);
}

async function showHeatIn(pane) {
  const subject = now.pointed ?? now.pinned;
  requests[pane]?.abort();
  requests[pane] = null;
  if (!subject || !foundIn(pane)) return clearHeat(pane);
  if (!wishOf(subject, pane)) return clearHeat(pane, "not found at these thresholds");
  const known = knownMap(subject, pane);
  if (known) return showMap(pane, subject, known);
  const { name, is_slow: isSlow } = methodOf(pane) ?? {};
  if (isSlow && keyOf(subject) !== keyOf(now.pinned)) return clearHeat(pane, `${name} takes seconds: click for its map`);
  // The heat of another box would tell a lie; that of another method only comes late.
  if (heatOf[pane] === keyOf(subject)) panes[pane].heat.classList.add("old");
  else clearHeat(pane);
  const request = new AbortController();
  requests[pane] = request;
  const patience = setTimeout(() => note(pane, "working …"), 150);
  try {
    const map = await fetchMap(subject, pane, request.signal);
    if (requests[pane] === request) showMap(pane, subject, map);
  } catch (error) {
    if (requests[pane] !== request) return undefined;
    // That nothing is there is an answer to what was asked.
    const isAnswer = Boolean(wishOf(subject, pane)?.subject.query);
    clearHeat(pane);
    note(pane, isAnswer ? error.message : "no map", true);
    if (!isAnswer) report(error);
  } finally {
    clearTimeout(patience);
    if (requests[pane] === request) requests[pane] = null;
  }
  return undefined;
}

export async function showHeat(which = shownPanes()) {
  light();
  await Promise.all(which.map(showHeatIn));
  document.dispatchEvent(new Event("settled"));
}

// What is under the pointer

/** Where the pointer is, in pixels of the picture; null outside of it. */
let at = null;

export function spotOf(event) {
  const pane = panes.find(({ stage }) => stage.contains(event.target)) ?? panes[0];
  const { left, top, width, height } = pane.scene.getBoundingClientRect();
  const size = inView.size ?? { width: 1, height: 1 };
  return [((event.clientX - left) / width) * size.width, ((event.clientY - top) / height) * size.height];
}

export const isInside = ([x, y]) => inView.size && x >= 0 && y >= 0 && x <= inView.size.width && y <= inView.size.height;

function pixelWords(pane) {
  const map = shownMaps[pane];
  const place = `x ${Math.floor(at[0])}, y ${Math.floor(at[1])}`;
  if (!map || map.empty) return place;
  const value = valueAt(map, ...at);
  if (value === undefined) return `${place}: the network saw nothing here`;
  return `${place}: ${value.toPrecision(3)}, ${Math.round((value / map.peak) * 100)} % of the peak`;
}

/** Marks the same place in both panes, or shows how large the brush is. */
function showCross(cross) {
  const isBrush = now.tool === "paint";
  cross.hidden = !at || !(now.isPaired || isBrush);
  if (cross.hidden) return;
  const { width, height } = inView.size;
  const [share, across] = [(length, whole) => `${(length / whole) * 100}%`, 2 * Number(byId("brush").value)];
  cross.classList.toggle("brush", isBrush);
  Object.assign(cross.style, {
    left: share(at[0], width),
    top: share(at[1], height),
    width: isBrush ? share(across, width) : "",
    height: isBrush ? share(across, height) : "",
    transform: `translate(-50%, -50%) scale(${isBrush ? 1 : 1 / place.zoom})`,
  });
}

function showPixel() {
  for (const pane of shownPanes()) {
    inPane(pane, "pixel").textContent = at ? pixelWords(pane) : "";
    showCross(panes[pane].scene.querySelector(".cross"));
  }
}

for (const { stage } of panes) {
  stage.addEventListener("pointermove", (event) => {
    const spot = spotOf(event);
    at = isInside(spot) ? spot : null;
    showPixel();
  });
  stage.addEventListener("pointerleave", () => {
    at = null;
    showPixel();
  });
  stage.addEventListener("click", (event) => {
    const spot = spotOf(event);
    if (hasDragged || event.target.closest("rect, .plates span") || !isInside(spot) || !modelOf(0).has_boxes) return;
    if (now.tool === "point") askAbout({ point: spot.map(Math.round) });
  });
}
