// ---- What is pointed at, and what is pinned

import { now } from "./now.js";
import { keyOf, titleOf } from "./subject.js";
import { showBoxes, showHeat, tell } from "./stage.js";
import { answer } from "./answers.js";
import { showFacts, lightList } from "./facts.js";
import { remember } from "./address.js";
import { repaint } from "./paint.js";

/** Points at a subject, or at none. */
export function point(subject) {
  if (keyOf(subject) === keyOf(now.pointed)) return;
  now.pointed = subject;
  if (subject) performance.mark("pointed");
  showHeat();
  lightList();
  if (!now.pinned) showFacts();
}

/** Pins a subject; what is pinned already is let go. `null` lets go, too. */
export function pin(subject) {
  now.pinned = subject && keyOf(subject) !== keyOf(now.pinned) ? subject : null;
  if (!now.pinned) now.pointed = null;
  tell(now.pinned ? `Pinned ${titleOf(now.pinned)}` : "Nothing is pinned");
  followPinned();
  remember();
}

/** After what is pinned, or what is found, has changed. */
export function followPinned() {
  showBoxes();
  showHeat();
  showFacts();
  lightList();
  answer();
  repaint();
}

/** Asks why no box found a label. */
export const askAboutLabel = ({ box_image: box, class: name }) => askAbout({ box: box.map(Math.round), class: name });

/** Asks about a box or a spot: { box | point, class }. */
export function askAbout({ box, point: spot, class: name = null }) {
  now.pointed = null;
  now.pinned = null;
  pin({ kind: "query", ...(box ? { box } : { point: spot }), class: name });
}
