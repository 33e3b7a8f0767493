// ---- Which entries are shown, and in which order
//
// The page has `entries` and what they are called (`nouns`), `filters` and `sort` (inputs), `asks` (what a filter asks of an entry),
// `orders` (comparisons, the first of which is the usual one) and the title of the list (`listTitle`).

const defaults = Object.fromEntries([...filters, sort].map((input) => [input.id, input.value]));

/** Indices of all entries in an order. There may be many: they are sorted once. */
const sorted = new Map();
function inOrder(name) {
  const order = orders[name] ?? Object.values(orders)[0];
  if (!sorted.has(name)) sorted.set(name, [...entries.keys()].sort((a, b) => order(entries[a], entries[b]) || a - b));
  return sorted.get(name);
}

/** Indices of the entries that are shown, in their order. */
let shown = [];

/** The filters that are set, as the address has them. An empty field asks for nothing. */
const filled = () => filters.filter((input) => input.value !== "" && input.value !== defaults[input.id]);
const addressOf = (inputs) => new URLSearchParams(inputs.map((input) => [input.id, input.value]));

function update() {
  const tests = filled().map((input) => asks[input.id](input.value));
  shown = inOrder(sort.value).filter((index) => tests.every((test) => test(entries[index])));
  byId("count").textContent = `${shown.length} of ${plural(entries.length, ...nouns)} shown`;
  byId("nothing").hidden = shown.length > 0 || entries.length === 0;
  reflect();
  dealCards();
}

/** A button that asks for entries; pressed while just these are asked for. */
function asking(wish, properties, ...content) {
  const button = make("button", { type: "button", ...properties }, ...content);
  button.dataset.asks = new URLSearchParams(wish);
  button.setAttribute("aria-pressed", false);
  button.addEventListener("click", () => askFor(button.ariaPressed === "true" ? {} : wish));
  return button;
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

/** The filters that are set, and the order if it is not the usual one. */
const listed = () => [...addressOf(filled()), ...(sort.value === defaults.sort ? [] : [["sort", sort.value]])];

/** Sets filters and order as the address has them. */
function recallList(state) {
  for (const input of [...filters, sort]) set(input, state.get(input.id));
}

/** Shows just these entries. */
function askFor(wish) {
  for (const input of filters) set(input, wish[input.id]);
  update();
  remember();
  if (Object.keys(wish).length === 0) return;
  listTitle.scrollIntoView();
  listTitle.focus({ preventScroll: true });
}
