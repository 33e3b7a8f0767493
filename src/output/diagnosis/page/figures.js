// ---- What the run comes to: figures, suspicions, costs of errors and AP by class

const points = (share) => (share * 100).toFixed(1);
const apText = (ap) => (ap === null ? "–" : percent(ap, 1));

function showFigures() {
  const { precision, objects, pictures: seen, unlabelled } = summary;
  const figures = [
    ["AP", apText(precision.ap)], ["AP50", apText(precision.ap50)], ["AP75", apText(precision.ap75)],
    ["objects", objects], ["pictures", seen], ["cases", entries.length],
  ];
  byId("figures").append(
    ...figures.map(([name, textContent]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent }))),
  );
  byId("unlabelled").hidden = unlabelled === 0;
  byId("unlabelled").textContent = `${plural(unlabelled, "picture has", "pictures have")} no labels and counted as empty.`;
}

/** How many suspicions are shown at once. */
const MOST_SUSPICIONS = 6;

function showSuspicions() {
  const items = data.suspicions.map((text, index) => {
    const content = [make("span", { textContent: text }), make("span", { className: "more", textContent: "Show them" })];
    return make("li", {}, asking({ suspicion: index }, { className: "asks" }, ...content));
  });
  byId("suspicions").append(...items.slice(0, MOST_SUSPICIONS));
  const rest = items.slice(MOST_SUSPICIONS);
  if (rest.length) {
    const list = make("ul", {}, ...rest);
    byId("suspicions").after(make("details", {}, make("summary", { textContent: `${rest.length} more` }), list));
  }
  byId("suspicions").hidden = items.length === 0;
  byId("unsuspicious").hidden = items.length > 0;
}

function showCosts() {
  const { kinds: costs, false_positives: wrong, false_negatives: unfound } = summary.errors;
  const most = Math.max(...costs.map((cost) => cost.delta_ap), 1e-9);
  const row = ({ kind, count, delta_ap: delta }) => {
    const bar = make("span", { className: "bar" });
    bar.style.width = `${(delta / most) * 100}%`;
    const shown = ofKind.get(kind) ?? 0;
    const counts = [plural(count, "error", "errors"), plural(shown, "case", "cases")];
    const button = asking(
      { kind },
      { className: "asks", disabled: shown === 0 },
      make("span", { className: "kind", textContent: kindWords.get(kind) }),
      make("span", { className: "track" }, bar),
      make("span", { className: "points", textContent: points(delta) }),
      make("span", { className: "counts", textContent: counts.join(", ") }),
    );
    button.setAttribute("aria-label", [kindWords.get(kind), `${points(delta)} points of AP50`, ...counts].join(", "));
    return make("li", {}, button);
  };
  byId("costs").append(...[...costs].sort((a, b) => b.delta_ap - a.delta_ap).map(row));
  byId("costs-note").textContent = "AP, and the errors with it, count every box from confidence 0.001 on; cases are boxes above "
    + "the threshold of the run, and the objects that these miss. "
    + `All wrong boxes together cost ${points(wrong)} points, all objects that were not found ${points(unfound)}.`;
}

function showPrecision() {
  const found = summary.precision.classes.map((precision, id) => ({ ...precision, id })).filter(({ ap }) => ap !== undefined);
  const cell = (text) => make("td", { className: "number", textContent: text });
  const row = ({ id, objects, ap, ap50 }) => {
    const button = asking({ class: id }, { className: "plain", textContent: className(id), disabled: !casesOf.has(id) });
    return make("tr", {}, make("th", { scope: "row" }, button), cell(objects), cell(points(ap)), cell(points(ap50)));
  };
  byId("precision-rows").append(...found.sort((a, b) => a.ap - b.ap || a.ap50 - b.ap50).map(row));
  byId("precision").hidden = found.length === 0;
  byId("precision").open = found.length > 1 && found.length <= 10;
}
