// ---- What the shared scripts need of this page: its data, its panes, and the picture in them. These scripts are no modules.

const data = JSON.parse(byId("data").textContent);
const { look } = data;

/** What `zoom.js` finds the panes in. There are always two; the second shows only side by side. */
const view = byId("panes");

/** What elements of the second pane are called: "method" is "second-method" there. */
const prefixOf = (pane) => (pane ? "second-" : "");
const inPane = (pane, id) => byId(prefixOf(pane) + id);

for (const pane of [0, 1]) {
  const figure = byId("pane").content.cloneNode(true).firstElementChild;
  for (const element of figure.querySelectorAll("[id]")) element.id = prefixOf(pane) + element.id;
  figure.id = `${prefixOf(pane)}figure`;
  figure.hidden = pane === 1;
  view.append(figure);
}

/** The size of the picture in view, once it is known. */
const inView = { size: undefined };
const pictureInView = () => inView.size;
