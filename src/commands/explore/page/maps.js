// ---- Maps: asked for, kept, and drawn

import { now, viewWith } from "./now.js";
import { detectionOf, keyOf, queryOf, wishOf } from "./subject.js";
import { postForBoth } from "./server.js";

const MOST_KEPT = 200;
/** The maps that were seen last, the oldest first: to point at a box again costs nothing. */
const kept = new Map();

/** A map is the same whatever the thresholds: that of a prediction, and that of what is strongest at a place. */
const nameOf = (pane, what) => JSON.stringify([now.picture.id, now.settings[pane], what]);

/** The map of a subject, if it was seen: that of a detection also once the thresholds have taken it away. */
export function knownMap(subject, pane) {
  const isOwn = subject.kind === "box" && subject.model === now.settings[pane].model;
  const names = [isOwn && nameOf(pane, keyOf(subject)), nameOf(pane, queryOf(subject, pane))];
  const name = names.find((name) => kept.has(name));
  const map = kept.get(name);
  // A detection has a map of its own, which need not be that of the strongest at its place.
  if (!map || (detectionOf(subject, pane) && name !== names[0])) return undefined;
  kept.delete(name);
  kept.set(name, map);
  return map;
}

/** The numbers of a .npy file of two dimensions, f32. */
function numbersOf(bytes) {
  const file = new DataView(bytes);
  const [length, begin] = file.getUint8(6) === 1 ? [file.getUint16(8, true), 10] : [file.getUint32(8, true), 12];
  const header = new TextDecoder().decode(bytes.slice(begin, begin + length));
  const [rows, columns] = header.match(/'shape': \((\d+), (\d+)/).slice(1).map(Number);
  return { rows, columns, values: new Float32Array(bytes.slice(begin + length)) };
}

export async function fetchMap(subject, pane, signal) {
  const { subject: wish, thresholds } = wishOf(subject, pane);
  const name = nameOf(pane, wish.query ?? keyOf(subject));
  const request = { subject: wish, view: viewWith(pane, thresholds) };
  const [head, bytes] = await postForBoth(now.picture, "map", request, { pane, signal });
  const map = { ...head, ...numbersOf(bytes) };
  kept.set(name, map);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
  return map;
}

/** Between which cells a place lies, and how near the second: as bilinear interpolation between the middles of cells does it. */
function between(at, offset, scale, count) {
  const cell = Math.min(count - 1, Math.max(0, (at - offset) / scale - 0.5));
  const first = Math.floor(cell);
  return [first, Math.min(count - 1, first + 1), cell - first];
}

/** The value of a map at a place of the picture, if it has one there. */
export function valueAt({ grid, rows, columns, values, heat_area: [x1, y1, x2, y2] }, x, y) {
  if (x < x1 || x > x2 || y < y1 || y > y2) return undefined;
  const [left, right, across] = between(x, grid.offset_x, grid.scale_x, columns);
  const [top, bottom, down] = between(y, grid.offset_y, grid.scale_y, rows);
  const inRow = (row) => values[row * columns + left] * (1 - across) + values[row * columns + right] * across;
  return inRow(top) * (1 - down) + inRow(bottom) * down;
}

/** How many pixels the longer side of the canvas has: enough for a smooth picture of the cells. */
const sideOf = ({ rows, columns }) => Math.min(1280, Math.max(512, 4 * Math.max(rows, columns)));

/** Draws a map in grey, white at its peak, over the part of the picture that has heat. */
export function drawMap({ heat }, map) {
  const { width, height } = pictureInView();
  const { grid, rows, columns, values, peak } = map;
  const [x1, y1, x2, y2] = map.heat_area;
  const share = (length, whole) => `${(length / whole) * 100}%`;
  Object.assign(heat.style, {
    left: share(x1, width),
    top: share(y1, height),
    width: share(x2 - x1, width),
    height: share(y2 - y1, height),
  });
  const scale = sideOf(map) / Math.max(x2 - x1, y2 - y1);
  const [w, h] = [x2 - x1, y2 - y1].map((side) => Math.max(1, Math.round(side * scale)));
  [heat.width, heat.height] = [w, h];
  const spot = (index, count, from, to) => from + ((index + 0.5) / count) * (to - from);
  // By column of the canvas. Plain arrays of numbers: this is all that stands between an answer and its heat.
  const [lefts, rights, nears] = [new Uint16Array(w), new Uint16Array(w), new Float32Array(w)];
  for (let i = 0; i < w; i++) [lefts[i], rights[i], nears[i]] = between(spot(i, w, x1, x2), grid.offset_x, grid.scale_x, columns);
  const image = new ImageData(w, h);
  const pixels = new Uint32Array(image.data.buffer);
  const row = new Float32Array(columns);
  const perPeak = 1 / peak;
  for (let j = 0; j < h; j++) {
    const [top, bottom, down] = between(spot(j, h, y1, y2), grid.offset_y, grid.scale_y, rows);
    for (let c = 0; c < columns; c++) row[c] = values[top * columns + c] * (1 - down) + values[bottom * columns + c] * down;
    for (let i = 0; i < w; i++) {
      const left = row[lefts[i]];
      const value = left + (row[rights[i]] - left) * nears[i];
      const grey = value > 0 ? (Math.min(1, value * perPeak) * 255 + 0.5) | 0 : 0;
      pixels[j * w + i] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
    }
  }
  heat.getContext("2d").putImageData(image, 0, 0);
  heat.hidden = map.empty;
}
