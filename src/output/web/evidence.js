// ---- Where heat lies, in words and as bars. The page has `classes`.

/** Where the shares of heat lie: as the style sheet names their colours, in words, and in more words. */
const places = [
  ["object", "on the object", "on the object"],
  ["others", "on others", "on other labelled objects"],
  ["around", "around it", "around it, in a box twice as wide and as high"],
  ["far", "farther away", "farther away"],
];

const percent = (share, digits = 0) => `${(share * 100).toFixed(digits)} %`;
const className = (id) => classes[id] ?? `class ${id}`;

/** "0.83", and more digits of what would be 0.00. */
function confidenceOf({ confidence }) {
  if (confidence === null) return "";
  if (confidence < 0.0001) return "< 0.0001";
  return confidence.toFixed(confidence < 0.01 ? 4 : 2);
}

/** "left of the object": where the hottest part of a map lies. */
function focusOf({ class_id: own, evidence: { focus } }) {
  if (focus === "object") return "at the object";
  if (focus.other === undefined) return `${{ left: "left of", right: "right of" }[focus.beside] ?? focus.beside} the object`;
  return focus.other === own ? `at another ${className(own)}` : `at ${className(focus.other)}`;
}

/** The shares of all places: others as one. */
const sharesOf = (evidence) => ({ ...evidence, others: evidence.others.reduce((sum, [, share]) => sum + share, 0) });

/** " (dog 30 %, cat 2 %)": which other objects have heat, if any has much. */
function othersWords({ others }) {
  const words = others.filter(([, share]) => share >= 0.005).map(([id, share]) => `${className(id)} ${percent(share)}`);
  return words.length ? ` (${words.join(", ")})` : "";
}

/** A bar of shares, which are told in words beside it. */
function sharesBar(shares) {
  const bar = make("div", { className: "shares" });
  bar.setAttribute("aria-hidden", true);
  // A part that cannot be seen would still leave a gap.
  for (const [place] of places.filter(([place]) => shares[place] >= 0.002)) {
    const part = make("span", { className: `place ${place}` });
    part.style.flexGrow = shares[place];
    bar.append(part);
  }
  return bar;
}
