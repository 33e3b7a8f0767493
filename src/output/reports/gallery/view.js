// ---- The large view

const [pane] = panes;

/** Whose heat is shown: "all", "none", or the index of a box. */
let heatOf = "all";

const pictureInView = () => entries[opened];

const labelOf = ({ class: name, confidence }) => `${name} ${confidence.toFixed(2)}`;

function row(detection, index) {
  const swatch = make("span", { className: "swatch" });
  swatch.style.background = colorOf(detection);
  const cell = (...content) => make("td", {}, ...content);
  const layers = cell(detection.layers.join(", "));
  if (detection.reason) layers.append(make("div", { className: "error", textContent: `no signal: ${detection.reason}` }));
  const corners = detection.box_image?.map((side) => side.toFixed(0)).join(" ") ?? "the whole picture";
  const button = make("button", { type: "button", className: "choice", textContent: detection.class });
  button.prepend(swatch);
  button.setAttribute("aria-label", `Heat of ${labelOf(detection)}`);
  const line = make(
    "tr",
    {},
    cell(button),
    cell(detection.confidence.toFixed(2)),
    cell(detection.mask_area === undefined ? corners : `${corners}, mask of ${detection.mask_area} pixels`),
    ...(hasVerdicts ? [cell(trustOf(detection))] : []),
    layers,
  );
  line.addEventListener("click", () => choose(heatOf === index ? "all" : index));
  const point = (isPointedAt) => () => pane.marks[index].outline.classList.toggle("pointed", isPointedAt);
  for (const event of ["mouseenter", "focusin"]) line.addEventListener(event, point(true));
  for (const event of ["mouseleave", "focusout"]) line.addEventListener(event, point(false));
  return line;
}

function outline(detection, index) {
  const outline = outlineOf(detection, { stroke: colorOf(detection) });
  outline.addEventListener("click", () => chooseOnPicture(index));
  return outline;
}

/** Class and confidence. */
function label(detection, index) {
  const plate = make("span", { textContent: labelOf(detection), hidden: !detection.box_image });
  plate.style.background = colorOf(detection);
  plate.addEventListener("click", () => chooseOnPicture(index));
  return plate;
}

/** Shows the heat of one box, of "all", or "none". */
function choose(whose) {
  heatOf = whose;
  const entry = entries[opened];
  const isOne = typeof heatOf === "number";
  const lit = isOne ? [entry.detections[heatOf]] : heatOf === "all" ? wanted(entry) : [];
  drawHeat(pane, entry, lit);
  byId("heat-all").setAttribute("aria-pressed", heatOf === "all");
  byId("heat-none").setAttribute("aria-pressed", heatOf === "none");
  for (const [index, { line, outline, plate }] of pane.marks.entries()) {
    const detection = entry.detections[index];
    const isChosen = index === heatOf;
    const isDim = isOne ? !isChosen : !isWanted(detection);
    line.querySelector("button").setAttribute("aria-pressed", isChosen);
    line.classList.toggle("chosen", isChosen);
    line.classList.toggle("dim", !isWanted(detection));
    for (const mark of [outline, plate]) {
      mark.classList.toggle("chosen", isChosen);
      mark.classList.toggle("dim", isDim);
    }
  }
  const count = plural(lit.length, ...things);
  const whole = lit.length === entry.detections.length ? count : `${count} of ${entry.detections.length}`;
  const reason = isOne ? lit[0].reason : null;
  byId("heat-of").textContent = isOne
    ? `Heat of ${labelOf(lit[0])}${reason ? `: no signal, ${reason}` : ""}`
    : heatOf === "all" ? `Heat of ${whole}` : "No heat";
  remember();
}

/** A click on a box or its label, unless the picture was dragged by it. */
function chooseOnPicture(index) {
  if (!hasDragged) choose(heatOf === index ? "all" : index);
}

/** Shows the boxes of an entry. Small ones lie above large ones, so that each can be clicked. */
function showBoxes(entry) {
  pane.boxes.setAttribute("viewBox", `0 0 ${entry.width} ${entry.height}`);
  pane.marks = entry.detections.map((detection, index) => ({
    line: row(detection, index),
    outline: outline(detection, index),
    plate: label(detection, index),
    keypoints: keypointsOf(detection, colorOf(detection)),
    corners: detection.box_image,
  }));
  const area = ({ corners: [x1, y1, x2, y2] = [0, 0, 0, 0] }) => (x2 - x1) * (y2 - y1);
  const byArea = [...pane.marks].sort((a, b) => area(b) - area(a));
  pane.boxes.replaceChildren(...byArea.flatMap((mark) => [mark.outline, ...mark.keypoints]));
  pane.plates.replaceChildren(...pane.marks.map((mark) => mark.plate));
  byId("view-rows").replaceChildren(...pane.marks.map((mark) => mark.line));
  byId("view-table").hidden = entry.detections.length === 0;
  byId("view-caption").textContent =
    things[0] === "box" ? "Click a row, or a box in the picture, for its own heat." : "Click a row for its own heat.";
}

/** Opens an entry with the heat of `whose`. */
function open(index, whose = "all") {
  const entry = entries[index];
  opened = index;
  const facts = [title(entry) === name(entry) ? "" : title(entry), entry.width ? `${entry.width}×${entry.height} pixels` : ""];
  showName(name(entry), facts);
  byId("view-figure").hidden = !entry.files;
  byId("heat-tools").hidden = !entry.files || entry.detections.length === 0;
  if (entry.files) {
    pane.picture.src = entry.files.picture;
    pane.picture.alt = `${entry.image}: ${classesOf(entry) || problem(entry)[1]}`;
  }
  showBoxes(entry);
  const line = command && entry.input ? `${command} ${entry.input}` : "";
  showCommand(line, commandWords(line, entry.frame, "Results go into a folder of their own."));
  byId("view-note").textContent = entry.error ?? (entry.detections.length ? "" : `no ${things[1]}`);
  byId("view-note").className = entry.error ? "error" : "";
  if (!view.open) view.showModal();
  showAll();
  choose(typeof whose === "number" && !entry.detections[whose] ? "all" : whose);
}

/** The entry so many places on; the choice between all boxes and none stays. */
function step(by) {
  const next = beside(by);
  if (next !== undefined) open(next, heatOf === "none" ? "none" : "all");
}

view.addEventListener("close", () => {
  const card = cards[opened]?.firstElementChild;
  opened = null;
  remember();
  card?.focus();
});
byId("heat-all").addEventListener("click", () => choose("all"));
byId("heat-none").addEventListener("click", () => choose("none"));
copiedByButton();

/** Controls of the large view, and what is on in it at first. */
const controls = ["wipe", "opacity", "threshold"].map(byId);
const switches = { labels: look.has_labels };

/** The part of the picture that has heat, from the left. */
function wipe() {
  pane.layer.style.clipPath = `inset(0 ${100 - Number(byId("wipe").value)}% 0 0)`;
}

function apply() {
  wipe();
  colorHeat();
  pane.plates.hidden = !byId("labels").checked;
  // Labels that were hidden had no size.
  arrange();
}
