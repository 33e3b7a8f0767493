"use strict";
// The page of a run: cards of all pictures, filtered and sorted, and a large view of one. Names come from files and models,
// so they only ever become text, never markup.

const byId = (id) => document.getElementById(id);
const { settings, colors, entries } = JSON.parse(byId("data").textContent);

/** An element with properties and children. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const detections = entries.flatMap((entry) => entry.detections);
/** What the model finds: boxes, or classes of whole pictures. */
const things = detections.every((detection) => detection.box_image) ? ["box", "boxes"] : ["class", "classes"];

const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;
const title = (entry) => (entry.layer ? `${entry.image} (${entry.layer})` : entry.image);
const colorOf = (detection) => colors[detection.class_id % colors.length];

function factsOf(entry) {
  if (entry.error) return "failed";
  const names = [...new Set(entry.detections.map((detection) => detection.class))];
  const count = plural(entry.detections.length, ...things);
  return names.length ? `${count}: ${names.join(", ")}` : `no ${things[1]}`;
}

// ---- Cards

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
    make("span", { className: "name", textContent: title(entry), title: title(entry) }),
    make("span", { className: "facts", textContent: factsOf(entry) }),
  );
  button.addEventListener("click", () => open(index));
  if (entry.files) {
    preview.dataset.src = entry.files.thumbnail;
    thumbnails.observe(preview);
  }
  return make("li", {}, button);
}

const cards = entries.map(card);

// ---- Filters

const filters = ["search", "class", "from", "to", "show", "sort"].map(byId);
const defaults = Object.fromEntries(filters.map((input) => [input.id, input.value]));

/** The detections of an entry that class and confidence ask for. */
function wanted(entry) {
  const name = byId("class").value;
  const [from, to] = [Number(byId("from").value), Number(byId("to").value)];
  return entry.detections.filter(
    (detection) => (!name || detection.class === name) && detection.confidence >= from && detection.confidence <= to,
  );
}

function matches(entry) {
  const search = byId("search").value.trim().toLowerCase();
  const asksForBoxes = ["class", "from", "to"].some((id) => byId(id).value !== defaults[id]);
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
  const order = orders[byId("sort").value] ?? orders.order;
  shown = [...entries.keys()].filter((index) => matches(entries[index])).sort(order);
  byId("gallery").replaceChildren(...shown.map((index) => cards[index]));
  byId("count").textContent = `${shown.length} of ${plural(entries.length, "picture", "pictures")} shown`;
}

// ---- State in the address, so that a view can be linked to

let opened = null;

function remember() {
  const state = new URLSearchParams();
  for (const input of filters) {
    if (input.value !== defaults[input.id]) state.set(input.id, input.value);
  }
  if (opened !== null) state.set("open", opened);
  if (byId("wipe").value !== "100") state.set("wipe", byId("wipe").value);
  history.replaceState(null, "", `#${state}`);
}

function recall() {
  const state = new URLSearchParams(location.hash.slice(1));
  for (const input of filters) input.value = state.get(input.id) ?? defaults[input.id];
  byId("wipe").value = state.get("wipe") ?? "100";
  wipe();
  update();
  const index = Number(state.get("open"));
  if (state.has("open") && entries[index]) open(index);
}

// ---- The large view

const view = byId("view");

function wipe() {
  byId("view-heat").style.clipPath = `inset(0 ${100 - Number(byId("wipe").value)}% 0 0)`;
}

