// ---- The form of filters. The page has `update()`, which shows what they ask for, and `remember()`.

/** After what was changed by hand. */
function changed() {
  update();
  remember();
}

byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filters").addEventListener("input", changed);
// The values change only after this event.
byId("filters").addEventListener("reset", () => setTimeout(changed));
document.addEventListener("keydown", (event) => {
  const isTyping = /^(INPUT|SELECT)$/.test(event.target.tagName);
  if (event.key === "/" && !isTyping && !view.open) {
    event.preventDefault();
    byId("search").focus();
  }
});
