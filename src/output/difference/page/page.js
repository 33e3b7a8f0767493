// ---- The page of a difference: what its parts share. An entry is a pair: what each of two models made of the same thing.

const data = JSON.parse(byId("data").textContent);
const { look, commands, classes, models, summary, pictures, things: entries } = data;
const nouns = ["pair", "pairs"];

const sides = ["old", "new"];

/** The kinds of errors in words, by name. */
const kindWords = new Map(data.kinds);

const outcomeWords = { broken: "new error", fixed: "fixed", wrong: "wrong in both", right: "right in both" };

const pictureOf = (entry) => pictures[entry.picture];
const shortName = shortNames(pictures.map((picture) => picture.image));

/** The class that a pair counts for: that of the old box, or that of the new one where the old model found none. */
const classOf = ({ old, new: other }) => (old.is_found ? old.class_id : other.class_id);

/** The label that a pair is about, if there is one: its class and box. */
const labelOf = (entry) => pictureOf(entry).labels[entry.label ?? -1];

/** The boxes of a pair, with that of its label. */
const boxesOf = (entry) => [labelOf(entry)?.[1], entry.old.box, entry.new.box].filter(Boolean);

/** "lost, fixed" */
const changeWords = ({ change, outcome }) => [change, outcomeWords[outcome]].filter(Boolean).join(", ");

/** "disc 0.41": a prediction, found or not. */
const predicted = (side) => (side.class_id === null ? "no prediction" : className(side.class_id));
const boxWords = (side) => [predicted(side), confidenceOf(side)].filter(Boolean).join(" ");

/** "not found", or what is wrong with it. */
const stateWords = (side) => (side.is_found ? kindWords.get(side.error) ?? "found" : "not found");

/** "kept, new error: disc → square" */
function told(entry) {
  const names = sides.map((side) => entry[side]).filter((side) => side.is_found).map((side) => className(side.class_id));
  return `${changeWords(entry)}: ${[...new Set(names)].join(" → ")}`;
}

/** "-0.30" with a minus that is as wide as digits. */
const signed = (value) => value.toFixed(2).replace(/^-(?=0\.00$)/, "").replace("-", "−");

/** Names of the models, with as many folders as they need to differ. */
function modelNames() {
  const parts = models.map((path) => path.split(/[\\/]/));
  const most = Math.max(...parts.map((own) => own.length));
  const named = (count) => parts.map((own) => own.slice(-count).join("/"));
  const counts = Array.from({ length: most }, (_, index) => index + 1);
  return named(counts.find((count) => new Set(named(count)).size > 1) ?? 1);
}
