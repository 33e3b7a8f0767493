// ---- What is remembered of the list, and the start

/** The filters, the order, the class whose looks are shown and the case in view. */
function listState() {
  const looks = byId("looks-class").value;
  return [...listed(), ...(looks ? [["looks", looks]] : []), ...(opened === null ? [] : [["open", opened]])];
}

function recall() {
  const state = new URLSearchParams(location.hash.slice(1));
  recallList(state);
  byId("looks-class").value = state.get("looks") ?? "";
  if (byId("looks-class").selectedIndex === -1) byId("looks-class").value = "";
  recallControls(state);
  update();
  showLooks();
  recallOpened(state);
}

byId("looks-class").addEventListener("input", () => {
  showLooks();
  remember();
});

showRun([data.heading.model, data.heading.method, data.heading.date], data.settings);
showFailures(data.failed);
showFigures();
showSuspicions();
showCosts();
showPrecision();
showMatrix();
beginLooks();
beginFilters();
recall();
