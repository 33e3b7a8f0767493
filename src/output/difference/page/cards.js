// ---- The cards: a picture twice, as the old model sees it and as the new one does

const list = byId("pairs");

/** How a side's box is drawn: as found, or as nothing but the best prediction there. */
const lineOf = (side) => (side.is_found ? "found" : "best");

/** "heat moved 30 %, noise 6 %" */
function movedWords({ drift, noise, old, new: other }) {
  if (!drift) return old.reason || other.reason ? "no signal to compare" : "no maps to compare";
  return [`heat moved ${percent(drift.moved)}`, noise && `noise ${percent(noise.moved)}`].filter(Boolean).join(", ");
}

function card(spot) {
  const entry = entries[shown[spot]];
  const text = (className, textContent, title = textContent) => make("span", { className, textContent, title });
  const half = (name) => {
    const side = entry[name];
    // The confidence stays in view, however long the name is.
    const words = make("span", { className: "side" }, text("name", `${name}: ${predicted(side)} `), confidenceOf(side));
    const picture = preview(pictureOf(entry), [[side.box, lineOf(side)]]);
    return make("span", { className: "half" }, picture, words, text("facts", stateWords(side)));
  };
  const { image } = pictureOf(entry);
  const button = make(
    "button",
    { type: "button", className: "card" },
    make("span", { className: "halves" }, ...sides.map(half)),
    text(entry.outcome === "broken" ? "change wrong" : "change", changeWords(entry)),
    text("moved", movedWords(entry)),
    text("facts", shortName.get(image), image),
  );
  button.addEventListener("click", () => open(shown[spot]));
  return button;
}
