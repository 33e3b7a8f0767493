// ---- State in the address, so that a view can be linked to

/** Controls of the large view. */
const controls = ["opacity", "threshold"].map(byId);
const switches = { labels: look.has_labels, "heat-shown": true };

function apply() {
  colorHeat();
  view.classList.toggle("cold", !byId("heat-shown").checked);
  view.classList.toggle("bare", !byId("labels").checked);
  // Labels that were hidden had no size.
  arrange();
}

function remember() {
  const state = addressOf(filled());
  if (sort.value !== defaults.sort) state.set("sort", sort.value);
  if (opened !== null) state.set("open", opened);
  for (const input of controls) {
    if (input.value !== input.defaultValue) state.set(input.id, input.value);
  }
  for (const [id, isOn] of Object.entries(switches)) {
    if (byId(id).checked !== isOn) state.set(id, isOn ? "no" : "yes");
  }
  history.replaceState(null, "", `#${state}`);
}

function recall() {
  const state = new URLSearchParams(location.hash.slice(1));
  for (const input of [...filters, sort]) set(input, state.get(input.id));
  for (const input of controls) input.value = state.get(input.id) ?? input.defaultValue;
  for (const [id, isOn] of Object.entries(switches)) byId(id).checked = state.has(id) ? state.get(id) === "yes" : isOn;
  apply();
  update();
  const index = Number(state.get("open") ?? NaN);
  if (entries[index]) open(index);
  else if (view.open) view.close();
}

// ---- Start

for (const input of [...controls, ...Object.keys(switches).map(byId)]) {
  input.addEventListener("input", () => {
    apply();
    remember();
  });
}
addEventListener("hashchange", recall);

showRun();
showFigures();
showGroups();
beginFilters();
recall();
