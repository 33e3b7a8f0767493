// ---- State in the address, so that a view can be linked to
//
// The page has `controls` of the large view (inputs) and `switches` of it (by name, whether they are on at first); `apply()`, which
// does what these say; `listState()`, names and values of what else is remembered; and `recall()`.

function remember() {
  const state = new URLSearchParams(listState());
  for (const input of controls) {
    if (input.value !== input.defaultValue) state.set(input.id, input.value);
  }
  for (const [id, isOn] of Object.entries(switches)) {
    if (byId(id).checked !== isOn) state.set(id, isOn ? "no" : "yes");
  }
  history.replaceState(null, "", `#${state}`);
}

/** Sets controls and switches as the address has them. */
function recallControls(state) {
  for (const input of controls) input.value = state.get(input.id) ?? input.defaultValue;
  for (const [id, isOn] of Object.entries(switches)) byId(id).checked = state.get(id) === (isOn ? "no" : "yes") ? !isOn : isOn;
  apply();
}

for (const input of [...controls, ...Object.keys(switches).map(byId)]) {
  input.addEventListener("input", () => {
    apply();
    remember();
  });
}
addEventListener("hashchange", recall);
