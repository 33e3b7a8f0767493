// ---- The page of a diagnosis: what its parts share. An entry is a case: a detection, right or wrong, or a missed object.

const data = JSON.parse(byId("data").textContent);
const { look, command, classes, kinds, summary, pictures, cases: entries } = data;
const nouns = ["case", "cases"];

/** The kinds in words, by name. */
const kindWords = new Map(kinds);

/** What the kinds mean. */
const meanings = {
  correct: "The box is on an object of its class (IoU at least 0.5).",
  class: "The box is on an object (IoU at least 0.5), but of another class.",
  localization: "The class is right, but the box is not well enough on the object (IoU 0.1 to 0.5).",
  both: "The box is near an object, but neither on it nor of its class.",
  duplicate: "Another box, more confident, has found the object already.",
  background: "No object is there (IoU at most 0.1 with all).",
  missed: "No box found this object, and no box of a wrong class or place stands for it.",
};

const pictureOf = (entry) => pictures[entry.picture];
const shortName = shortNames(pictures.map((picture) => picture.image));
const isError = (entry) => entry.kind !== "correct";

/** The label that an entry is about, if there is one. */
const labelOf = (entry) => pictureOf(entry).labels[entry.label ?? -1];

/** The boxes of an entry: its label's, then its prediction's. */
const boxesOf = (entry) => [labelOf(entry)?.box, entry.box].filter(Boolean);

/** "disc found as square", or just its class. */
function classesOf(entry) {
  const name = className(entry.class_id);
  return entry.kind === "class" && labelOf(entry) ? `${className(labelOf(entry).class_id)} found as ${name}` : name;
}

const told = (entry) => `${kindWords.get(entry.kind)}: ${classesOf(entry)}`;

/** The colour of a place, and text. */
const keyed = (place, ...text) => make("li", {}, make("span", { className: `swatch place ${place}` }), ...text);

/** How many cases there are of each kind, and of each class, that of the detection or that of the label. */
const ofKind = new Map();
const casesOf = new Map();
const tally = (counts, key) => counts.set(key, (counts.get(key) ?? 0) + 1);
for (const entry of entries) {
  tally(ofKind, entry.kind);
  for (const id of new Set([entry.class_id, labelOf(entry)?.class_id ?? entry.class_id])) tally(casesOf, id);
}
