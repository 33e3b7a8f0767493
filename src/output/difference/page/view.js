// ---- A pair, large

const view = byId("view");

/** Index of the pair in view, or null. */
let opened = null;

const pictureInView = () => (opened === null ? undefined : pictureOf(entries[opened]));

/** A box of the picture: its lines and its label. */
function mark(corners, className, text) {
  return { corners, outline: lines(corners, className), plate: make("span", { className, textContent: text }) };
}

/** The box of a side, the label of the pair, and faintly the other objects of the picture. */
function marksOf(entry, side) {
  const own = labelOf(entry);
  const found = side.box && mark(side.box, lineOf(side), boxWords(side));
  const label = own && mark(own[1], "label", `label: ${className(own[0])}`);
  const others = pictureOf(entry).labels.filter((label) => label !== own);
  return [found, label, ...others.map(([id, box]) => mark(box, "label dim", `label: ${className(id)}`))].filter(Boolean);
}

function showPane(entry, name) {
  const [pane, side] = [panes[name], entry[name]];
  const { files, width, height, image } = pictureOf(entry);
  if (files) pane.picture.src = files.picture;
  pane.picture.alt = `${image}, ${name} model: ${boxWords(side)}, ${stateWords(side)}`;
  pane.marks = marksOf(entry, side);
  pane.boxes.setAttribute("viewBox", `0 0 ${width} ${height}`);
  pane.boxes.replaceChildren(...[...pane.marks].reverse().flatMap((mark) => mark.outline));
  pane.plates.replaceChildren(...pane.marks.map((mark) => mark.plate));
  drawSide(pane, pictureOf(entry), side.map);
}

function foundWords(side) {
  if (side.is_found) return "yes";
  return side.fate ? `no: ${side.fate}` : "no";
}

/** What is wrong with a side, if there are labels. */
function errorWords(side, entry) {
  if (!data.has_labels) return "";
  if (side.is_found) return kindWords.get(side.error) ?? "none";
  return labelOf(entry) ? kindWords.get("missed") : "none";
}

function confidenceWords(side) {
  if (side.confidence === null) return "no prediction";
  return side.is_found ? confidenceOf(side) : `${confidenceOf(side)}, of its best prediction there`;
}

/** A share of heat; of others also by class. */
function shareWords({ evidence }, place) {
  if (!evidence) return "";
  const classes = evidence.others.filter(([, share]) => share >= 0.005).map(([id, share]) => `${className(id)} ${percent(share)}`);
  const more = place === "others" && classes.length ? ` (${classes.join(", ")})` : "";
  return `${percent(sharesOf(evidence)[place])}${more}`;
}

/** Names and what is to be said of both sides, text or an element. */
function factsOf(entry) {
  const facts = [
    ["class", (side) => (side.class_id === null ? "" : className(side.class_id))],
    ["confidence", confidenceWords],
    ["found", foundWords],
    ["error", errorWords],
    ["looks", (side) => (side.evidence ? focusOf(side) : "")],
    ["no signal", (side) => side.reason ?? ""],
    ["heat", (side) => (side.evidence ? sharesBar(sharesOf(side.evidence)) : side.reason ? "" : "no map")],
    ...places.map(([place, words]) => [words, (side) => shareWords(side, place), place]),
    ["layers", (side) => side.layers.join(", ")],
  ];
  return facts.map(([name, of, place]) => [name, sides.map((side) => of(entry[side], entry)), place]);
}

/** What is said of the pair as a whole. */
function pairFacts(entry) {
  const { drift, noise } = entry;
  const beside = (name, text) => {
    const words = noise ? text(noise) : "";
    return [name, [text(drift), words && `noise ${words}`].filter(Boolean).join(", ")];
  };
  const correlation = (drift) => (drift.correlation === null ? "" : signed(drift.correlation));
  return [
    ["change", changeWords(entry)],
    ["label", labelOf(entry) ? className(labelOf(entry)[0]) : ""],
    ...(drift ? [beside("heat moved", (drift) => percent(drift.moved)), beside("rank correlation", correlation)] : []),
  ];
}

function showFacts(entry) {
  const head = (name, place) => {
    const cell = make("th", { scope: "row" }, name);
    if (place) cell.prepend(make("span", { className: `swatch place ${place}` }));
    return cell;
  };
  const whole = pairFacts(entry).filter(([, value]) => value);
  const split = factsOf(entry).filter(([, values]) => values.some(Boolean));
  byId("pair-facts").replaceChildren(
    ...whole.flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })]),
  );
  byId("fact-rows").replaceChildren(
    ...split.map(([name, values, place]) => make("tr", {}, head(name, place), ...values.map((value) => make("td", {}, value)))),
  );
}

/** The command that makes a side's map again. */
function showCommand(entry, name, command) {
  const { input, frame } = pictureOf(entry);
  const { flags } = entry[name];
  const folder = `again-${name}`;
  const line = input && flags ? `${command} --img-path ${input} ${flags} --output-dir ${folder}` : "";
  byId(`${name}-command`).textContent = line;
  byId(`${name}-command-note`).textContent = line
    ? frame === undefined ? "" : `All frames of the file are explained; this is number ${frame}.`
    : input ? "There is no box to explain." : "A name is no text that a command could be shown with.";
  byId(`${name}-copy`).hidden = !line;
  byId(`${name}-copy`).textContent = "Copy";
}

async function copyCommand(name) {
  const text = byId(`${name}-command`).textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Where a page from the disk may not write to the clipboard, it may copy what is selected.
    getSelection().selectAllChildren(byId(`${name}-command`));
    document.execCommand("copy");
  }
  byId(`${name}-copy`).textContent = "Copied";
}

function open(index) {
  const entry = entries[index];
  const { image, width, height, files } = pictureOf(entry);
  opened = index;
  byId("view-name").textContent = told(entry);
  const spot = shown.indexOf(index);
  const facts = [image, `${width}×${height} pixels`, spot >= 0 ? `${spot + 1} of ${shown.length}` : ""];
  byId("view-place").textContent = facts.filter(Boolean).join(", ");
  byId("previous").disabled = spot <= 0;
  byId("next").disabled = spot < 0 || spot === shown.length - 1;
  byId("view-figure").hidden = !files;
  byId("heat-tools").hidden = !files || !sides.some((side) => entry[side].map);
  for (const [at, name] of sides.entries()) {
    showPane(entry, name);
    showCommand(entry, name, commands[at]);
  }
  showFacts(entry);
  if (!view.open) view.showModal();
  showAll();
  remember();
}

/** The pair so many places on. */
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
view.addEventListener("click", (event) => {
  if (event.target === view) view.close();
});
view.addEventListener("keydown", (event) => {
  // On a slider the arrows move the slider.
  if (event.target.type === "range" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (zoomedByKey(event)) event.preventDefault();
  else if (event.key === "ArrowLeft") step(-1);
  else if (event.key === "ArrowRight") step(1);
});
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
byId("close").addEventListener("click", () => view.close());
for (const name of sides) byId(`${name}-copy`).addEventListener("click", () => copyCommand(name));
