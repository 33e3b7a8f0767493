// ---- Labels of the boxes in the large view

/** What a label needs at least between itself and another, in pixels of the screen. */
const GAP = 1;

/** Where a label may stand, in pixels of the screen from the corner of the picture: what comes first is better. */
function spots([x1, y1, x2, y2], { width, height }) {
  const right = Math.max(x1, x2 - width);
  return [[x1, y1 - height], [x1, y1], [x1, y2], [x1, y2 - height], [right, y1 - height], [right, y1], [right, y2]];
}

/**
 * Puts each label at its box, so that it hides no label of an earlier one (a more confident box) as long as there is room, and
 * is as large however the picture is zoomed. `scale`: pixels of the screen for each pixel of the picture.
 */
function placeLabels(marks, picture, scale) {
  const sizes = marks.map(({ plate }) => ({ width: plate.offsetWidth, height: plate.offsetHeight }));
  const taken = [];
  for (const [index, { plate, corners }] of marks.entries()) {
    const size = sizes[index];
    if (!corners || size.width === 0) continue;
    const [width, height] = [picture.width * scale, picture.height * scale];
    const isInside = ([x, y]) => x >= 0 && x + size.width <= width && y >= 0 && y + size.height <= height;
    const isFree = ([x, y]) => taken.every(([left, top, right, bottom]) =>
      x >= right + GAP || left >= x + size.width + GAP || y >= bottom + GAP || top >= y + size.height + GAP);
    const candidates = spots(corners.map((side) => side * scale), size);
    const seen = candidates.filter(isInside);
    // Where the picture has no room for it, a long label begins in the picture at least.
    const [x, y] = seen.find(isFree) ?? seen[0] ?? [Math.max(0, Math.min(candidates[1][0], width - size.width)), candidates[1][1]];
    taken.push([x, y, x + size.width, y + size.height]);
    // The scene is zoomed, and labels are not.
    plate.style.transform = `scale(${1 / place.zoom}) translate(${x}px, ${y}px)`;
    plate.style.zIndex = marks.length - index;
  }
}
