// ---- What the run comes to: counts, and how far evidence moved, by class

function showModels() {
  const names = modelNames();
  const arrow = names.join(" → ");
  document.title = `${arrow} · yolo-cam diff`;
  showRun([arrow, data.date, plural(summary.pictures, "picture", "pictures")], data.settings);
  for (const [index, side] of sides.entries()) byId(`${side}-model`).textContent = names[index];
  byId("noise").textContent = `Noise: ${data.noise}.`;
}

/** A count of all classes that asks for its pairs. */
function figure([name, count, wish, note]) {
  const number = make("span", { className: "number", textContent: count });
  const words = make("span", { textContent: name });
  return make("li", {}, asking(wish, { className: "figure", title: note, disabled: count === 0 }, number, words));
}

function showFigures() {
  const all = summary.groups.find((group) => group.class_id === null) ?? { lost: 0, gained: 0, kept: 0, broken: 0, fixed: 0 };
  const figures = [
    ["lost", all.lost, { change: "lost" }, "Only the old model finds it"],
    ["gained", all.gained, { change: "gained" }, "Only the new model finds it"],
    ["kept", all.kept, { change: "kept" }, "Both models find it"],
  ];
  const outcomes = [
    ["new errors", all.broken, { outcome: "broken" }, "The old model was right, and the new one is wrong"],
    ["fixed", all.fixed, { outcome: "fixed" }, "The old model was wrong, and the new one is right"],
  ];
  byId("figures").append(...[...figures, ...(data.has_labels ? outcomes : [])].map(figure));
}

/** "30 % [22, 39]" */
function sharesCell(mean) {
  if (!mean) return "–";
  const bound = (share) => (share * 100).toFixed(0);
  return `${percent(mean.mean)} [${bound(mean.low)}, ${bound(mean.high)}]`;
}

const correlationCell = (mean) => (mean ? `${signed(mean.mean)} [${signed(mean.low)}, ${signed(mean.high)}]` : "–");

function groupRow(group, index) {
  const { class_id: id, object_old: before, object_new: after } = group;
  const cell = (...content) => make("td", { className: "number" }, ...content);
  const name = id === null ? "all" : className(id);
  const button = asking(id === null ? {} : { class: id }, { className: "plain", textContent: name });
  const moved = cell(sharesCell(group.moved));
  if (data.drifted.includes(index)) moved.append(make("strong", { textContent: "moved more than noise" }));
  const row = make(
    "tr",
    {},
    make("th", { scope: "row" }, button),
    ...[group.lost, group.gained, group.kept].map((count) => cell(count)),
    ...(data.has_labels ? [cell(group.broken), cell(group.fixed)] : []),
    moved,
    cell(sharesCell(group.noise_moved)),
    cell(correlationCell(group.correlation)),
    cell(correlationCell(group.noise_correlation)),
    cell(before && after ? `${percent(before.mean)} → ${percent(after.mean)}` : "–"),
  );
  row.addEventListener("click", (event) => {
    if (event.target !== button) button.click();
  });
  return row;
}

function showGroups() {
  if (!data.has_labels) byId("groups").querySelectorAll("thead .outcome").forEach((head) => head.remove());
  byId("group-rows").append(...summary.groups.map(groupRow));
  byId("groups-room").hidden = summary.groups.length === 0;
}
