// ---- The list of pictures. There may be 10,000: only the rows near its window are in the document, and only these load thumbnails.

import { now, viewOf } from "./now.js";
import { listPictures, report, showProblem, upload } from "./server.js";
import { open } from "./looking.js";
import { redrawing } from "./redraw.js";
import { remember } from "./address.js";

/** The height of a row in pixels, as the style sheet has it. */
const ROW = 60;
/** How long the list must rest before thumbnails load, so that scrolling past asks for none. */
const REST = 80;

export const pictures = [];
let short = new Map();

/** By id: what was found when a picture was looked at, and with which thresholds. */
const known = new Map();

/** The pictures that are shown, and the rows of them that are in the document, by place. */
let shown = [];
const rows = new Map();
/** The place whose row the Tab key comes to. */
let current = 0;

const [scroller, list] = [byId("scroller"), byId("list")];
const filters = ["search", "show", "having"].map(byId);

// Rows

/** With which model and thresholds boxes are found. */
function asked() {
  const { model, conf, iou } = viewOf(0);
  return [model, conf, iou].join();
}

/** Whether a picture was looked at with just these. */
export const isKnown = ({ id }) => known.get(id)?.asked === asked();

function factsOf(picture) {
  const seen = known.get(picture.id);
  if (!seen) return picture.is_added ? "added" : "";
  const missed = seen.missed ? `, ${seen.missed} missed` : "";
  const old = isKnown(picture) || seen.conf === null ? "" : ` above ${seen.conf.toFixed(2)}`;
  return `${plural(seen.count, "box", "boxes")}${missed}${old}`;
}

function row(spot) {
  const picture = shown[spot];
  const button = make(
    "button",
    { type: "button", title: picture.name, tabIndex: spot === current ? 0 : -1 },
    make("img", { alt: "", decoding: "async", draggable: false }),
    make("span", { className: "name", textContent: short.get(picture.name) }),
    make("span", { className: "seen", textContent: factsOf(picture) }),
  );
  button.addEventListener("click", () => open(picture));
  const item = make("li", {}, button);
  item.style.top = `${spot * ROW}px`;
  item.setAttribute("aria-setsize", shown.length);
  item.setAttribute("aria-posinset", spot + 1);
  if (picture === now.picture) button.setAttribute("aria-current", "true");
  return item;
}

/** The places near the window of the list, and that of the row in focus. */
function nearby() {
  const rowsHigh = Math.ceil(scroller.clientHeight / ROW);
  const first = Math.floor(scroller.scrollTop / ROW);
  const [from, to] = [Math.max(0, first - rowsHigh), Math.min(shown.length, first + 2 * rowsHigh)];
  const spots = new Set(Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index));
  // The Tab key needs a row to come to, and the focus one to stay in.
  if (shown[current]) spots.add(current);
  return spots;
}

let resting = 0;

function loadThumbnails() {
  const { top, bottom } = scroller.getBoundingClientRect();
  for (const [spot, item] of rows) {
    const image = item.querySelector("img");
    const box = item.getBoundingClientRect();
    if (!image.src && box.bottom > top - 300 && box.top < bottom + 300) image.src = `/api/pictures/${shown[spot].id}/thumbnail`;
  }
}

/** Adds the rows that came near, and drops those that went, with what they still load. */
function moveRows() {
  const spots = nearby();
  for (const [spot, item] of rows) {
    if (spots.has(spot)) continue;
    item.querySelector("img").removeAttribute("src");
    item.remove();
    rows.delete(spot);
  }
  for (const spot of [...spots].sort((a, b) => a - b)) {
    if (rows.has(spot)) continue;
    const item = row(spot);
    const after = [...rows].filter(([other]) => other > spot).sort(([a], [b]) => a - b)[0];
    list.insertBefore(item, after?.[1] ?? null);
    rows.set(spot, item);
  }
  clearTimeout(resting);
  resting = setTimeout(loadThumbnails, REST);
}

function dealRows() {
  const hadFocus = list.contains(document.activeElement);
  rows.clear();
  list.replaceChildren();
  list.style.height = `${shown.length * ROW}px`;
  current = Math.max(0, shown.indexOf(now.picture));
  moveRows();
  if (hadFocus) rows.get(current)?.firstElementChild.focus({ preventScroll: true });
}

function reveal(spot) {
  const top = spot * ROW;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top + ROW > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + ROW - scroller.clientHeight;
  moveRows();
}

/** Makes a row the one that the Tab key comes to. */
function setCurrent(spot) {
  const old = rows.get(current)?.firstElementChild;
  if (old) old.tabIndex = -1;
  current = spot;
  reveal(spot);
  rows.get(spot).firstElementChild.tabIndex = 0;
}

list.addEventListener("keydown", (event) => {
  const page = Math.max(1, Math.floor(scroller.clientHeight / ROW) - 1);
  const steps = { ArrowUp: -1, ArrowDown: 1, PageUp: -page, PageDown: page, Home: -Infinity, End: Infinity };
  const by = steps[event.key];
  if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  event.stopPropagation();
  setCurrent(Math.min(shown.length - 1, Math.max(0, current + by)));
  rows.get(current).firstElementChild.focus({ preventScroll: true });
});
scroller.addEventListener("scroll", moveRows, { passive: true });
new ResizeObserver(moveRows).observe(scroller);

