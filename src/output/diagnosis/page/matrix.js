// ---- The confusion matrix

/** Most of a cell's shade, in percent: text must stay legible on it. */
const MOST_SHADE = 45;

/** A class of the matrix as filters call it. */
const cellValue = (id) => (id === null ? "none" : String(id));

/** The classes that occur as rows (`label`) or columns (`found`); `null`, none, is the last. */
function occurring(side) {
  const ids = new Set(summary.confusion.map((cell) => cell[side]));
  return [...ids].sort((a, b) => (a === null) - (b === null) || a - b);
}

const rowName = (id) => (id === null ? "nothing there" : className(id));
const columnName = (id) => (id === null ? "not found" : className(id));

/** "dog found as cat", "dog not found", "cat found where nothing is". */
function cellWords(label, found) {
  if (found === null) return `${className(label)} not found`;
  return label === null ? `${className(found)} found where nothing is` : `${className(label)} found as ${className(found)}`;
}

function matrixCell(label, found, count, sum) {
  if (!count) return make("td");
  const wish = { labelled: cellValue(label), "found-as": cellValue(found) };
  const words = `${plural(count, "case", "cases")}: ${cellWords(label, found)}`;
  const button = asking(wish, { textContent: count, title: words });
  button.setAttribute("aria-label", words);
  const cell = make("td", { className: label === found ? "right" : "wrong" }, button);
  cell.style.setProperty("--shade", `${Math.max(4, (count / sum) * MOST_SHADE)}%`);
  return cell;
}

function showMatrix() {
  const [rows, columns] = [occurring("label"), occurring("found")];
  const counts = new Map(summary.confusion.map(({ label, found, count }) => [`${label} ${found}`, count]));
  const head = (id) => make("th", { scope: "col", title: columnName(id) }, make("span", { textContent: columnName(id) }));
  const corner = make(
    "td",
    { className: "corner" },
    make("div", { textContent: "found as →" }),
    make("div", { textContent: "labelled ↓" }),
  );
  const row = (label) => {
    const own = columns.map((found) => counts.get(`${label} ${found}`) ?? 0);
    const sum = own.reduce((sum, count) => sum + count, 0);
    const cells = columns.map((found, index) => matrixCell(label, found, own[index], sum));
    return make("tr", {}, make("th", { scope: "row", title: rowName(label), textContent: rowName(label) }), ...cells);
  };
  byId("matrix").append(
    make("thead", {}, make("tr", {}, corner, ...columns.map(head))),
    make("tbody", {}, ...rows.map(row)),
  );
  byId("matrix-room").hidden = rows.length === 0;
  byId("matrix-note").textContent = rows.length ? byId("matrix-note").textContent : "There are no cases.";
}
