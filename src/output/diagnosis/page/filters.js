// ---- What filters ask of a case, and the orders

const filters = [
  "search", "kind", "class", "labelled", "found-as", "from", "to", "heat-from", "heat-to", "suspicion", "trust",
].map(byId);
const sort = byId("sort");
const listTitle = byId("cases-title");

const lowered = pictures.map((picture) => picture.image.toLowerCase());

/** Whether a cell of the confusion matrix is in a row (0) or column (1). */
const inCell = (side) => (value) => {
  const id = value === "none" ? null : Number(value);
  return (entry) => entry.cell[side] === id;
};

/** What a filter asks of a case. */
const asks = {
  search: (value) => (entry) => lowered[entry.picture].includes(value.trim().toLowerCase()),
  kind: (value) => (value === "errors" ? isError : (entry) => entry.kind === value),
  class: (value) => (entry) => entry.class_id === Number(value) || labelOf(entry)?.class_id === Number(value),
  labelled: inCell(0),
  "found-as": inCell(1),
  from: (value) => (entry) => (entry.confidence ?? 0) >= Number(value),
  to: (value) => (entry) => (entry.confidence ?? 0) <= Number(value),
  "heat-from": (value) => (entry) => entry.evidence?.object * 100 >= Number(value),
  "heat-to": (value) => (entry) => entry.evidence?.object * 100 <= Number(value),
  suspicion: (value) => (entry) => (value === "any" ? entry.suspicions.length > 0 : entry.suspicions.includes(Number(value))),
  trust: (value) => (entry) => entry.verify?.word === value,
};

const sureness = (entry) => entry.confidence ?? 0;
const orders = {
  problems: (a, b) => isError(b) - isError(a) || sureness(b) - sureness(a),
  sure: (a, b) => sureness(b) - sureness(a),
  // Objects without a prediction last, and so are cases without a map.
  unsure: (a, b) => (a.confidence ?? 2) - (b.confidence ?? 2),
  heat: (a, b) => (a.evidence?.object ?? 2) - (b.evidence?.object ?? 2),
  order: () => 0,
};

function beginFilters() {
  const option = (value, textContent) => make("option", { value, textContent });
  const kindsHere = kinds.filter(([kind]) => ofKind.has(kind));
  byId("kind").append(...kindsHere.map(([kind, words]) => option(kind, `${words} (${ofKind.get(kind)})`)));
  const often = [...casesOf].sort((a, b) => b[1] - a[1]);
  byId("class").append(...often.map(([id, count]) => option(id, `${className(id)} (${count})`)));
  byId("labelled").append(...occurring("label").map((id) => option(cellValue(id), rowName(id))));
  byId("found-as").append(...occurring("found").map((id) => option(cellValue(id), columnName(id))));
  byId("suspicion").append(...data.suspicions.map((text, index) => option(index, text)));
  byId("suspicion-filter").hidden = data.suspicions.length === 0;
  byId("trust-filter").hidden = !entries.some((entry) => entry.verify);
}
