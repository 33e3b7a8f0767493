// ---- Whether a map can be believed: is it better than a blob on its box?

import { modelOf, now, shownPanes, viewWith } from "./now.js";
import { keyOf, wishOf } from "./subject.js";
import { postForJson, report } from "./server.js";
import { tell } from "./stage.js";

const GAINS = "Above a Gaussian on the box: where parts become the mean colour, and where they become tiles of other places";

/** What was measured, by what was asked. */
const verdicts = new Map();
let measuring = null;

function requestFor(pane) {
  const { subject, thresholds } = wishOf(now.pinned, pane) ?? {};
  return subject && { subject, view: viewWith(pane, thresholds) };
}

const nameOf = (pane) => JSON.stringify([now.picture?.id, keyOf(now.pinned), now.settings[pane], requestFor(pane)?.subject.query]);

/** Which of the panes is meant, if there are two. */
const sideOf = (pane) => (now.isPaired ? `${pane ? "right" : "left"}: ` : "");

function showTrust() {
  if (measuring && measuring.name !== shownPanes().map(nameOf).join()) measuring.abort();
  if (measuring || !now.pinned) return;
  const told = shownPanes().filter((pane) => verdicts.has(nameOf(pane)));
  byId("trust").textContent = told.map((pane) => sideOf(pane) + trustOf({ verify: verdicts.get(nameOf(pane)) })).join("; ");
  byId("trust").title = told.length ? GAINS : "";
}

async function measure() {
  measuring = new AbortController();
  measuring.name = shownPanes().map(nameOf).join();
  const { signal } = measuring;
  byId("believe").textContent = "Stop";
  byId("trust").textContent = "measuring …";
  try {
    for (const pane of shownPanes()) {
      const [name, request] = [nameOf(pane), requestFor(pane)];
      if (!request || verdicts.has(name)) continue;
      verdicts.set(name, await postForJson(now.picture, "verify", request, { pane, signal }));
      tell(`${modelOf(pane).name}, ${sideOf(pane)}${trustOf({ verify: verdicts.get(name) })}`);
    }
  } catch (error) {
    report(error);
  }
  measuring = null;
  byId("believe").textContent = "Can it be believed?";
  showTrust();
}

export function believe() {
  if (measuring) measuring.abort();
  else if (now.pinned) measure();
}

byId("believe").addEventListener("click", believe);
document.addEventListener("facts-shown", showTrust);
