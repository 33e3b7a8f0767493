// ---- Opens pictures and finds the boxes in them

import { foundIn, now, panesByModel, viewOf } from "./now.js";
import { isBusy, newestOnly, postForJson } from "./server.js";
import { showPicture, tell } from "./stage.js";
import { followPinned } from "./pinning.js";
import { named, refine } from "./subject.js";
import { showList, thing } from "./facts.js";
import { changePicture } from "./paint.js";
import { forgetAnswers } from "./answers.js";
import { beside, learn, markOpen } from "./pictures.js";
import { remember } from "./address.js";

async function boxesOf(picture, pane, when, signal) {
  const { model, conf, iou } = viewOf(pane);
  const found = await postForJson(picture, "boxes", {}, { pane, when, signal });
  if (pane === 0) learn(picture, { ...found, model, conf, iou });
  return { ...found, conf, iou };
}

/** Finds the boxes of the picture in view, for every model in view. */
export const findBoxes = newestOnly(async (signal, picture) => {
  for (const pane of panesByModel()) {
    const found = await boxesOf(picture, pane, "view", signal).catch((error) => {
      if (picture === now.picture && !foundIn(pane)) byId("size").textContent = "";
      throw error;
    });
    if (picture !== now.picture) return;
    now.found[now.settings[pane].model] = found;
    inView.size = found.picture;
    if (now.pinned?.model === now.settings[pane].model) refine(now.pinned, found.detections);
    if (pane === 0) showFound(found);
  }
  showList();
  followPinned();
});

function showFound({ picture: { width, height }, detections, best_candidate: best }) {
  byId("size").textContent = `${width} × ${height}`;
  byId("brush").max = Math.max(20, Math.round(Math.max(width, height) / 5));
  if (now.pinned) return;
  const first = detections[0] ?? best;
  tell(`${now.picture.name}: ${detections.length} ${thing(detections.length)}${first ? `, best ${named(first)}` : ""}`);
}

/** Says that the network is at work, if it takes long enough to be noticed. */
function sayIfSlow(picture) {
  setTimeout(() => {
    if (picture === now.picture && !foundIn(0)) byId("size").textContent = "looking …";
  }, 200);
}

/** Opens a picture, with what is to be pinned in it. */
export function open(picture, pinned = null) {
  if (!picture) return;
  const old = now.picture;
  findBoxes.drop();
  forgetAnswers();
  if (picture !== old) changePicture(old, picture);
  now.picture = picture;
  now.found = [];
  now.pointed = null;
  now.pinned = pinned;
  inView.size = undefined;
  byId("name").textContent = picture.name;
  byId("size").textContent = "";
  document.title = `${picture.name} – yolo-cam explore`;
  Object.assign(place, { zoom: 1, x: 0, y: 0 });
  showPicture();
  showList();
  followPinned();
  markOpen(picture);
  sayIfSlow(picture);
  findBoxes(picture);
  remember();
}

export function step(by) {
  const picture = beside(by);
  if (picture) open(picture);
}

// What is probably wanted next

let ahead = null;
/** Holds its pixels, whatever the server says about keeping them. */
const pictureAhead = make("img");
let waiting = 0;

/** Once nothing is under way, has the next picture's boxes found, so that it opens at once. */
function lookAhead() {
  clearTimeout(waiting);
  waiting = setTimeout(async () => {
    const next = beside(1);
    if (isBusy() || !next || next === ahead) return;
    ahead = next;
    pictureAhead.src = `/api/pictures/${next.id}/picture`;
    try {
      for (const pane of panesByModel()) await boxesOf(next, pane, "next");
    } catch {
      // Whoever opens it will hear of it.
    }
  }, 300);
}

document.addEventListener("settled", lookAhead);
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));

/** Goes over one picture after another in the background; see scan.js. */
export const lookAt = (picture, signal) => boxesOf(picture, 0, "scan", signal);
