// ---- The large view as a dialog: its keys and buttons, and the command that it shows

const view = byId("view");

view.addEventListener("click", (event) => {
  if (event.target === view) view.close();
});
view.addEventListener("keydown", (event) => {
  // On a slider the arrows move the slider.
  if (event.target.type === "range" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (zoomedByKey(event)) event.preventDefault();
  else if (event.key === "ArrowLeft") step(-1);
  else if (event.key === "ArrowRight") step(1);
});
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
byId("close").addEventListener("click", () => view.close());

/** Shows a command line, if there is one, and where its results go. `frame`: which one of its file the picture is, if so. */
function showCommand(line, frame, results) {
  byId("command").textContent = line;
  byId("command-note").textContent = !line
    ? "A name is no text that a command could be shown with."
    : frame === undefined
      ? `In the folder where the run was started. ${results}`
      : `In the folder where the run was started. All frames of the file are explained; this is number ${frame}.`;
  byId("copy").hidden = !line;
  byId("copy").textContent = "Copy";
}

async function copyCommand() {
  const text = byId("command").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Where a page from the disk may not write to the clipboard, it may copy what is selected.
    getSelection().selectAllChildren(byId("command"));
    document.execCommand("copy");
  }
  byId("copy").textContent = "Copied";
}

byId("copy").addEventListener("click", copyCommand);
