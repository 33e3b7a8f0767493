// ---- What the model looks at: shares of heat and portraits, by class and kind

/** The mean map around an object's box, in the colours of heat. */
function portraitOf({ kind, portrait, portrait_peak: [x, y] }) {
  const side = portrait.length;
  const canvas = make("canvas", { width: side, height: side });
  const context = canvas.getContext("2d");
  const image = context.createImageData(side, side);
  for (const [index, value] of portrait.flat().entries()) {
    image.data.set([...look.colormap[Math.round(value * 255)], 255], index * 4);
  }
  context.putImageData(image, 0, 0);
  const off = [x < 0 ? "left of" : x > 1 ? "right of" : "", y < 0 ? "above" : y > 1 ? "below" : ""].filter(Boolean);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Mean map, ${kindWords.get(kind)}: hottest ${off.join(" and ") || "in"} the box`);
  return make("div", { className: "portrait" }, canvas, make("span", { className: "box" }));
}

/** "on the object 52 % (41–62)" */
function shareLine(group, [place, words]) {
  const { mean, low, high } = group[place];
  const between = `(${(low * 100).toFixed(0)}–${(high * 100).toFixed(0)})`;
  return keyed(place, `${words} `, make("b", { textContent: percent(mean) }), ` ${between}`);
}

function lookOf(group) {
  const { kind, count, object, portrait, class_id: id } = group;
  const maps = object && object.count < count ? `, ${object.count} with a map` : "";
  // Groups go by the class of the detection, those of missed objects by that of the label.
  const ofClass = kind === "missed" ? { labelled: id } : { "found-as": id };
  const wish = id === null ? { kind } : { kind, ...ofClass };
  const title = make(
    "h3",
    {},
    `${kindWords.get(kind)} `,
    asking(wish, { className: "plain", textContent: `${plural(count, "case", "cases")}${maps}` }),
  );
  title.lastElementChild.setAttribute("aria-label", `${kindWords.get(kind)}: ${plural(count, "case", "cases")}${maps}`);
  if (!object) return make("li", {}, make("div", {}, title, make("p", { className: "note", textContent: "There is no map." })));
  const means = Object.fromEntries(places.map(([place]) => [place, group[place].mean]));
  const lines = make("ul", { className: "numbers" }, ...places.map((place) => shareLine(group, place)));
  return make("li", {}, ...(portrait ? [portraitOf(group)] : []), make("div", {}, title, sharesBar(means), lines));
}

/** Shows the chosen class, or all. */
function showLooks() {
  const chosen = byId("looks-class").value;
  const order = kinds.map(([kind]) => kind);
  const groups = summary.groups.filter(({ class_id: id }) => (id === null ? "" : String(id)) === chosen);
  byId("looks").replaceChildren(...groups.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind)).map(lookOf));
  byId("no-looks").hidden = groups.length > 0;
  reflect();
}

function beginLooks() {
  const ids = [...new Set(summary.groups.map((group) => group.class_id))].filter((id) => id !== null).sort((a, b) => a - b);
  byId("looks-class").append(
    make("option", { value: "", textContent: "all classes" }),
    ...ids.map((id) => make("option", { value: id, textContent: className(id) })),
  );
  byId("legend").append(...places.map(([place, , words]) => keyed(place, words)));
  const steps = look.colormap.map(([r, g, b]) => `rgb(${r} ${g} ${b})`);
  byId("looks-key").style.background = `linear-gradient(to right, ${steps.join(", ")})`;
}
