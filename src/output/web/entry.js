// ---- The large view of an entry of a list that is asked and dealt

/** Controls of the large view, and what is on in it at first. */
const controls = ["opacity", "threshold"].map(byId);
const switches = { labels: look.has_labels, "heat-shown": true };

function apply() {
  colorHeat();
  for (const { layer, plates } of panes) {
    layer.hidden = !byId("heat-shown").checked;
    plates.hidden = !byId("labels").checked;
  }
  // Labels that were hidden had no size.
  arrange();
}

/** The entry so many places on. */
function step(by) {
  const next = beside(by);
  if (next !== undefined) open(next);
}

/** Opens what the address says, and nothing else. */
function recallOpened(state) {
  const index = Number(state.get("open") ?? NaN);
  if (entries[index]) open(index);
  else if (view.open) view.close();
}

view.addEventListener("close", () => {
  const spot = shown.indexOf(opened);
  opened = null;
  remember();
  if (spot >= 0) goTo(spot);
});
