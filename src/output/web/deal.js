// ---- The cards of a list. There may be 50,000: only those near the window are in the document.
//
// The page has `list`, whose style says how wide and high a card is; `shown`, what is in it; `card(spot)`, the button that is at a
// place of it; and `fit(item, spot)`, which fits what a card shows into the room for it.

/** How many cards are in a row, how high one is with its gap, in pixels, and by how much its preview is wider than high. */
const grid = { columns: 1, height: 300, ratio: 4 / 3 };

/** The cards that are in the document, by place in the list, in order. */
const dealt = new Map();

/** The places whose cards are near the window, within one window above and below; and that of the card in focus. */
function nearby() {
  const { top } = list.getBoundingClientRect();
  const row = (y) => Math.floor((y - top) / grid.height);
  const [first, last] = [row(-innerHeight) * grid.columns, (row(2 * innerHeight) + 1) * grid.columns];
  const [from, to] = [Math.max(0, first), Math.min(shown.length, last)];
  const spots = Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
  const focused = [...dealt].find(([, item]) => item.contains(document.activeElement))?.[0];
  if (focused === undefined || (focused >= from && focused < to)) return spots;
  return focused < from ? [focused, ...spots] : [...spots, focused];
}

/** Puts a card in its place. */
function put(item, spot) {
  item.style.left = `${((spot % grid.columns) / grid.columns) * 100}%`;
  item.style.top = `${Math.floor(spot / grid.columns) * grid.height}px`;
  item.style.width = `${100 / grid.columns}%`;
  fit(item, spot);
}

function deal(spot) {
  const item = make("li", {}, card(spot));
  item.setAttribute("aria-setsize", shown.length);
  item.setAttribute("aria-posinset", spot + 1);
  put(item, spot);
  return item;
}

/** Adds the cards that came near, and drops those that went. The others stay as they are, and one keeps the focus. */
function moveCards() {
  const spots = nearby();
  const wanted = new Set(spots);
  for (const [spot, item] of dealt) {
    if (wanted.has(spot)) continue;
    item.remove();
    dealt.delete(spot);
  }
  let next = list.firstElementChild;
  for (const spot of spots) {
    const known = dealt.get(spot);
    if (known) {
      next = known.nextElementSibling;
      continue;
    }
    const item = deal(spot);
    dealt.set(spot, item);
    list.insertBefore(item, next);
  }
}

/** Shows other cards than before. */
function dealCards() {
  dealt.clear();
  list.replaceChildren();
  arrangeCards();
}

/** Fits rows to the room there is. The style sheet has the sizes of a card. */
function arrangeCards() {
  const { gridAutoColumns, gridAutoRows } = getComputedStyle(list);
  grid.columns = Math.max(1, Math.floor(list.clientWidth / parseFloat(gridAutoColumns)));
  grid.height = parseFloat(gridAutoRows);
  list.style.height = `${Math.ceil(shown.length / grid.columns) * grid.height}px`;
  moveCards();
  // All cards are as large.
  const { clientWidth, clientHeight } = list.querySelector("svg") ?? {};
  if (clientHeight) grid.ratio = clientWidth / clientHeight;
  for (const [spot, item] of dealt) put(item, spot);
}

/** Brings a card into the window, and the focus to it. */
function goTo(spot) {
  const top = list.getBoundingClientRect().top + scrollY + Math.floor(spot / grid.columns) * grid.height;
  if (top < scrollY || top + grid.height > scrollY + innerHeight) scrollTo(0, top - (innerHeight - grid.height) / 2);
  moveCards();
  dealt.get(spot)?.firstElementChild.focus({ preventScroll: true });
}

list.addEventListener("keydown", (event) => {
  const { columns } = grid;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  const spot = [...dealt].find(([, item]) => item.contains(event.target))?.[0];
  const next = { Home: 0, End: shown.length - 1 }[event.key] ?? spot + steps[event.key];
  if (event.ctrlKey || event.metaKey || event.altKey || !(next >= 0 && next < shown.length)) return;
  event.preventDefault();
  goTo(next);
});
addEventListener("scroll", moveCards, { passive: true });
// What is above the list grows and shrinks, too.
new ResizeObserver(arrangeCards).observe(document.body);
