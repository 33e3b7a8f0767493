// ---- The part of a picture that a card shows
//
// The page has `entries`, and `pictureOf` and `boxesOf` them; `shown`, and the `grid` of their cards.

/** How much larger than the boxes on a card the part of the picture is that it shows, and must be. */
const CROP_MARGIN = 2;
const LEAST_MARGIN = 1.1;
/** The least share of the picture that is shown: a thumbnail has no more pixels. */
const LEAST_CROP = 0.35;

/** Where a part of a side begins that has `middle` in its middle, unless an edge would leave a gap. */
const begin = (middle, part, side) =>
  part >= side ? (side - part) / 2 : Math.min(side - part, Math.max(0, middle - part / 2));

/** Boxes and what is around them, as x, y, width and height. `ratio`: by how much the room is wider than high. */
function crop({ width, height }, boxes, ratio) {
  const [x1, y1] = [0, 1].map((side) => Math.min(...boxes.map((box) => box[side])));
  const [x2, y2] = [2, 3].map((side) => Math.max(...boxes.map((box) => box[side])));
  const around = (w, h) => Math.max(w, h * ratio);
  const boxed = around(x2 - x1, y2 - y1);
  const wanted = Math.max(boxed * CROP_MARGIN, LEAST_CROP * around(width, height));
  // No gap beside the picture, unless the boxes do not fit otherwise.
  const w = Math.max(Math.min(wanted, width, height * ratio), boxed * LEAST_MARGIN);
  const h = w / ratio;
  return [begin((x1 + x2) / 2, w, width), begin((y1 + y2) / 2, h, height), w, h];
}

/** Fits what a card shows into the room for it: all its pictures show the same part. */
function fit(item, spot) {
  const entry = entries[shown[spot]];
  for (const svg of item.querySelectorAll("svg")) {
    svg.setAttribute("viewBox", crop(pictureOf(entry), boxesOf(entry), grid.ratio).join(" "));
  }
}
