// ---- The large view as a dialog: its keys and buttons, and where what is in view is in the list
//
// The page has `entries` and which of them are `shown`; `open(index)`, which shows one of them; and `step(by)`, which shows another.

const view = byId("view");

/** Index of the entry in view, or null. */
let opened = null;

view.addEventListener("click", (event) => {
  if (event.target === view) view.close();
});
view.addEventListener("keydown", (event) => {
  // On a slider the arrows move the slider.
  if (event.target.type === "range" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (zoomedByKey(event)) event.preventDefault();
  else if (event.key === "ArrowLeft") step(-1);
  else if (event.key === "ArrowRight") step(1);
});
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
byId("close").addEventListener("click", () => view.close());

/** Says what is in view: its name, what is to be told of it, and where it is in the list. */
function showName(name, facts) {
  const spot = shown.indexOf(opened);
  byId("view-name").textContent = name;
  byId("view-place").textContent = [...facts, spot >= 0 ? `${spot + 1} of ${shown.length}` : ""].filter(Boolean).join(", ");
  byId("previous").disabled = spot <= 0;
  byId("next").disabled = spot < 0 || spot === shown.length - 1;
}

/** The entry that is so many places on from that in view, if there is one. */
function beside(by) {
  const spot = shown.indexOf(opened);
  return spot < 0 ? undefined : shown[spot + by];
}
