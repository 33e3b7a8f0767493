// ---- State in the address, so that a view can be linked to

/** Controls of the large view. */
const controls = ["wipe", "opacity", "threshold"].map(byId);

/** The part of the picture that has heat, from the left. */
function wipe() {
  byId("heat-layer").style.clipPath = `inset(0 ${100 - Number(byId("wipe").value)}% 0 0)`;
}

function apply() {
  wipe();
  colorHeat();
  byId("view-labels").hidden = !byId("labels").checked;
  // Labels that were hidden had no size.
  arrange();
}

function remember() {
  const state = new URLSearchParams();
  for (const input of filters) {
    if (input.value !== defaults[input.id]) state.set(input.id, input.value);
  }
  if (opened !== null) state.set("open", opened);
  if (opened !== null && heatOf !== "all") state.set("heat", heatOf);
  for (const input of controls) {
    if (input.value !== input.defaultValue) state.set(input.id, input.value);
  }
  if (byId("labels").checked !== look.has_labels) state.set("labels", byId("labels").checked ? "yes" : "no");
  history.replaceState(null, "", `#${state}`);
}

function recall() {
  const state = new URLSearchParams(location.hash.slice(1));
  for (const input of filters) input.value = state.get(input.id) ?? defaults[input.id];
  for (const input of controls) input.value = state.get(input.id) ?? input.defaultValue;
  byId("labels").checked = state.has("labels") ? state.get("labels") !== "no" : look.has_labels;
  apply();
  update();
  const [index, whose] = [Number(state.get("open")), state.get("heat") ?? "all"];
  if (state.has("open") && entries[index]) open(index, whose === "all" || whose === "none" ? whose : Number(whose));
}

// ---- Start

byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filters").addEventListener("input", () => {
  update();
  remember();
});
byId("filters").addEventListener("reset", () => {
  // The values change only after this event.
  setTimeout(() => {
    update();
    remember();
  });
});
for (const input of [...controls, byId("labels")]) {
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

const failed = entries.filter((entry) => entry.error).length;
showRun(data);
byId("summary").textContent = [
  plural(entries.length, "picture", "pictures"),
  plural(detections.length, ...things),
  failed ? `${failed} failed` : "",
].filter(Boolean).join(", ");
const counts = new Map();
for (const { class: name } of detections) counts.set(name, (counts.get(name) ?? 0) + 1);
byId("trust-filter").hidden = !hasVerdicts;
byId("trust-head").hidden = !hasVerdicts;
for (const [name, count] of [...counts].sort((a, b) => b[1] - a[1])) {
  byId("class").append(make("option", { value: name, textContent: `${name} (${count})` }));
}
recall();
