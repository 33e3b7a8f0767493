// ---- A case, large

const [pane] = panes;

const pictureInView = () => (opened === null ? undefined : pictureOf(entries[opened]));

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
function toldShares({ evidence }) {
  const shares = sharesOf(evidence);
  const more = (place) => (place === "others" ? othersWords(evidence) : "");
  const line = ([place, words]) => keyed(place, `${words} `, make("b", { textContent: percent(shares[place]) }), more(place));
  return [sharesBar(shares), make("ul", { className: "numbers" }, ...places.map(line))];
}

function showFacts(entry) {
  byId("facts").replaceChildren(
    ...factsOf(entry).flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })]),
  );
  byId("shares-title").hidden = !entry.evidence;
  byId("view-shares").replaceChildren(...(entry.evidence ? toldShares(entry) : []));
  const { input, frame } = pictureOf(entry);
  const line = input ? [command, "--img-path", input, entry.flags, "--output-dir again"].filter(Boolean).join(" ") : "";
  showCommand(line, commandWords(line, frame, "The result goes into the folder “again”."));
}

function showPicture(entry) {
  const { files, image } = pictureOf(entry);
  byId("view-figure").hidden = !files;
  byId("heat-tools").hidden = !files || !entry.map;
  if (files) pane.picture.src = files.picture;
  pane.picture.alt = `${image}: ${told(entry)}`;
  showMarks(pane, pictureOf(entry), marksOf(entry));
  drawHeat(pane, pictureOf(entry), [entry]);
}

function open(index) {
  const entry = entries[index];
  const { image, width, height } = pictureOf(entry);
  opened = index;
  const name = entry.kind === "missed" ? told(entry) : `${told(entry)} ${confidenceOf(entry)}`;
  showName(name, [image, `${width}×${height} pixels`]);
  showPicture(entry);
  showFacts(entry);
  if (!view.open) view.showModal();
  showAll();
  remember();
}

copiedByButton();
