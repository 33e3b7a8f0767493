// ---- Draws anew, but not what is being pressed: of an element that was replaced meanwhile browsers tell no click

let pressed = null;
/** What is to be drawn once the pointer is let go. */
const behind = new Set();

/** Draws what is in some elements: at once, or if something in them is pressed, as soon as it is let go. */
export function redrawing(elements, draw) {
  return function redraw() {
    if (pressed && elements.some((element) => element.contains(pressed))) behind.add(redraw);
    else draw();
  };
}

addEventListener("pointerdown", ({ target }) => (pressed = target));
for (const end of ["pointerup", "pointercancel"]) {
  // The click comes right after this.
  addEventListener(end, () => setTimeout(() => {
    pressed = null;
    const late = [...behind];
    behind.clear();
    for (const redraw of late) redraw();
  }));
}
