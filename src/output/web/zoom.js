// ---- Zoom and pan of the picture in the large view, or of several pictures of the same size, which move as one

/** The parts of a figure that has a picture with its heat, boxes and labels. */
function paneOf(figure) {
  const [stage, scene, picture, layer, heat, boxes, plates] =
    [".stage", ".scene", "img", ".heat-layer", "canvas", ".boxes", ".plates"].map((part) => figure.querySelector(part));
  return { stage, scene, picture, layer, heat, boxes, plates, marks: [] };
}

const panes = [...view.querySelectorAll("figure")].map(paneOf);
const MOST_ZOOM = 16;

/** How many times larger than the whole picture would fit, and where its upper left corner is on its stage. */
const place = { zoom: 1, x: 0, y: 0 };

/** Where a side of the picture begins: in the middle if it fits, else so that no edge leaves a gap. */
const within = (start, picture, room) =>
  picture <= room ? (room - picture) / 2 : Math.min(0, Math.max(room - picture, start));

/** All stages are as large. */
const room = () => ({ width: panes[0].stage.clientWidth, height: panes[0].stage.clientHeight });

/** Puts the pictures in their places; their size on the stage follows from their own. */
function arrange() {
  const { width, height } = pictureInView() ?? {};
  const stage = room();
  if (!width || !stage.width) return;
  const fit = Math.min(stage.width / width, stage.height / height);
  const [w, h] = [width * fit, height * fit];
  place.x = within(place.x, w * place.zoom, stage.width);
  place.y = within(place.y, h * place.zoom, stage.height);
  for (const pane of panes) {
    pane.scene.style.width = `${w}px`;
    pane.scene.style.height = `${h}px`;
    pane.scene.style.transform = `translate(${place.x}px, ${place.y}px) scale(${place.zoom})`;
    pane.stage.classList.toggle("zoomed", place.zoom > 1);
    placeLabels(pane.marks, { width, height }, fit * place.zoom);
  }
  byId("zoom").textContent = `${Math.round(place.zoom * 100)} %`;
}

/** Zooms by a factor; what is at (x, y) of the stage stays there, or comes to (toX, toY). */
function zoomBy(factor, x = room().width / 2, y = room().height / 2, toX = x, toY = y) {
  const zoom = Math.min(MOST_ZOOM, Math.max(1, place.zoom * factor));
  const share = zoom / place.zoom;
  place.x = toX - (x - place.x) * share;
  place.y = toY - (y - place.y) * share;
  place.zoom = zoom;
  arrange();
}

function pan(x, y) {
  place.x += x;
  place.y += y;
  arrange();
}

function showAll() {
  place.zoom = 1;
  arrange();
}

const onStage = (event) => {
  const { left, top } = event.currentTarget.getBoundingClientRect();
  return [event.clientX - left, event.clientY - top];
};

/** Fingers or the mouse on a stage, by id: where they were last. */
const pointers = new Map();
/** Whether they moved the picture, so that letting go is no click. */
let hasDragged = false;

function movePointer(event) {
  const pointer = pointers.get(event.pointerId);
  if (!pointer) return;
  const [x, y] = onStage(event);
  const [oldX, oldY] = pointer.now;
  if (!hasDragged && Math.hypot(x - pointer.start[0], y - pointer.start[1]) < 4 && pointers.size === 1) return;
  if (!hasDragged) event.currentTarget.setPointerCapture(event.pointerId);
  hasDragged = true;
  const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1].now;
  pointer.now = [x, y];
  if (!other) {
    pan(x - oldX, y - oldY);
    return;
  }
  // The middle of both fingers stays above the same point of the picture.
  const apart = Math.hypot(x - other[0], y - other[1]) / Math.max(1, Math.hypot(oldX - other[0], oldY - other[1]));
  const middle = (a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  zoomBy(apart, ...middle([oldX, oldY], other), ...middle([x, y], other));
}

for (const { stage } of panes) {
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    // Lines and pages of a wheel in pixels; the pinch of a touchpad comes as small steps with ctrlKey.
    const pixels = event.deltaY * [1, 16, 400][event.deltaMode];
    zoomBy(Math.exp(-pixels / (event.ctrlKey ? 100 : 400)), ...onStage(event));
  }, { passive: false });
  stage.addEventListener("pointerdown", (event) => {
    if (pointers.size === 0) hasDragged = false;
    pointers.set(event.pointerId, { now: onStage(event), start: onStage(event) });
  });
  stage.addEventListener("pointermove", movePointer);
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, (event) => pointers.delete(event.pointerId));
  }
  stage.addEventListener("pointerleave", (event) => {
    if (!stage.hasPointerCapture(event.pointerId)) pointers.delete(event.pointerId);
  });
  stage.addEventListener("dblclick", showAll);
  new ResizeObserver(arrange).observe(stage);
}
byId("closer").addEventListener("click", () => zoomBy(1.5));
byId("farther").addEventListener("click", () => zoomBy(1 / 1.5));
byId("fit").addEventListener("click", showAll);

/** Whether a key moved or zoomed the picture. */
function zoomedByKey({ key, target }) {
  const step = 60;
  const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  if (target.matches(".stage") && place.zoom > 1 && moves[key]) pan(...moves[key]);
  else if (key === "+" || key === "=") zoomBy(1.5);
  else if (key === "-") zoomBy(1 / 1.5);
  else if (key === "0") showAll();
  else return false;
  return true;
}
