// ---- Command lines, and how they are copied. `prefix`: of the names of the elements, where there are several.

const NO_NAME = "A name is no text that a command could be shown with.";

/** Shows a command line, if there is one, and what is to be known of it. */
function showCommand(line, note, prefix = "") {
  byId(`${prefix}command`).textContent = line;
  byId(`${prefix}command-note`).textContent = note;
  byId(`${prefix}copy`).hidden = !line;
  byId(`${prefix}copy`).textContent = "Copy";
}

/** What is to be known of a picture that is a frame of a file. */
const frameWords = (frame) => `All frames of the file are explained; this is number ${frame}.`;

/** What is to be known of the only command there is. `frame`: which one of its file the picture is, if so. */
function commandWords(line, frame, results) {
  if (!line) return NO_NAME;
  return `In the folder where the run was started. ${frame === undefined ? results : frameWords(frame)}`;
}

async function copyCommand(prefix) {
  const text = byId(`${prefix}command`).textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Where a page from the disk may not write to the clipboard, it may copy what is selected.
    getSelection().selectAllChildren(byId(`${prefix}command`));
    document.execCommand("copy");
  }
  byId(`${prefix}copy`).textContent = "Copied";
}

function copiedByButton(prefix = "") {
  byId(`${prefix}copy`).addEventListener("click", () => copyCommand(prefix));
}
