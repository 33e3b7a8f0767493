// ---- A pair, large

const pictureInView = () => (opened === null ? undefined : pictureOf(entries[opened]));

/** The box of a side, the label of the pair, and faintly the other objects of the picture. */
function marksOf(entry, side) {
  const own = labelOf(entry);
  const found = side.box && mark(side.box, lineOf(side), boxWords(side));
  const label = own && mark(own[1], "label", `label: ${className(own[0])}`);
  const others = pictureOf(entry).labels.filter((label) => label !== own);
  return [found, label, ...others.map(([id, box]) => mark(box, "label dim", `label: ${className(id)}`))].filter(Boolean);
}

function showPane(pane, entry, name) {
  const side = entry[name];
  const { files, image } = pictureOf(entry);
  if (files) pane.picture.src = files.picture;
  pane.picture.alt = `${image}, ${name} model: ${boxWords(side)}, ${stateWords(side)}`;
  showMarks(pane, pictureOf(entry), marksOf(entry, side));
  drawHeat(pane, pictureOf(entry), [side]);
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
  return `${percent(sharesOf(evidence)[place])}${place === "others" ? othersWords(evidence) : ""}`;
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
  const withNoise = (name, text) => {
    const words = noise ? text(noise) : "";
    return [name, [text(drift), words && `noise ${words}`].filter(Boolean).join(", ")];
  };
  const correlation = (drift) => (drift.correlation === null ? "" : signed(drift.correlation));
  return [
    ["change", changeWords(entry)],
    ["label", labelOf(entry) ? className(labelOf(entry)[0]) : ""],
    ...(drift ? [withNoise("heat moved", (drift) => percent(drift.moved)), withNoise("rank correlation", correlation)] : []),
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
function showAgain(entry, name, command) {
  const { input, frame } = pictureOf(entry);
  const { flags } = entry[name];
  const line = input && flags ? `${command} --img-path ${input} ${flags} --output-dir again-${name}` : "";
  const why = input ? "There is no box to explain." : NO_NAME;
  const note = frame === undefined ? "" : frameWords(frame);
  showCommand(line, line ? note : why, `${name}-`);
}

function open(index) {
  const entry = entries[index];
  const { image, width, height, files } = pictureOf(entry);
  opened = index;
  showName(told(entry), [image, `${width}×${height} pixels`]);
  byId("view-figure").hidden = !files;
  byId("heat-tools").hidden = !files || !sides.some((side) => entry[side].map);
  for (const [at, name] of sides.entries()) {
    showPane(panes[at], entry, name);
    showAgain(entry, name, commands[at]);
  }
  showFacts(entry);
  if (!view.open) view.showModal();
  showAll();
  remember();
}

for (const side of sides) copiedByButton(`${side}-`);
