// ---- What is remembered of the list, and the start

/** The filters, the order and the pair in view. */
const listState = () => (opened === null ? listed() : [...listed(), ["open", opened]]);

function recall() {
  const state = new URLSearchParams(location.hash.slice(1));
  recallList(state);
  recallControls(state);
  update();
  recallOpened(state);
}

showModels();
showFailures(data.failed);
showFigures();
showGroups();
beginFilters();
recall();
