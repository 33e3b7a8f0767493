// ---- Keys

import { now } from "./now.js";
import { step } from "./looking.js";
import { pair } from "./controls.js";
import { pin } from "./pinning.js";
import { cancelTool, setTool } from "./tools.js";
import { believe } from "./believe.js";
import { undo } from "./paint.js";

const help = byId("help");

/** Goes to a box so many places on in the list: the focus shows its heat. */
function stepBox(by) {
  const buttons = [...byId("boxes").querySelectorAll("button")];
  const at = buttons.indexOf(document.activeElement);
  const from = at >= 0 ? at : buttons.findIndex((button) => button.ariaPressed === "true");
  const next = from < 0 ? (by > 0 ? 0 : buttons.length - 1) : from + by;
  buttons[Math.min(buttons.length - 1, Math.max(0, next))]?.focus();
}

function putAway() {
  if (cancelTool()) return;
  if (now.tool !== "point") {
    setTool("point");
    inPane(0, "stage").focus({ preventScroll: true });
  } else if (now.pinned) pin(null);
  else document.activeElement?.blur();
}

function toggle(id) {
  if (byId(id).closest("[hidden]")) return;
  byId(id).checked = !byId(id).checked;
  byId(id).dispatchEvent(new Event("input"));
}

const KEYS = {
  "/": () => byId("search").focus(),
  "?": () => help.showModal(),
  n: () => step(1),
  p: () => step(-1),
  "]": () => stepBox(1),
  "[": () => stepBox(-1),
  Escape: putAway,
  b: () => {
    setTool(now.tool === "box" ? "point" : "box");
    if (now.tool === "box") byId("ask-x1").select();
  },
  m: () => {
    setTool(now.tool === "paint" ? "point" : "paint");
    if (now.tool === "paint") byId("brush").focus();
  },
  u: undo,
  s: () => pair(),
  h: () => toggle("heat-shown"),
  l: () => toggle("labels"),
  v: believe,
  c: () => {
    byId("again").open = true;
    byId("copy").focus();
  },
};

/** Whether keys that are typed into an element belong to it. */
const takesText = (element) =>
  element.matches("select") || (element.matches("input") && !["range", "checkbox"].includes(element.type));

document.addEventListener("keydown", (event) => {
  const isUndo = event.key === "z" && (event.ctrlKey || event.metaKey) && now.tool === "paint";
  if (isUndo && !takesText(event.target)) {
    event.preventDefault();
    undo();
  }
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (takesText(event.target) && event.key !== "Escape") return;
  if (event.target.type === "search" && event.key === "Escape" && event.target.value) return;
  if (KEYS[event.key]) KEYS[event.key]();
  else if (!zoomedByKey(event)) return;
  event.preventDefault();
});

byId("help-open").addEventListener("click", () => help.showModal());
byId("help-close").addEventListener("click", () => help.close());
help.addEventListener("click", (event) => {
  if (event.target === help) help.close();
});
