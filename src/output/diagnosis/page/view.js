// ---- A case, large

/** Index of the case in view, or null. */
let opened = null;

/** The labels on the picture, the first of which matter most. */
let marks = [];

const pictureInView = () => (opened === null ? undefined : pictureOf(cases[opened]));

/** A box of the picture: its lines and its label. */
function mark(corners, className, text) {
  return { corners, outline: lines(corners, className), plate: make("span", { className, textContent: text }) };
}

/** The boxes of a case, and faintly the other objects of the picture. */
function marksOf(entry) {
  const { labels } = pictureOf(entry);
  const nameOf = ({ class_id: id, is_crowd: isCrowd }) => `${isCrowd ? "crowd" : "label"}: ${className(id)}`;
  const own = labelOf(entry);
  const found = entry.box && mark(entry.box, "found", `${className(entry.class_id)} ${confidenceOf(entry)}`);
  const label = own && mark(own.box, "label", nameOf(own));
  const others = labels.filter((label) => label !== own);
  return [found, label, ...others.map((other) => mark(other.box, "label dim", nameOf(other)))].filter(Boolean);
}

function showBoxes(entry) {
  const { width, height } = pictureOf(entry);
  marks = marksOf(entry);
  byId("view-boxes").setAttribute("viewBox", `0 0 ${width} ${height}`);
  byId("view-boxes").replaceChildren(...[...marks].reverse().flatMap((mark) => mark.outline));
  byId("view-labels").replaceChildren(...marks.map((mark) => mark.plate));
}

/** What the heat is for. */
function heatWords({ kind, class_id: id, contrast }) {
  if (contrast !== null) return `why ${className(id)} rather than ${className(contrast)}`;
  return kind === "missed" ? `what speaks for ${className(id)} in the best prediction` : `why ${className(id)}`;
}

function confidenceWords(entry) {
  if (entry.confidence === null) return "no prediction";
  return entry.kind === "missed" ? `${confidenceOf(entry)}, of the best prediction for it` : confidenceOf(entry);
}

/** Names and values, without those that there are not. */
function factsOf(entry) {
  const label = labelOf(entry);
  const overlap = label ? (entry.box ? entry.iou.toFixed(2) : "") : `${entry.iou.toFixed(2)}, the highest with any object`;
  const facts = [
    ["kind", `${kindWords.get(entry.kind)}. ${meanings[entry.kind] ?? ""}`],
    ["found as", entry.kind === "missed" ? "" : className(entry.class_id)],
    ["label", label && className(label.class_id)],
    ["confidence", confidenceWords(entry)],
    ["IoU", overlap],
    ["why missed", entry.fate],
    ["heat", entry.map ? heatWords(entry) : entry.reason ? "" : "none: there is no map"],
    ["no signal", entry.reason],
    ["looks", entry.evidence && focusOf(entry)],
    ["trust", trustOf(entry)],
    ["layers", entry.layers.join(", ")],
    ...entry.suspicions.map((index) => ["suspicious", data.suspicions[index]]),
  ];
  return facts.filter(([, value]) => value);
}

/** Shares of heat as a bar and in numbers, those of other objects by class. */
function sharesOf({ evidence }) {
  const others = evidence.others.map(([id, share]) => [className(id), share]);
  const shares = { ...evidence, others: others.reduce((sum, [, share]) => sum + share, 0) };
  const classes = others.filter(([, share]) => share >= 0.005).map(([name, share]) => `${name} ${percent(share)}`).join(", ");
  const more = (place) => (place === "others" && classes ? ` (${classes})` : "");
  const line = ([place, words]) => keyed(place, `${words} `, make("b", { textContent: percent(shares[place]) }), more(place));
  return [sharesBar(shares), make("ul", { className: "numbers" }, ...places.map(line))];
}

function showFacts(entry) {
  byId("facts").replaceChildren(
    ...factsOf(entry).flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })]),
  );
  byId("shares-title").hidden = !entry.evidence;
  byId("view-shares").replaceChildren(...(entry.evidence ? sharesOf(entry) : []));
  const { input, frame } = pictureOf(entry);
  const line = input ? [command, "--img-path", input, entry.flags, "--output-dir again"].filter(Boolean).join(" ") : "";
  showCommand(line, frame, "The result goes into the folder “again”.");
}

function showPicture(entry) {
  const { files, image } = pictureOf(entry);
  byId("view-figure").hidden = !files;
  byId("heat-tools").hidden = !files || !entry.map;
  if (files) byId("view-picture").src = files.picture;
  byId("view-picture").alt = `${image}: ${told(entry)}`;
  drawHeat(pictureOf(entry), [entry]);
}

function open(index) {
  const entry = cases[index];
  const { image, width, height } = pictureOf(entry);
  opened = index;
  byId("view-name").textContent = entry.kind === "missed" ? told(entry) : `${told(entry)} ${confidenceOf(entry)}`;
  const spot = shown.indexOf(index);
  const facts = [image, `${width}×${height} pixels`, spot >= 0 ? `${spot + 1} of ${shown.length}` : ""];
  byId("view-place").textContent = facts.filter(Boolean).join(", ");
  byId("previous").disabled = spot <= 0;
  byId("next").disabled = spot < 0 || spot === shown.length - 1;
  showPicture(entry);
  showBoxes(entry);
  showFacts(entry);
  if (!view.open) view.showModal();
  showAll();
  remember();
}

/** The case so many places on. */
function step(by) {
  const spot = shown.indexOf(opened);
  const next = shown[spot + by];
  if (spot >= 0 && next !== undefined) open(next);
}

view.addEventListener("close", () => {
  const spot = shown.indexOf(opened);
  opened = null;
  remember();
  if (spot >= 0) goTo(spot);
});