// What is known of pictures

/** Shows what is known of the rows in the document. */
export function refreshRows() {
  for (const [spot, item] of rows) item.querySelector(".seen").textContent = factsOf(shown[spot]);
}

function classChoices(classes) {
  const choices = [...byId("having").options];
  for (const name of classes) {
    if (choices.some(({ value }) => value === name)) continue;
    byId("having").append(make("option", { value: name, textContent: name }));
  }
}

/** Remembers what was found in a picture. */
export function learn(picture, { detections, labels, model, conf, iou }) {
  const classes = new Set(detections.map((detection) => detection.class));
  const missed = (labels ?? []).filter(({ found, is_crowd: isCrowd }) => !found && !isCrowd).length;
  known.set(picture.id, { count: detections.length, classes, missed, conf, asked: [model, conf, iou].join() });
  classChoices(classes);
  const spot = [...rows.keys()].find((spot) => shown[spot] === picture);
  if (spot !== undefined) rows.get(spot).querySelector(".seen").textContent = factsOf(picture);
}

// Filters

const asks = {
  known: (seen) => seen,
  unknown: (seen) => !seen,
  boxes: (seen) => seen?.count > 0,
  none: (seen) => seen?.count === 0,
  added: (_, picture) => picture.is_added,
  missed: (seen) => seen?.missed > 0,
};

function tests() {
  const [search, show, having] = filters.map(({ value }) => value);
  const wanted = search.trim().toLowerCase();
  return [
    wanted && ((picture) => picture.name.toLowerCase().includes(wanted)),
    asks[show] && ((picture) => asks[show](known.get(picture.id), picture)),
    having && ((picture) => known.get(picture.id)?.classes.has(having)),
  ].filter(Boolean);
}

/** Shows what the filters ask for. */
export const filter = redrawing([list], () => {
  const all = tests();
  const wanted = pictures.filter((picture) => all.every((test) => test(picture)));
  const isSame = wanted.length === shown.length && wanted.every((picture, spot) => picture === shown[spot]);
  shown = wanted;
  const count = plural(pictures.length, "picture", "pictures");
  byId("count").textContent = all.length === 0 ? count : shown.length ? `${shown.length} of ${count}` : `None of ${count} fits.${hint()}`;
  if (!isSame) dealRows();
});

/** Filters by what was found know only what was looked at. */
function hint() {
  const [, show, having] = filters.map(({ value }) => value);
  const needsLook = having || ["boxes", "none", "missed"].includes(show);
  return needsLook && known.size < pictures.length ? " Not all were looked at." : "";
}

export const filterState = () => filters.map(({ id, value }) => [id, value]);

export function recallFilters(state) {
  // A class is offered once it was found.
  if (state.get("having")) classChoices([state.get("having")]);
  for (const input of filters) {
    input.value = state.get(input.id) ?? (input.id === "show" ? "all" : "");
    if (input.selectedIndex === -1) input.selectedIndex = 0;
  }
  filter();
}

byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filters").addEventListener("input", () => {
  filter();
  remember();
});

// Which one is open

/** The picture of this name, or of this short name. */
export const pictureNamed = (wanted) =>
  pictures.find(({ name }) => name === wanted) ?? pictures.find(({ name }) => short.get(name) === wanted);
export const firstPicture = () => shown[0] ?? pictures[0];

/** The picture so many places on from that in view. */
export function beside(by) {
  const spot = shown.indexOf(now.picture);
  return spot < 0 ? shown[0] : shown[spot + by];
}

export function markOpen(picture) {
  for (const button of list.querySelectorAll("[aria-current]")) button.removeAttribute("aria-current");
  const spot = shown.indexOf(picture);
  byId("previous").disabled = spot <= 0;
  byId("next").disabled = shown.length === 0 || spot === shown.length - 1;
  if (spot < 0) return;
  setCurrent(spot);
  rows.get(spot).firstElementChild.setAttribute("aria-current", "true");
}

// More pictures

function take(more) {
  pictures.push(...more);
  short = shortNames(pictures.map(({ name }) => name));
}

export async function loadPictures() {
  const { pictures: all, problems } = await listPictures();
  take(all);
  byId("problems").hidden = problems.length === 0;
  byId("problems-count").textContent = plural(problems.length, "problem", "problems");
  byId("problems-list").append(...problems.map((textContent) => make("li", { textContent })));
}

async function add(files) {
  for (const file of files) {
    if (file.size > data.most_upload) {
      showProblem(`${file.name} has more than ${Math.floor(data.most_upload / 2 ** 20)} MiB.`);
      continue;
    }
    try {
      const picture = { ...(await upload(file)), is_added: true };
      take([picture]);
      filter();
      open(picture);
    } catch (error) {
      report(error);
    }
  }
}

byId("add").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", () => {
  add([...byId("file").files]);
  byId("file").value = "";
});

const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
addEventListener("dragover", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  byId("drop").hidden = false;
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) byId("drop").hidden = true;
});
addEventListener("drop", (event) => {
  if (!hasFiles(event)) return;
  event.preventDefault();
  byId("drop").hidden = true;
  add([...event.dataTransfer.files]);
});
