// ---- Parts of the picture that are covered, and what the score does then

import { foundIn, now, panesByModel, shownPanes, viewWith } from "./now.js";
import { ofDetection, titleOf, wishOf } from "./subject.js";
import { newestOnly, postForBoth, showProblem } from "./server.js";
import { showBoxes, showPicture, spotOf, tell } from "./stage.js";
import { pin } from "./pinning.js";
import { remember } from "./address.js";

/** What the server takes. */
const MOST_STROKES = 200;
const MOST_POINTS = 5000;

/** By model: the changed picture's address, boxes and scores, and how many strokes it has. */
let changed = [];
/** Strokes of pictures that were left. */
const strokesOfOthers = new Map();
/** The stroke that is being drawn. */
let drawing = null;

export const changedIn = (pane) => (byId("changed").checked ? changed[now.settings[pane].model] : undefined);

const pathOf = ({ radius, points }) => {
  const [[x, y]] = points;
  const rest = points.slice(1).map(([x, y]) => `L${x} ${y}`).join("");
  // Without a line there would be no dot either.
  const d = `M${x} ${y}${rest || "l0 0"}`;
  return draw("path", { d, "stroke-width": 2 * radius });
};

/** The strokes that the picture of a pane does not show yet. */
export function strokesOn(pane) {
  const strokes = [...now.strokes.slice(changedIn(pane)?.count ?? 0), ...(drawing ? [drawing] : [])];
  return draw("g", { class: "strokes" }, ...strokes.map(pathOf));
}

export const strokesFor = () => now.strokes.map(({ radius, points }) => ({ radius, points }));

function forget() {
  for (const { address } of changed.filter(Boolean)) URL.revokeObjectURL(address);
  changed = [];
}

function showScore() {
  const painted = changed[now.settings[0].model];
  byId("undo").disabled = now.strokes.length === 0;
  byId("clear").disabled = now.strokes.length === 0;
  byId("cover-box").disabled = !now.pinned?.box;
  const { before, after, share, detections } = painted ?? {};
  const hasScore = typeof before === "number" && typeof after === "number";
  byId("score-text").textContent = hasScore ? `${before.toFixed(2)} → ${after.toFixed(2)}` : "";
  byId("score-of").textContent = now.pinned ? titleOf(now.pinned) : "Pin a box to see its score";
  byId("score-before").style.width = `${(before ?? 0) * 100}%`;
  byId("score-bar").style.width = `${(after ?? 0) * 100}%`;
  if (!painted) {
    byId("score-note").textContent = "Choose “Paint” and draw on the picture: the score tells what the network misses of it.";
    return;
  }
  const boxes = plural(detections.length, "box", "boxes");
  const covered = `${(share * 100).toFixed(1)} % of the picture is covered; ${boxes} left.`;
  byId("score-note").textContent = `${covered} The score is the confidence times the IoU with the box.`;
}

