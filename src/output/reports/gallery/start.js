// ---- What is remembered of the list, and the start

/** The filters, the order, the entry in view and whose heat it has. */
function listState() {
  const state = filters.filter((input) => input.value !== defaults[input.id]).map((input) => [input.id, input.value]);
  if (opened !== null) state.push(["open", opened]);
  if (opened !== null && heatOf !== "all") state.push(["heat", heatOf]);
  return state;
}

function recall() {
  const state = new URLSearchParams(location.hash.slice(1));
  for (const input of filters) input.value = state.get(input.id) ?? defaults[input.id];
  recallControls(state);
  update();
  const [index, whose] = [Number(state.get("open")), state.get("heat") ?? "all"];
  if (state.has("open") && entries[index]) open(index, whose === "all" || whose === "none" ? whose : Number(whose));
}

const failed = entries.filter((entry) => entry.error).length;
showRun([data.heading.model, data.heading.method, data.heading.date], data.settings);
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
