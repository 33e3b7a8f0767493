// ---- The page of a run: what its parts share

const data = JSON.parse(byId("data").textContent);
const { look, command, colors, entries } = data;

const detections = entries.flatMap((entry) => entry.detections);
/** What the model finds: boxes, or classes of whole pictures. */
const things = detections.every((detection) => detection.box_image) ? ["box", "boxes"] : ["class", "classes"];

/** Whether maps were verified: what a map is worth is told only then. */
const hasVerdicts = detections.some((detection) => detection.verify);

const colorOf = (detection) => colors[detection.class_id % colors.length];

/** The picture with its folder, and the layer if it has a result for each of several. */
const title = (entry) => (entry.layer ? `${entry.image} (${entry.layer})` : entry.image);

const short = shortNames(entries.map((entry) => entry.image));

/** The same without folders. */
function name(entry) {
  const shown = short.get(entry.image);
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
