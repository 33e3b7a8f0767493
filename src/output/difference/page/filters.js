// ---- What filters ask of a pair, and the orders

const filters = ["search", "change", "outcome", "class", "moved-from", "moved-to", "from", "to"].map(byId);
const sort = byId("sort");
const listTitle = byId("pairs-title");

const lowered = pictures.map((picture) => picture.image.toLowerCase());

/** The confidence of what was found, the higher one if both models did. */
const sureness = (entry) => Math.max(...sides.map((side) => (entry[side].is_found ? entry[side].confidence ?? 0 : 0)));

const asks = {
  search: (value) => (entry) => lowered[entry.picture].includes(value.trim().toLowerCase()),
  change: (value) => (entry) => entry.change === value,
  outcome: (value) => (entry) => entry.outcome === value,
  class: (value) => (entry) => classOf(entry) === Number(value),
  "moved-from": (value) => (entry) => entry.drift?.moved * 100 >= Number(value),
  "moved-to": (value) => (entry) => entry.drift?.moved * 100 <= Number(value),
  from: (value) => (entry) => sureness(entry) >= Number(value),
  to: (value) => (entry) => sureness(entry) <= Number(value),
};

// What cannot be compared is last.
const movedBy = (entry) => entry.drift?.moved ?? -1;
const confidenceLost = ({ old, new: other }) => (old.confidence ?? 0) - (other.confidence ?? 0);
const isBroken = (entry) => entry.outcome === "broken";
const orders = {
  moved: (a, b) => movedBy(b) - movedBy(a),
  correlation: (a, b) => (a.drift?.correlation ?? 2) - (b.drift?.correlation ?? 2),
  broken: (a, b) => isBroken(b) - isBroken(a) || movedBy(b) - movedBy(a),
  confidence: (a, b) => confidenceLost(b) - confidenceLost(a),
  order: () => 0,
};

function beginFilters() {
  const counts = new Map();
  for (const entry of entries) counts.set(classOf(entry), (counts.get(classOf(entry)) ?? 0) + 1);
  const often = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  byId("class").append(...often.map(([id, count]) => make("option", { value: id, textContent: `${className(id)} (${count})` })));
  byId("empty").hidden = entries.length > 0;
  byId("browser").hidden = entries.length === 0;
  if (data.has_labels) return;
  // Nobody knows what is wrong.
  byId("outcome-filter").hidden = true;
  byId("outcome").length = 1;
  sort.querySelector("[value=broken]").remove();
}
