// ---- Redraws parts of the page, but none that is being pressed: browsers fire no click on an element that was replaced meanwhile

let pressed = null;
/** What to redraw once the pointer is released. */
const pending = new Set();

/** A function that calls `draw` at once or, while something within `elements` is pressed, when the pointer is released. */
export function redrawing(elements, draw) {
  return function redraw() {
    if (pressed && elements.some((element) => element.contains(pressed))) pending.add(redraw);
    else draw();
  };
}

addEventListener("pointerdown", ({ target }) => (pressed = target));
// A context menu may take the release of the pointer.
for (const end of ["pointerup", "pointercancel", "contextmenu"]) {
  // The click follows at once, so it must come before anything is replaced.
  addEventListener(end, () => setTimeout(() => {
    pressed = null;
    const late = [...pending];
    pending.clear();
    for (const redraw of late) redraw();
  }));
}
