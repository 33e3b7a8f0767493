// ---- The start of the page

import { report } from "./server.js";
import { loadPictures, pictures } from "./pictures.js";
import { recall } from "./address.js";
import { showThresholds } from "./controls.js";
import { showFacts } from "./facts.js";
import { tell } from "./stage.js";
import "./scan.js";
import "./tools.js";
import "./believe.js";
import "./keys.js";

byId("heading").textContent = data.models.map(({ name, family, task }) => `${name} · ${family} (${task})`).join("  |  ");
view.dataset.tool = "point";
showThresholds();
showFacts();
try {
  await loadPictures();
  recall();
  if (pictures.length === 0) tell("There are no pictures. Drop some here.");
} catch (error) {
  report(error);
}
