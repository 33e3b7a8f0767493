// ---- What the pointer does on the picture: point, draw a box, or paint

import { now, shownPanes } from "./now.js";
import { isInside, spotOf } from "./stage.js";
import { painting } from "./paint.js";
import { askAbout, point } from "./pinning.js";

const NAMES = { point: "tool-point", box: "tool-box", paint: "tool-paint" };

export function setTool(wanted) {
  const tool = byId(NAMES[wanted]).hidden ? "point" : wanted;
  now.tool = tool;
  if (tool !== "point") point(null);
  for (const [name, id] of Object.entries(NAMES)) byId(id).setAttribute("aria-pressed", name === tool);
  view.dataset.tool = tool;
  if (tool === "box") byId("ask").open = true;
  if (tool === "paint") byId("paint").open = true;
}

for (const [name, id] of Object.entries(NAMES)) byId(id).addEventListener("click", () => setTool(name));
// The classes of a whole picture are nowhere in it.
byId("tool-box").hidden = !data.models[0].has_boxes;
byId("ask").hidden = !data.models[0].has_boxes;

// Drawing a box

/** The first corner of the box that is being drawn. */
let corner = null;

const clamp = ([x, y]) => [Math.min(inView.size.width, Math.max(0, x)), Math.min(inView.size.height, Math.max(0, y))].map(Math.round);

function boxTo(event) {
  const [x, y] = clamp(spotOf(event));
  return [Math.min(x, corner[0]), Math.min(y, corner[1]), Math.max(x, corner[0]), Math.max(y, corner[1])];
}

function showDraft(box) {
  for (const pane of shownPanes()) {
    const { boxes } = panes[pane];
    boxes.querySelector(".draft")?.remove();
    if (box) boxes.append(draw("g", { class: "draft" }, ...lines(box, "asked")));
  }
}

const drawing = {
  begin(event) {
    corner = clamp(spotOf(event));
  },
  move(event) {
    showDraft(boxTo(event));
  },
  end(event) {
    const box = boxTo(event);
    showDraft(null);
    setTool("point");
    const isBox = box[2] - box[0] >= 3 && box[3] - box[1] >= 3;
    askAbout(isBox ? { box } : { point: corner });
  },
  cancel() {
    showDraft(null);
  },
};

/** What follows the pointer until it is let go. */
let active = null;
/** Letting go after a stroke is no click. */
let endsStroke = false;

/** With Shift, a box is drawn at any time. */
function toolFor({ shiftKey }) {
  if (now.tool === "point") return shiftKey && data.models[0].has_boxes ? drawing : undefined;
  return now.tool === "box" ? drawing : painting;
}

// These come before what `zoom.js` does, and in its place.
view.addEventListener("pointerdown", (event) => {
  endsStroke = false;
  const tool = toolFor(event);
  const stage = event.target.closest(".stage");
  if (!tool || !stage || active || event.button !== 0 || !inView.size) return;
  // A box may begin beside the picture, a stroke would cover nothing there.
  if (tool === painting && !isInside(spotOf(event))) return;
  event.stopPropagation();
  event.preventDefault();
  stage.setPointerCapture(event.pointerId);
  stage.focus({ preventScroll: true });
  active = tool;
  tool.begin(event);
}, { capture: true });
view.addEventListener("pointermove", (event) => active?.move(event), { capture: true });
view.addEventListener("pointerup", (event) => {
  if (!active) return;
  const tool = active;
  active = null;
  endsStroke = true;
  event.stopPropagation();
  tool.end(event);
}, { capture: true });
view.addEventListener("pointercancel", () => cancelTool(), { capture: true });
view.addEventListener("click", (event) => {
  if (endsStroke) event.stopPropagation();
  endsStroke = false;
}, { capture: true });

/** Whether something was being drawn. */
export function cancelTool() {
  const was = active;
  active = null;
  was?.cancel();
  return Boolean(was);
}

// The same without a mouse

const corners = ["ask-x1", "ask-y1", "ask-x2", "ask-y2"].map(byId);
const numbersOf = (inputs) => inputs.map(({ value }) => Number(value));

for (const name of new Set(data.models.flatMap(({ classes }) => classes))) {
  for (const id of ["ask-class", "query-class"]) byId(id).append(make("option", { value: name, textContent: name }));
}
byId("ask-box").addEventListener("submit", (event) => {
  event.preventDefault();
  const [x1, y1, x2, y2] = numbersOf(corners);
  setTool("point");
  askAbout({ box: [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)], class: byId("ask-class").value || null });
});
byId("ask-spot").addEventListener("submit", (event) => {
  event.preventDefault();
  setTool("point");
  askAbout({ point: numbersOf([byId("ask-x"), byId("ask-y")]) });
});
// Another class at the same place.
byId("query-class").addEventListener("input", () => askAbout({ ...now.pinned, class: byId("query-class").value || null }));

/** Shows in the form what is asked about. */
function showAsked() {
  byId("query").hidden = now.pinned?.kind !== "query";
  if (now.pinned?.kind !== "query") return;
  for (const id of ["ask-class", "query-class"]) byId(id).value = now.pinned.class ?? "";
  const inputs = now.pinned.box ? corners : [byId("ask-x"), byId("ask-y")];
  for (const [index, value] of (now.pinned.box ?? now.pinned.point).entries()) inputs[index].value = Math.round(value);
}
document.addEventListener("facts-shown", showAsked);