const ask = newestOnly(async (signal, picture, subject, strokes, fill) => {
  for (const pane of panesByModel()) {
    const { subject: wish = null, thresholds } = (subject && wishOf(subject, pane)) ?? {};
    const request = { subject: wish, fill, strokes, view: viewWith(pane, thresholds) };
    const [head, bytes] = await postForBoth(picture, "paint", request, { pane, signal });
    if (picture !== now.picture || now.strokes.length === 0) return;
    const model = now.settings[pane].model;
    const old = changed[model]?.address;
    changed[model] = { ...head, count: strokes.length, address: URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" })) };
    if (old) setTimeout(() => URL.revokeObjectURL(old), 1000);
    showChanged();
  }
  const painted = changed[now.settings[0].model];
  tell(`${byId("score-text").textContent} ${subject ? titleOf(subject) : ""}, ${(painted.share * 100).toFixed(1)} % covered`);
});

/** Shows the changed picture, or what it was. */
function showChanged() {
  showPicture();
  showBoxes();
  showScore();
}

/** Asks again, after strokes, the pinned box or the thresholds have changed. */
export function repaint() {
  showScore();
  if (!now.picture || !foundIn(0)) return;
  if (now.strokes.length > 0) ask(now.picture, now.pinned, strokesFor(), now.fill);
  else if (changed.length > 0) {
    forget();
    showChanged();
  }
}

/** Takes the strokes of a picture out again. */
export function changePicture(from, to) {
  if (from) strokesOfOthers.set(from.id, now.strokes);
  ask.drop();
  forget();
  drawing = null;
  now.strokes = strokesOfOthers.get(to.id) ?? [];
}

function addStroke(stroke) {
  const points = now.strokes.reduce((sum, { points }) => sum + points.length, stroke.points.length);
  if (now.strokes.length >= MOST_STROKES || points > MOST_POINTS) {
    showProblem(`No more than ${MOST_STROKES} strokes and ${MOST_POINTS} points; clear some first.`);
    return;
  }
  now.strokes = [...now.strokes, stroke];
  strokesChanged();
}

function strokesChanged() {
  // The score is that of a box.
  const first = foundIn(0)?.detections[0];
  if (!now.pinned && first && now.strokes.length > 0) pin(ofDetection(first, now.settings[0].model));
  else repaint();
  showBoxes();
  remember();
}

// With the pointer

export const painting = {
  begin(event) {
    drawing = { radius: Number(byId("brush").value), points: [spotOf(event).map(Math.round)] };
    showBoxes();
  },
  move(event) {
    const [x, y] = spotOf(event).map(Math.round);
    const [lastX, lastY] = drawing.points.at(-1);
    if (Math.hypot(x - lastX, y - lastY) < Math.max(2, drawing.radius / 3)) return;
    drawing.points.push([x, y]);
    for (const pane of shownPanes()) panes[pane].boxes.querySelector(".strokes").lastElementChild?.replaceWith(pathOf(drawing));
  },
  end() {
    const stroke = drawing;
    drawing = null;
    addStroke(stroke);
  },
  cancel() {
    drawing = null;
    showBoxes();
  },
};

// Without

/** Strokes to and fro that cover a box. */
function strokeOver([x1, y1, x2, y2]) {
  const radius = Math.max(2, Math.round(Math.min(x2 - x1, y2 - y1) / 8));
  // So far inside, a stroke reaches the corners.
  const inset = 0.7 * radius;
  const [left, right, top, bottom] = [x1 + inset, x2 - inset, y1 + inset, y2 - inset];
  const count = Math.max(1, Math.ceil((bottom - top) / (1.4 * radius)));
  const rows = Array.from({ length: count + 1 }, (_, row) => top + ((bottom - top) * row) / count);
  const points = rows.flatMap((y, row) => (row % 2 ? [[right, y], [left, y]] : [[left, y], [right, y]]));
  return { radius, points: points.map((point) => point.map(Math.round)) };
}

function setBrush() {
  byId("brush-value").textContent = `${byId("brush").value} px`;
}

export function undo() {
  if (now.strokes.length === 0) return;
  now.strokes = now.strokes.slice(0, -1);
  strokesChanged();
}

byId("undo").addEventListener("click", undo);
byId("clear").addEventListener("click", () => {
  now.strokes = [];
  strokesChanged();
});
byId("changed").addEventListener("input", showChanged);
byId("brush").addEventListener("input", setBrush);
byId("fill").append(...data.fills.map(({ name, summary }) => make("option", { value: name, textContent: name, title: summary })));
byId("fill").addEventListener("input", () => {
  now.fill = byId("fill").value;
  repaint();
  remember();
});
byId("cover").addEventListener("submit", (event) => {
  event.preventDefault();
  const [x, y, radius] = ["cover-x", "cover-y", "cover-radius"].map((id) => Math.round(Number(byId(id).value)));
  addStroke({ radius, points: [[x, y]] });
});
byId("cover-box").addEventListener("click", () => now.pinned?.box && addStroke(strokeOver(now.pinned.box)));
setBrush();
