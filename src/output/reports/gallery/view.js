// ---- The large view

const view = byId("view");

/** Index of the entry in view, or null. */
let opened = null;

/** What belongs to each box of the entry in view: its row, its outline and its label. */
let marks = [];

/** "faithful (+0.12, +0.08)": what a map is worth, and how far it is above the Gaussian under both fills. */
function trustOf({ verify }) {
  if (!verify) return "";
  const gain = ({ own, gaussian }) => `${own >= gaussian ? "+" : "−"}${Math.abs(own - gaussian).toFixed(2)}`;
  return `${wordOf[verify.word]} (${gain(verify.mean)}, ${gain(verify.tiles)})`;
}

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
  const point = (isPointedAt) => () => marks[index].outline.classList.toggle("pointed", isPointedAt);
  for (const event of ["mouseenter", "focusin"]) line.addEventListener(event, point(true));
  for (const event of ["mouseleave", "focusout"]) line.addEventListener(event, point(false));
  return line;
}

function outline(detection, index) {
  // A class of the whole picture has no outline.
  const [x1, y1, x2, y2] = detection.box_image ?? [0, 0, 0, 0];
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  const attributes = { x: x1, y: y1, width: x2 - x1, height: y2 - y1, stroke: colorOf(detection) };
  for (const [name, value] of Object.entries(attributes)) rect.setAttribute(name, value);
  rect.addEventListener("click", () => chooseOnPicture(index));
  return rect;
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
  drawHeat(entry, lit);
  byId("heat-all").setAttribute("aria-pressed", heatOf === "all");
  byId("heat-none").setAttribute("aria-pressed", heatOf === "none");
  for (const [index, { line, outline, plate }] of marks.entries()) {
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
  byId("view-boxes").setAttribute("viewBox", `0 0 ${entry.width} ${entry.height}`);
  marks = entry.detections.map((detection, index) => ({
    line: row(detection, index),
    outline: outline(detection, index),
    plate: label(detection, index),
  }));
  const area = ({ outline }) => outline.getAttribute("width") * outline.getAttribute("height");
  const byArea = [...marks].sort((a, b) => area(b) - area(a));
  byId("view-boxes").replaceChildren(...byArea.map((mark) => mark.outline));
  byId("view-labels").replaceChildren(...marks.map((mark) => mark.plate));
  byId("view-rows").replaceChildren(...marks.map((mark) => mark.line));
  byId("view-table").hidden = entry.detections.length === 0;
  byId("view-caption").textContent =
    things[0] === "box" ? "Click a row, or a box in the picture, for its own heat." : "Click a row for its own heat.";
}

/** The command that explains this one picture again. */
function showCommand(entry) {
  const line = command && entry.input ? `${command} ${entry.input}` : "";
  byId("command").textContent = line;
  byId("command-note").textContent = !line
    ? "A name is no text that a command could be shown with."
    : entry.frame === undefined
      ? "In the folder where the run was started. Results go into a folder of their own."
      : `In the folder where the run was started. All frames of the file are explained; this is number ${entry.frame}.`;
  byId("copy").hidden = !line;
  byId("copy").textContent = "Copy";
}

/** Opens an entry with the heat of `whose`. */
function open(index, whose = "all") {
  const entry = entries[index];
  opened = index;
  byId("view-name").textContent = name(entry);
  const spot = shown.indexOf(index);
  const facts = [
    title(entry) === name(entry) ? "" : title(entry),
    entry.width ? `${entry.width}×${entry.height} pixels` : "",
    spot >= 0 ? `${spot + 1} of ${shown.length}` : "",
  ];
  byId("view-place").textContent = facts.filter(Boolean).join(", ");
  byId("previous").disabled = spot <= 0;
  byId("next").disabled = spot < 0 || spot === shown.length - 1;
  byId("view-figure").hidden = !entry.files;
  byId("heat-tools").hidden = !entry.files || entry.detections.length === 0;
  if (entry.files) {
    byId("view-picture").src = entry.files.picture;
    byId("view-picture").alt = `${entry.image}: ${classesOf(entry) || problem(entry)[1]}`;
  }
  showBoxes(entry);
  showCommand(entry);
  byId("view-note").textContent = entry.error ?? (entry.detections.length ? "" : `no ${things[1]}`);
  byId("view-note").className = entry.error ? "error" : "";
  if (!view.open) view.showModal();
  showAll();
  choose(typeof whose === "number" && !entry.detections[whose] ? "all" : whose);
}

/** The entry so many places on; the choice between all boxes and none stays. */
function step(by) {
  const next = shown[shown.indexOf(opened) + by];
  if (opened !== null && next !== undefined && shown.includes(opened)) open(next, heatOf === "none" ? "none" : "all");
}

async function copyCommand() {
  const text = byId("command").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Where a page from the disk may not write to the clipboard, it may copy what is selected.
    getSelection().selectAllChildren(byId("command"));
    document.execCommand("copy");
  }
  byId("copy").textContent = "Copied";
}

view.addEventListener("close", () => {
  const card = cards[opened]?.firstElementChild;
  opened = null;
  remember();
  card?.focus();
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
byId("copy").addEventListener("click", copyCommand);
byId("heat-all").addEventListener("click", () => choose("all"));
byId("heat-none").addEventListener("click", () => choose("none"));
