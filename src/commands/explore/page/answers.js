// ---- What was asked about a box or a spot that is no detection: what is there, and what took its place

import { foundIn, now, panesByModel, shownPanes } from "./now.js";
import { detectionOf, isOf, keyOf, queryOf, refine } from "./subject.js";
import { newestOnly, postForJson } from "./server.js";
import { showBoxes } from "./stage.js";
import { showFacts } from "./facts.js";

/** By model: the subject, and what the server said. */
let answers = [];

export function answerIn(pane) {
  const given = answers[now.settings[pane].model];
  return given && given.key === keyOf(now.pinned) && !detectionOf(now.pinned, pane) ? given : undefined;
}

/** The prediction that is pinned comes before others at its place, which may be stronger. */
function ownFirst(subject, candidates) {
  const own = candidates.filter((candidate) => isOf(subject, candidate));
  return [...own, ...candidates.filter((candidate) => !own.includes(candidate))];
}

const ask = newestOnly(async (signal, subject, picture) => {
  for (const pane of panesByModel()) {
    const query = queryOf(subject, pane);
    if (!foundIn(pane) || detectionOf(subject, pane) || !query) continue;
    const given = await postForJson(picture, "query", { query }, { pane, signal });
    if (subject !== now.pinned || picture !== now.picture) return;
    const candidates = ownFirst(subject, given.candidates);
    if (subject.model === now.settings[pane].model) refine(subject, candidates);
    answers[now.settings[pane].model] = { key: keyOf(subject), isOtherClass: query.class !== (subject.class ?? null), candidates };
  }
  showBoxes();
  showFacts();
});

/** Asks about what is pinned, as far as it is no detection. */
export function answer() {
  if (!now.pinned || !now.picture) return;
  if (shownPanes().some((pane) => foundIn(pane) && !detectionOf(now.pinned, pane))) ask(now.pinned, now.picture);
}

export function forgetAnswers() {
  answers = [];
  ask.drop();
}
