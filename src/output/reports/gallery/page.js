"use strict";
// The page of a run: what all its parts share. Names come from files and models, so they only ever become text, never markup.

const byId = (id) => document.getElementById(id);
const { heading, settings, look, command, colors, entries } = JSON.parse(byId("data").textContent);

/** An element with properties and children. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const detections = entries.flatMap((entry) => entry.detections);
/** What the model finds: boxes, or classes of whole pictures. */
const things = detections.every((detection) => detection.box_image) ? ["box", "boxes"] : ["class", "classes"];

/** Whether maps were verified: what a map is worth is told only then. */
const hasVerdicts = detections.some((detection) => detection.verify);
const wordOf = { faithful: "faithful", blob: "no better than a blob", misleading: "misleading" };

const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;
const colorOf = (detection) => colors[detection.class_id % colors.length];

/** The picture with its folder, and the layer if it has a result for each of several. */
const title = (entry) => (entry.layer ? `${entry.image} (${entry.layer})` : entry.image);

const parts = (entry) => entry.image.split(/[\\/]/);
const pictures = new Set(entries.map((entry) => entry.image));
const namesakes = new Map();
for (const image of pictures) {
  const name = parts({ image }).at(-1);
  namesakes.set(name, (namesakes.get(name) ?? 0) + 1);
}

/** The file without its folders, but for the last where pictures have the same name. */
function name(entry) {
  const shown = parts(entry).slice(namesakes.get(parts(entry).at(-1)) > 1 ? -2 : -1).join("/");
  return entry.layer ? `${shown} (${entry.layer})` : shown;
}

/** What the reader should look at first, worst first; the number tells how bad it is, 3 is nothing. */
function problem(entry) {
  if (entry.error) return [0, "failed"];
  if (entry.detections.length === 0) return [1, `no ${things[1]}`];
  const empty = entry.detections.filter((detection) => detection.reason).length;
  return empty ? [2, plural(empty, "map without signal", "maps without signal")] : [3, ""];
}

/** Classes by their most confident box: "dog 0.94, car ×2 0.81". */
function classesOf(entry) {
  const found = new Map();
  for (const { class: name, confidence } of entry.detections) {
    const known = found.get(name) ?? { count: 0, confidence };
    found.set(name, { ...known, count: known.count + 1 });
  }
  const shown = ([name, { count, confidence }]) => `${name}${count > 1 ? ` ×${count}` : ""} ${confidence.toFixed(2)}`;
  return [...found].map(shown).join(", ");
}
