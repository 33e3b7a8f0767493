// ---- The cards. There may be 50,000: only those near the window are in the document.

const list = byId("cases");

/** How many cards are in a row, how high one is with its gap, in pixels, and by how much its preview is wider than high. */
const grid = { columns: 1, height: 300, ratio: 4 / 3 };

/** The cards that are in the document, by place in the list, in order. */
const dealt = new Map();

/** How much larger than the boxes on a card the part of the picture is that it shows, and must be. */
const CROP_MARGIN = 2;
const LEAST_MARGIN = 1.1;
/** The least share of the picture that is shown: a thumbnail has no more pixels. */
const LEAST_CROP = 0.35;

/** Where a part of a side begins that has `middle` in its middle, unless an edge would leave a gap. */
const begin = (middle, part, side) =>
  part >= side ? (side - part) / 2 : Math.min(side - part, Math.max(0, middle - part / 2));

/** The part of a picture that a card shows: boxes and what is around them, as x, y, width and height. */
function crop({ width, height }, boxes) {
  const [x1, y1] = [0, 1].map((side) => Math.min(...boxes.map((box) => box[side])));
  const [x2, y2] = [2, 3].map((side) => Math.max(...boxes.map((box) => box[side])));
  const around = (w, h) => Math.max(w, h * grid.ratio);
  const boxed = around(x2 - x1, y2 - y1);
  const wanted = Math.max(boxed * CROP_MARGIN, LEAST_CROP * around(width, height));
  // No gap beside the picture, unless the boxes do not fit otherwise.
  const w = Math.max(Math.min(wanted, width, height * grid.ratio), boxed * LEAST_MARGIN);
  const h = w / grid.ratio;
  return [begin((x1 + x2) / 2, w, width), begin((y1 + y2) / 2, h, height), w, h];
}

/** A box as lines that stand out from any picture: light ones on dark ones. */
function lines([x1, y1, x2, y2], className) {
  const rect = (className) => draw("rect", { x: x1, y: y1, width: x2 - x1, height: y2 - y1, class: className });
  return [rect("under"), rect(className)];
}

/** The boxes of an entry: its label's, then its prediction's. */
const boxesOf = (entry) => [labelOf(entry)?.box, entry.box].filter(Boolean);

function preview(entry) {
  const { files, width, height } = pictureOf(entry);
  if (!files) return make("span", { className: "blank", textContent: "no picture" });
  const image = draw("image", { href: files.thumbnail, width, height, preserveAspectRatio: "none" });
  const svg = draw("svg", { "aria-hidden": true }, image);
  if (labelOf(entry)) svg.append(...lines(labelOf(entry).box, "label"));
  if (entry.box) svg.append(...lines(entry.box, "found"));
  return svg;
}

/** What a card says below its kind. */
function noteOf(entry) {
  const heat = entry.evidence ? `${percent(entry.evidence.object)} of heat on it` : entry.reason ? "no signal" : "no map";
  return entry.suspicions.length ? `${heat}, suspicious` : heat;
}

function card(spot) {
  const entry = cases[shown[spot]];
  const text = (className, textContent, title = textContent) => make("span", { className, textContent, title });
  const { image } = pictureOf(entry);
  const button = make(
    "button",
    { type: "button", className: "card" },
    preview(entry),
    text(isError(entry) ? "kind wrong" : "kind", kindWords.get(entry.kind)),
    text("name", classesOf(entry)),
    make("span", { className: "confidence", textContent: confidenceOf(entry) }),
    text("facts", noteOf(entry)),
    text("facts", shortName.get(image), image),
  );
  button.addEventListener("click", () => open(shown[spot]));
  const item = make("li", {}, button);
  item.setAttribute("aria-setsize", shown.length);
  item.setAttribute("aria-posinset", spot + 1);
  return item;
}

/** The places whose cards are near the window, within one window above and below; and that of the card in focus. */
function nearby() {
  const { top } = list.getBoundingClientRect();
  const row = (y) => Math.floor((y - top) / grid.height);
  const [first, last] = [row(-innerHeight) * grid.columns, (row(2 * innerHeight) + 1) * grid.columns];
  const [from, to] = [Math.max(0, first), Math.min(shown.length, last)];
  const spots = Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
  const focused = [...dealt].find(([, item]) => item.contains(document.activeElement))?.[0];
  if (focused === undefined || (focused >= from && focused < to)) return spots;
  return focused < from ? [focused, ...spots] : [...spots, focused];
}

/** Puts a card in its place, and the part of the picture that it shows in the room for it. */
function put(item, spot) {
  item.style.left = `${((spot % grid.columns) / grid.columns) * 100}%`;
  item.style.top = `${Math.floor(spot / grid.columns) * grid.height}px`;
  item.style.width = `${100 / grid.columns}%`;
  const entry = cases[shown[spot]];
  item.querySelector("svg")?.setAttribute("viewBox", crop(pictureOf(entry), boxesOf(entry)).join(" "));
}

/** Adds the cards that came near, and drops those that went. The others stay as they are, and one keeps the focus. */
function moveCards() {
  const spots = nearby();
  const wanted = new Set(spots);
  for (const [spot, item] of dealt) {
    if (wanted.has(spot)) continue;
    item.remove();
    dealt.delete(spot);
  }
  let next = list.firstElementChild;
  for (const spot of spots) {
    const known = dealt.get(spot);
    if (known) {
      next = known.nextElementSibling;
      continue;
    }
    const item = card(spot);
    put(item, spot);
    dealt.set(spot, item);
    list.insertBefore(item, next);
  }
}

/** Shows other cards than before. */
function dealCards() {
  dealt.clear();
  list.replaceChildren();
  arrangeCards();
}

/** Fits rows to the room there is. The style sheet has the sizes of a card. */
function arrangeCards() {
  const { gridAutoColumns, gridAutoRows } = getComputedStyle(list);
  grid.columns = Math.max(1, Math.floor(list.clientWidth / parseFloat(gridAutoColumns)));
  grid.height = parseFloat(gridAutoRows);
  list.style.height = `${Math.ceil(shown.length / grid.columns) * grid.height}px`;
  moveCards();
  // All cards are as large.
  const { clientWidth, clientHeight } = list.querySelector("svg") ?? {};
  if (clientHeight) grid.ratio = clientWidth / clientHeight;
  for (const [spot, item] of dealt) put(item, spot);
}

/** Brings a card into the window, and the focus to it. */
function goTo(spot) {
  const top = list.getBoundingClientRect().top + scrollY + Math.floor(spot / grid.columns) * grid.height;
  if (top < scrollY || top + grid.height > scrollY + innerHeight) scrollTo(0, top - (innerHeight - grid.height) / 2);
  moveCards();
  dealt.get(spot)?.firstElementChild.focus({ preventScroll: true });
}

list.addEventListener("keydown", (event) => {
  const { columns } = grid;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const spot = [...dealt].find(([, item]) => item.contains(event.target))?.[0];
  const next = { Home: 0, End: shown.length - 1 }[event.key] ?? spot + steps[event.key];
  if (event.ctrlKey || event.metaKey || event.altKey || !(next >= 0 && next < shown.length)) return;
  event.preventDefault();
  goTo(next);
});
addEventListener("scroll", moveCards, { passive: true });
// What is above the list grows and shrinks, too.
new ResizeObserver(arrangeCards).observe(document.body);
