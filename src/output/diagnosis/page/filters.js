// ---- Which cases are shown, and in which order

const filters = [
  "search", "kind", "class", "labelled", "found-as", "from", "to", "heat-from", "heat-to", "suspicion", "trust",
].map(byId);
const sort = byId("sort");
const defaults = Object.fromEntries([...filters, sort].map((input) => [input.id, input.value]));

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

/** Indices of all cases in an order. There may be many: they are sorted once. */
const sorted = new Map();
function inOrder(name) {
  const order = orders[name] ?? orders.problems;
  if (!sorted.has(name)) sorted.set(name, [...cases.keys()].sort((a, b) => order(cases[a], cases[b]) || a - b));
  return sorted.get(name);
}

/** Indices of the cases that are shown, in their order. */
let shown = [];

/** The filters that are set, as the address has them. An empty field asks for nothing. */
const filled = () => filters.filter((input) => input.value !== "" && input.value !== defaults[input.id]);
const addressOf = (inputs) => new URLSearchParams(inputs.map((input) => [input.id, input.value]));

function update() {
  const tests = filled().map((input) => asks[input.id](input.value));
  shown = inOrder(sort.value).filter((index) => tests.every((test) => test(cases[index])));
  byId("count").textContent = `${shown.length} of ${plural(cases.length, "case", "cases")} shown`;
  byId("nothing").hidden = shown.length > 0 || cases.length === 0;
  reflect();
  dealCards();
}

/** Shows which button asks for just what is shown. */
function reflect() {
  for (const button of document.querySelectorAll("[data-asks][aria-pressed=true]")) button.setAttribute("aria-pressed", false);
  const now = CSS.escape(addressOf(filled()));
  for (const button of document.querySelectorAll(`[data-asks="${now}"]`)) button.setAttribute("aria-pressed", true);
}

/** Sets a select or an input; what a select does not have is what it has at first. */
function set(input, value) {
  input.value = value ?? defaults[input.id];
  if (input.selectedIndex === -1) input.value = defaults[input.id];
}

/** Shows just these cases. */
function askFor(wish) {
  for (const input of filters) set(input, wish[input.id]);
  update();
  remember();
  if (Object.keys(wish).length === 0) return;
  byId("cases-title").scrollIntoView();
  byId("cases-title").focus({ preventScroll: true });
}

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
  byId("trust-filter").hidden = !cases.some((entry) => entry.verify);
}
