// ---- Boxes on a picture

/** A box as lines that stand out from any picture: light ones on dark ones. */
function lines([x1, y1, x2, y2], className) {
  const rect = (className) => draw("rect", { x: x1, y: y1, width: x2 - x1, height: y2 - y1, class: className });
  return [rect("under"), rect(className)];
}

/** The picture on a card, with boxes: their corners, if there are any, and their classes. */
function preview({ files, width, height }, boxes) {
  if (!files) return make("span", { className: "blank", textContent: "no picture" });
  const image = draw("image", { href: files.thumbnail, width, height, preserveAspectRatio: "none" });
  const outlines = boxes.filter(([corners]) => corners).flatMap(([corners, className]) => lines(corners, className));
  return draw("svg", { "aria-hidden": true }, image, ...outlines);
}

/** A box in the large view: its lines and its label. */
function mark(corners, className, text) {
  return { corners, outline: lines(corners, className), plate: make("span", { className, textContent: text }) };
}

/** Shows boxes in the large view, the first of which matter most. */
function showMarks(pane, { width, height }, marks) {
  pane.marks = marks;
  pane.boxes.setAttribute("viewBox", `0 0 ${width} ${height}`);
  pane.boxes.replaceChildren(...[...marks].reverse().flatMap((mark) => mark.outline));
  pane.plates.replaceChildren(...marks.map((mark) => mark.plate));
}