function row(detection, rect) {
  const swatch = make("span", { className: "swatch" });
  swatch.style.background = colorOf(detection);
  const cell = (...content) => make("td", {}, ...content);
  const layers = cell(detection.layers.join(", "));
  if (detection.reason) layers.append(make("div", { className: "error", textContent: `no signal: ${detection.reason}` }));
  const corners = detection.box_image?.map((side) => side.toFixed(0)).join(" ") ?? "the whole picture";
  const line = make(
    "tr",
    { tabIndex: 0 },
    cell(swatch, detection.class),
    cell(detection.confidence.toFixed(2)),
    cell(detection.mask_area === undefined ? corners : `${corners}, mask of ${detection.mask_area} pixels`),
    layers,
  );
  const choose = (isChosen) => () => rect.classList.toggle("chosen", isChosen);
  for (const event of ["mouseenter", "focus"]) line.addEventListener(event, choose(true));
  for (const event of ["mouseleave", "blur"]) line.addEventListener(event, choose(false));
  return line;
}

function outline(detection) {
  // A class of the whole picture has no outline.
  const [x1, y1, x2, y2] = detection.box_image ?? [0, 0, 0, 0];
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  const attributes = { x: x1, y: y1, width: x2 - x1, height: y2 - y1, stroke: colorOf(detection) };
  for (const [name, value] of Object.entries(attributes)) rect.setAttribute(name, value);
  return rect;
}

function open(index) {
  const entry = entries[index];
  opened = index;
  byId("view-name").textContent = title(entry);
  const place = shown.indexOf(index);
  const size = entry.width ? `${entry.width}×${entry.height} pixels` : "";
  byId("view-place").textContent = [size, place >= 0 ? `${place + 1} of ${shown.length}` : ""].filter(Boolean).join(", ");
  byId("previous").disabled = place <= 0;
  byId("next").disabled = place < 0 || place === shown.length - 1;
  document.querySelector("figure").hidden = !entry.files;
  if (entry.files) {
    byId("view-picture").src = entry.files.picture;
    byId("view-picture").alt = `${entry.image}: ${factsOf(entry)}`;
    byId("view-heat").src = entry.files.heat;
    byId("view-boxes").setAttribute("viewBox", `0 0 ${entry.width} ${entry.height}`);
  }
  const rects = entry.detections.map(outline);
  byId("view-boxes").replaceChildren(...rects);
  byId("view-rows").replaceChildren(...entry.detections.map((detection, nth) => row(detection, rects[nth])));
  byId("view-table").hidden = entry.detections.length === 0;
  byId("view-note").textContent = entry.error ?? (entry.detections.length ? "" : `no ${things[1]}`);
  byId("view-note").className = entry.error ? "error" : "";
  if (!view.open) view.showModal();
  remember();
}

function step(by) {
  const next = shown[shown.indexOf(opened) + by];
  if (opened !== null && next !== undefined && shown.includes(opened)) open(next);
}

view.addEventListener("close", () => {
  const card = cards[opened]?.firstElementChild;
  opened = null;
  remember();
  card?.focus();
});
view.addEventListener("click", (event) => {
  if (event.target === view) view.close();
});
view.addEventListener("keydown", (event) => {
  // On the slider the arrows move the slider.
  if (event.target.id === "wipe") return;
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
byId("close").addEventListener("click", () => view.close());
byId("wipe").addEventListener("input", () => {
  wipe();
  remember();
});

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
document.addEventListener("keydown", (event) => {
  const isTyping = /^(INPUT|SELECT)$/.test(event.target.tagName);
  if (event.key === "/" && !isTyping && !view.open) {
    event.preventDefault();
    byId("search").focus();
  }
});
addEventListener("hashchange", recall);

const failed = entries.filter((entry) => entry.error).length;
byId("summary").textContent = [
  plural(entries.length, "picture", "pictures"),
  plural(detections.length, ...things),
  failed ? `${failed} failed` : "",
].filter(Boolean).join(", ");
byId("settings").append(
  ...settings.flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })]),
);
const counts = new Map();
for (const { class: name } of detections) counts.set(name, (counts.get(name) ?? 0) + 1);
for (const [name, count] of [...counts].sort((a, b) => b[1] - a[1])) {
  byId("class").append(make("option", { value: name, textContent: `${name} (${count})` }));
}
recall();
