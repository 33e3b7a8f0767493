// ---- The address of a view, so that it can be linked to. What is as at first is not in it.

import { firstConf, firstIou, firstSettings, now } from "./now.js";
import { filterState, firstPicture, pictureNamed, recallFilters } from "./pictures.js";
import { afterPairing, recallSettings, setColormap, showLayersOfScene, showSettings, showThresholds } from "./controls.js";
import { open } from "./looking.js";
import { showProblem } from "./server.js";
import { followCommand } from "./takeaway.js";

const SWITCHES = ["heat-shown", "names", "labels"];
const KEYS = ["model", "method", "target", "layers", "fuse", "contrast"];

const joined = (numbers) => numbers.map(Math.round).join(" ");
const parted = (text) => (text ?? "").split(" ").map(Number);

/** Names and values of a pane's settings. */
function settingsState(pane) {
  const first = firstSettings(pane ? now.settings[0].model : undefined);
  return KEYS.filter((key) => now.settings[pane][key] !== first[key]).map((key) => [prefixOf(pane) + key, now.settings[pane][key] ?? ""]);
}

function pinnedState() {
  const { kind, model, place, box, point, class: name } = now.pinned ?? {};
  return [
    kind === "box" && ["pin", place ?? ""],
    kind === "box" && model !== now.settings[0].model && ["pin-model", model],
    box && ["box", joined(box)],
    point && ["point", joined(point)],
    name && ["class", name],
  ].filter(Boolean);
}

function state() {
  const looks = ["opacity", "threshold"].filter((id) => byId(id).value !== byId(id).defaultValue);
  return [
    ...filterState().filter(([id, value]) => value !== (id === "show" ? "all" : "")),
    ["picture", now.picture?.name ?? ""],
    ...(now.conf === firstConf ? [] : [["conf", now.conf]]),
    ...(now.iou === firstIou ? [] : [["iou", now.iou]]),
    ...settingsState(0),
    ...(now.isPaired ? [["pair", "yes"], ...settingsState(1)] : []),
    ...pinnedState(),
    ...(byId("colormap").value === look.colormap_name ? [] : [["colormap", byId("colormap").value]]),
    ...looks.map((id) => [id, byId(id).value]),
    ...SWITCHES.filter((id) => byId(id).checked !== byId(id).defaultChecked).map((id) => [id, byId(id).checked ? "yes" : "no"]),
    ...(now.strokes.length ? [["paint", now.strokes.map(({ radius, points }) => joined([radius, ...points.flat()])).join("_")]] : []),
    ...(now.strokes.length && now.fill !== data.fills[0].name ? [["fill", now.fill]] : []),
  ];
}

let waiting = 0;

/** Puts what is in view into the address, once it rests: browsers take only so many changes. */
export function remember() {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    history.replaceState(null, "", `#${new URLSearchParams(state())}`);
    followCommand();
  }, 150);
}

// And back

function settingsIn(given, pane) {
  const wish = {};
  for (const key of KEYS.filter((key) => given.has(prefixOf(pane) + key))) {
    const value = given.get(prefixOf(pane) + key);
    wish[key] = key === "model" ? Number(value) : value || null;
  }
  return wish;
}

function pinnedIn(given) {
  const [box, name] = [given.has("box") ? parted(given.get("box")) : undefined, given.get("class")];
  if (given.has("pin")) {
    const model = Number(given.get("pin-model") ?? now.settings[0].model);
    const id = data.models[model]?.classes.indexOf(name);
    return { kind: "box", model, place: given.get("pin") || undefined, class_id: id, class: name, box, confidence: null };
  }
  if (given.has("point")) return { kind: "query", point: parted(given.get("point")), class: name };
  return box ? { kind: "query", box, class: name } : null;
}

function strokesIn(given) {
  return (given.get("paint") ?? "").split("_").filter(Boolean).map((text) => {
    const [radius, ...numbers] = parted(text);
    return { radius, points: Array.from({ length: numbers.length >> 1 }, (_, index) => numbers.slice(2 * index, 2 * index + 2)) };
  });
}

/** Shows what the address says. */
export function recall() {
  const given = new URLSearchParams(location.hash.slice(1));
  recallFilters(given);
  now.conf = Number(given.get("conf") ?? firstConf);
  now.iou = Number(given.get("iou") ?? firstIou);
  recallSettings(0, settingsIn(given, 0));
  recallSettings(1, settingsIn(given, 1));
  now.isPaired = given.get("pair") === "yes";
  for (const id of ["opacity", "threshold"]) byId(id).value = given.get(id) ?? byId(id).defaultValue;
  for (const id of SWITCHES) byId(id).checked = given.has(id) ? given.get(id) === "yes" : byId(id).defaultChecked;
  setColormap(given.get("colormap") ?? look.colormap_name);
  showThresholds();
  showSettings(0);
  const wanted = given.get("picture");
  const picture = (wanted && pictureNamed(wanted)) || firstPicture();
  const isThere = !wanted || picture === pictureNamed(wanted);
  if (!isThere) showProblem(`There is no picture “${wanted}”.`);
  open(picture, isThere ? pinnedIn(given) : null);
  now.fill = data.fills.some(({ name }) => name === given.get("fill")) ? given.get("fill") : data.fills[0]?.name;
  byId("fill").value = now.fill;
  now.strokes = isThere ? strokesIn(given) : [];
  byId("paint").open ||= now.strokes.length > 0;
  showLayersOfScene();
  afterPairing();
}

addEventListener("hashchange", recall);
