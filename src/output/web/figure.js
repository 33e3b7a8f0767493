// ---- What a box is besides a rectangle: rotated, or with keypoints in it

/** The outline of a box as it lies; of a class of the whole picture nothing is seen. */
function outlineOf({ box_image: corners, figure }, attributes) {
  if (figure?.corners) return draw("polygon", { points: figure.corners.map((corner) => corner.join()).join(" "), ...attributes });
  const [x1, y1, x2, y2] = corners ?? [0, 0, 0, 0];
  return draw("rect", { x: x1, y: y1, width: x2 - x1, height: y2 - y1, ...attributes });
}

/** Its keypoints as dots, and the lines between them. */
function keypointsOf({ figure }, color) {
  const { points = [], bones = [] } = figure ?? {};
  const line = ([x1, y1], [x2, y2], className) => draw("line", { x1, y1, x2, y2, class: className, stroke: color });
  const joined = bones.filter(([a, b]) => points[a] && points[b]).map(([a, b]) => line(points[a], points[b], "bone"));
  // A line without length that has round ends is a dot, as large at any zoom.
  const dots = points.filter(Boolean).map((point) => line(point, point, "keypoint"));
  return [...joined, ...dots];
}
