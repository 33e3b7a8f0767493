// ---- Looks at all pictures in the background, so that the filters know what is in them

import { filter, isKnown, pictures } from "./pictures.js";
import { lookAt } from "./looking.js";
import { hasGone, report } from "./server.js";

/** How often the list follows, in milliseconds. */
const EVERY = 500;

let scanning = null;

/** Takes one picture after another, until the last or a stop. The server drops a question for a newer one of its kind. */
async function work(rest, signal, done) {
  for (const picture of rest) {
    if (signal.aborted) return;
    try {
      await lookAt(picture, signal);
    } catch (error) {
      if (error.name !== "AbortError") report(error);
      // A broken picture is no reason to stop, a server that has gone is.
      if (hasGone()) return;
    }
    done();
  }
}

async function scan() {
  scanning = new AbortController();
  const rest = pictures.filter((picture) => !isKnown(picture));
  const [count, progress] = [rest.length, byId("scan-progress")];
  let [looked, last] = [0, 0];
  Object.assign(progress, { max: Math.max(1, count), value: 0, className: "" });
  byId("scan").textContent = "Stop";
  const done = () => {
    looked++;
    progress.value = looked;
    progress.title = `${looked} of ${count}`;
    if (performance.now() - last < EVERY) return;
    last = performance.now();
    filter();
    byId("count").textContent += `; ${looked} of ${count} looked at`;
  };
  await work(rest, scanning.signal, done);
  scanning = null;
  progress.className = "unstarted";
  byId("scan").textContent = "Look at all";
  filter();
}

byId("scan").addEventListener("click", () => (scanning ? scanning.abort() : scan()));
