// ---- What a map is of: a detection, which stays the same prediction whatever the sliders say, or what was asked about
//
// { kind: "box", model, place, class_id, class, box, confidence } or { kind: "query", box | point, class }

import { foundIn, modelOf, now } from "./now.js";

export const ofDetection = (detection, model) => ({
  kind: "box",
  model,
  place: detection.place,
  class_id: detection.class_id,
  class: detection.class,
  box: detection.box_image,
  confidence: detection.confidence,
});

/** Whether a prediction is the one that is meant. */
export const isOf = (subject, { place, class_id: id }) =>
  subject.kind === "box" && place === subject.place && id === subject.class_id;

/** Fills in what an address does not say of a detection. */
export function refine(subject, detections) {
  const own = detections.find((detection) => isOf(subject, detection));
  if (own) Object.assign(subject, { box: own.box_image, confidence: own.confidence });
}

export function keyOf(subject) {
  if (!subject) return "";
  const { kind, model, place, class_id: id, class: name, box, point } = subject;
  return JSON.stringify(kind === "box" ? [model, place, id] : [box ?? point, name]);
}

/** The detection that a subject is, if the model of a pane has it at these thresholds. */
export function detectionOf(subject, pane) {
  if (subject?.kind !== "box" || subject.model !== now.settings[pane].model) return undefined;
  return foundIn(pane)?.detections.find((detection) => isOf(subject, detection));
}

/** What to ask in place of a detection that is not there: a class that the model does not have becomes any class. */
export function queryOf(subject, pane) {
  const name = modelOf(pane).classes.includes(subject.class) ? subject.class : null;
  if (subject.point) return { point: subject.point, class: name };
  return subject.box ? { box: subject.box, class: name } : null;
}

/** A subject as the server takes it, and what else goes with it. A number of a box holds for the thresholds that gave it. */
export function wishOf(subject, pane) {
  const detection = detectionOf(subject, pane);
  if (!detection) return queryOf(subject, pane) && { subject: { query: queryOf(subject, pane) } };
  const { conf, iou } = foundIn(pane);
  return { subject: { box: detection.index }, thresholds: { conf, iou } };
}

export const figures = (numbers) => numbers.map((number) => number.toFixed(0)).join(" ");

/** "0.83", and more digits of what would be 0.00. */
export function score(confidence) {
  if (confidence === null || confidence === undefined) return "";
  if (confidence < 0.0001) return "< 0.0001";
  return confidence.toFixed(confidence < 0.01 ? 4 : 2);
}

export const named = ({ class: name, confidence }) => `${name} ${score(confidence)}`.trim();

export function titleOf(subject) {
  if (subject.kind === "box") return named(subject);
  const what = subject.box ? `Box ${figures(subject.box)}` : `Spot ${figures(subject.point)}`;
  return subject.class ? `${what}: ${subject.class}` : what;
}
