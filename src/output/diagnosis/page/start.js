// ---- State in the address, so that a view can be linked to

/** Controls that are no filters: of the large view, and the class whose looks are shown. */
const controls = ["opacity", "threshold"].map(byId);
const switches = { labels: look.has_labels, "heat-shown": true };

function apply() {
  colorHeat();
  byId("heat-layer").hidden = !byId("heat-shown").checked;
  byId("view-labels").hidden = !byId("labels").checked;
  // Labels that were hidden had no size.
  arrange();
}

function remember() {
  const state = addressOf(filled());
  if (sort.value !== defaults.sort) state.set("sort", sort.value);
  if (byId("looks-class").value) state.set("looks", byId("looks-class").value);
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
  byId("looks-class").value = state.get("looks") ?? "";
  if (byId("looks-class").selectedIndex === -1) byId("looks-class").value = "";
  apply();
  update();
  showLooks();
  const index = Number(state.get("open") ?? NaN);
  if (cases[index]) open(index);
  else if (view.open) view.close();
}

// ---- Start

/** After what was changed by hand. */
function changed() {
  update();
  remember();
}

byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filters").addEventListener("input", changed);
// The values change only after this event.
byId("filters").addEventListener("reset", () => setTimeout(changed));
byId("looks-class").addEventListener("input", () => {
  showLooks();
  remember();
});
for (const input of [...controls, ...Object.keys(switches).map(byId)]) {
  input.addEventListener("input", () => {
    apply();
    remember();
  });
}
document.addEventListener("keydown", (event) => {
  const isTyping = /^(INPUT|SELECT)$/.test(event.target.tagName);
  if (event.key === "/" && !isTyping && !view.open) {
    event.preventDefault();
    byId("search").focus();
  }
});
addEventListener("hashchange", recall);

showRun(data);
showFigures();
showSuspicions();
showCosts();
showPrecision();
showMatrix();
beginLooks();
beginFilters();
recall();
