// ---- The cards

const list = byId("cases");

/** What a card says below its kind. */
function noteOf(entry) {
  const heat = entry.evidence ? `${percent(entry.evidence.object)} of heat on it` : entry.reason ? "no signal" : "no map";
  return entry.suspicions.length ? `${heat}, suspicious` : heat;
}

function card(spot) {
  const entry = entries[shown[spot]];
  const text = (className, textContent, title = textContent) => make("span", { className, textContent, title });
  const { image } = pictureOf(entry);
  const button = make(
    "button",
    { type: "button", className: "card" },
    preview(pictureOf(entry), [[labelOf(entry)?.box, "label"], [entry.box, "found"]]),
    text(isError(entry) ? "kind wrong" : "kind", kindWords.get(entry.kind)),
    text("name", classesOf(entry)),
    make("span", { className: "confidence", textContent: confidenceOf(entry) }),
    text("facts", noteOf(entry)),
    text("facts", shortName.get(image), image),
  );
  button.addEventListener("click", () => open(shown[spot]));
  return button;
}
