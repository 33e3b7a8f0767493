// ---- Cards, and which of them are shown in which order

/** Loads thumbnails that come near the window. */
const thumbnails = new IntersectionObserver(
  (sightings) => {
    for (const { isIntersecting, target } of sightings) {
      if (!isIntersecting) continue;
      target.src = target.dataset.src;
      thumbnails.unobserve(target);
    }
  },
  { rootMargin: "600px" },
);

function card(entry, index) {
  const preview = entry.files
    ? make("img", { decoding: "async", alt: "" })
    : make("span", { className: "blank", textContent: entry.error ?? "" });
  const button = make(
    "button",
    { type: "button", className: "card" },
    preview,
    make("span", { className: "name", textContent: name(entry), title: title(entry) }),
    make("span", { className: "facts", textContent: classesOf(entry), title: classesOf(entry) }),
    make("span", { className: "problem", textContent: problem(entry)[1] }),
  );
  button.addEventListener("click", () => open(index));
  if (entry.files) {
    preview.dataset.src = entry.files.thumbnail;
    thumbnails.observe(preview);
  }
  return make("li", {}, button);
}

const cards = entries.map(card);

const filters = ["search", "class", "from", "to", "trust", "show", "sort"].map(byId);
const defaults = Object.fromEntries(filters.map((input) => [input.id, input.value]));

/** Whether class, confidence and trust ask for a box. */
function isWanted(detection) {
  const name = byId("class").value;
  const [from, to] = [Number(byId("from").value), Number(byId("to").value)];
  const word = byId("trust").value;
  if (word && detection.verify?.word !== word) return false;
  return (!name || detection.class === name) && detection.confidence >= from && detection.confidence <= to;
}

const wanted = (entry) => entry.detections.filter(isWanted);

function matches(entry) {
  const search = byId("search").value.trim().toLowerCase();
  const asksForBoxes = ["class", "from", "to", "trust"].some((id) => byId(id).value !== defaults[id]);
  const texts = [title(entry), ...entry.detections.map((detection) => detection.class)];
  if (search && !texts.some((text) => text.toLowerCase().includes(search))) return false;
  if (asksForBoxes && wanted(entry).length === 0) return false;
  switch (byId("show").value) {
    case "boxes": return entry.detections.length > 0;
    case "none": return !entry.error && entry.detections.length === 0;
    case "empty": return entry.detections.some((detection) => detection.reason);
    case "failed": return Boolean(entry.error);
    default: return true;
  }
}

/** The highest confidence of the boxes that are asked for; 0 without any. */
const best = (entry) => wanted(entry)[0]?.confidence ?? 0;

const orders = {
  problems: (a, b) => problem(entries[a])[0] - problem(entries[b])[0] || a - b,
  order: (a, b) => a - b,
  name: (a, b) => title(entries[a]).localeCompare(title(entries[b]), undefined, { numeric: true }) || a - b,
  most: (a, b) => wanted(entries[b]).length - wanted(entries[a]).length || a - b,
  sure: (a, b) => best(entries[b]) - best(entries[a]) || a - b,
  // Pictures without boxes last.
  unsure: (a, b) => (best(entries[a]) || 2) - (best(entries[b]) || 2) || a - b,
};

/** Indices of the entries that are shown, in their order. */
let shown = [];

function update() {
  const order = orders[byId("sort").value] ?? orders.problems;
  shown = [...entries.keys()].filter((index) => matches(entries[index])).sort(order);
  byId("gallery").replaceChildren(...shown.map((index) => cards[index]));
  byId("count").textContent = `${shown.length} of ${plural(entries.length, "picture", "pictures")} shown`;
}
