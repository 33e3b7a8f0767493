"use strict";
// What the pages share. Names come from files and models, so they only ever become text, never markup.

const byId = (id) => document.getElementById(id);

/** An element with properties and children. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** An element of SVG with attributes and children. */
function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;

const wordOf = { faithful: "faithful", blob: "no better than a blob", misleading: "misleading" };

/** "faithful (+0.12, +0.08)": what a map is worth, and how far it is above the Gaussian under both fills. */
function trustOf({ verify }) {
  if (!verify) return "";
  const gain = ({ own, gaussian }) => `${own >= gaussian ? "+" : "−"}${Math.abs(own - gaussian).toFixed(2)}`;
  return `${wordOf[verify.word]} (${gain(verify.mean)}, ${gain(verify.tiles)})`;
}

/** Files without their folders, but for the last where files have the same name; by path. */
function shortNames(paths) {
  const parts = (path) => path.split(/[\\/]/);
  const namesakes = new Map();
  for (const path of new Set(paths)) {
    const name = parts(path).at(-1);
    namesakes.set(name, (namesakes.get(name) ?? 0) + 1);
  }
  const short = (path) => parts(path).slice(namesakes.get(parts(path).at(-1)) > 1 ? -2 : -1).join("/");
  return new Map(paths.map((path) => [path, short(path)]));
}

/** What the run is called, and its settings. */
function showRun(heading, settings) {
  byId("heading").textContent = heading.join(" · ");
  byId("settings").append(
    ...settings.flatMap(([name, value]) => [make("dt", { textContent: name }), make("dd", { textContent: value })]),
  );
}

/** The pictures that failed, and why. */
function showFailures(failed) {
  byId("failures").hidden = failed.length === 0;
  byId("failed-count").textContent = `${plural(failed.length, "picture", "pictures")} failed`;
  byId("failed").append(
    ...failed.map(([image, textContent]) => make("li", {}, `${image}: `, make("span", { className: "error", textContent }))),
  );
}
