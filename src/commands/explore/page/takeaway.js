// ---- What can be taken away: the command that makes what is in view, and its files

import { now, shownPanes, viewWith } from "./now.js";
import { wishOf } from "./subject.js";
import { newestOnly, post, postForJson, report } from "./server.js";
import { strokesFor } from "./paint.js";

function requestFor(pane) {
  const { subject = null, thresholds } = (now.pinned && wishOf(now.pinned, pane)) ?? {};
  const colors = { colormap: byId("colormap").value, alpha: Number(byId("opacity").value), threshold: Number(byId("threshold").value) };
  const paint = now.strokes.length ? { paint: { fill: now.fill, strokes: strokesFor() } } : {};
  return { subject, view: viewWith(pane, thresholds), look: colors, ...paint };
}

const ask = newestOnly(async (signal, picture) => {
  for (const pane of shownPanes()) {
    const { line, note } = await postForJson(picture, "command", requestFor(pane), { pane, signal });
    if (picture !== now.picture) return;
    // What was copied stays "Copied" as long as it is the same.
    if (inPane(pane, "command").textContent !== line) showCommand(line, note, prefixOf(pane));
  }
});

/** Shows the command anew, if it is shown at all. */
export function followCommand() {
  if (byId("again").open && now.picture) ask(now.picture);
}

async function save(pane) {
  const button = inPane(pane, "save");
  button.disabled = true;
  try {
    const { bytes, headers } = await post(now.picture, "save", requestFor(pane), { pane });
    const [, name] = headers.get("Content-Disposition")?.match(/filename="([^"]+)"/) ?? [];
    const address = URL.createObjectURL(new Blob([bytes], { type: "application/zip" }));
    make("a", { href: address, download: name ?? "explore.zip" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  } catch (error) {
    report(error);
  }
  button.disabled = false;
}

byId("again").addEventListener("toggle", followCommand);
for (const pane of [0, 1]) {
  copiedByButton(prefixOf(pane));
  inPane(pane, "save").addEventListener("click", () => save(pane));
}
