// ---- What is in view, and how it is asked for

const start = data.view;

/** How the maps of a pane are made, at first. */
export const firstSettings = (model = start.model) => ({
  model,
  method: start.method,
  target: start.target,
  layers: start.layers,
  fuse: start.fuse,
  contrast: start.contrast,
});

export const firstConf = start.conf ?? data.models[start.model].conf ?? 0;
export const firstIou = start.iou ?? data.models[start.model].iou ?? 0.45;

export const now = {
  /** The picture in view: id, name, is_added. */
  picture: null,
  conf: firstConf,
  iou: firstIou,
  /** By pane. */
  settings: [firstSettings(), firstSettings(data.models.length - 1)],
  isPaired: false,
  /** What `/boxes` answered for the picture, by model, with the conf and iou it was asked with. */
  found: [],
  /** Subjects, see subject.js. */
  pinned: null,
  pointed: null,
  /** What the pointer does: "point", "box" or "paint". */
  tool: "point",
  strokes: [],
  fill: data.fills[0]?.name,
};

export const shownPanes = () => (now.isPaired ? [0, 1] : [0]);
export const modelOf = (pane) => data.models[now.settings[pane].model];
export const methodOf = (pane) => data.methods.find(({ name }) => name === now.settings[pane].method);
export const foundIn = (pane) => now.found[now.settings[pane].model];
export const colorOf = ({ class_id: id }) => data.colors[id % data.colors.length];

/** How boxes are found and maps made, as the server takes it. Some models know no threshold, or need no NMS. */
export function viewOf(pane) {
  const { model, ...settings } = now.settings[pane];
  const { conf, iou } = data.models[model];
  return { model, conf: conf === null ? null : now.conf, iou: iou === null ? null : now.iou, ...settings };
}

/** The panes that show different models, by the first pane of each. */
export function panesByModel() {
  return shownPanes().filter((pane) => pane === 0 || now.settings[pane].model !== now.settings[0].model);
}

/** The same with the thresholds that gave the number of a box. */
export const viewWith = (pane, thresholds) => ({ ...viewOf(pane), ...thresholds });
