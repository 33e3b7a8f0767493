// ---- Heat over the picture in the large view
//
// A canvas holds the grey map of a box, or the largest of several; an SVG filter colours it. A page from the disk may not read
// pixels of pictures, and need not: it draws them, and the filter does the rest.

/** The filter: red, green and blue of a grey are looked up, and so is its opacity. */
function heatFilter() {
  const lookup = (channel) => draw(`feFunc${channel}`, { id: `heat-${channel}`, type: "table" });
  const toOpacity = { in: "SourceGraphic", type: "matrix", values: "0 0 0 0 0  0 0 0 0 0  0 0 0 0 0  1 0 0 0 0" };
  return draw(
    "filter",
    { id: "heat", x: 0, y: 0, width: 1, height: 1, "color-interpolation-filters": "sRGB" },
    draw("feComponentTransfer", { in: "SourceGraphic", result: "colors" }, ...["R", "G", "B"].map(lookup)),
    draw("feColorMatrix", toOpacity),
    draw("feComponentTransfer", { result: "opacity" }, lookup("A")),
    draw("feComposite", { in: "colors", in2: "opacity", operator: "in" }),
  );
}

document.body.append(draw("svg", { class: "unseen", "aria-hidden": true }, heatFilter()));

/** The colours of the colormap, and from heat to opacity: none below the threshold, and above it what fades with the heat. */
function colorHeat() {
  const [opacity, threshold] = [Number(byId("opacity").value), Number(byId("threshold").value)];
  for (const [index, channel] of ["R", "G", "B"].entries()) {
    byId(`heat-${channel}`).setAttribute("tableValues", look.colormap.map((color) => color[index] / 255).join(" "));
  }
  const alpha = look.fading.map((share, step) => (step / 255 < threshold ? 0 : opacity * share));
  byId("heat-A").setAttribute("tableValues", alpha.map((value) => value.toFixed(4)).join(" "));
  byId("opacity-value").textContent = `${Math.round(opacity * 100)} %`;
  byId("threshold-value").textContent = threshold.toFixed(2);
}

/** Draws the largest of the maps of some boxes of a picture over it; maps of an earlier choice come too late. */
function drawHeat({ heat }, picture, boxes) {
  const urls = boxes.map((box) => box.map).filter(Boolean);
  const wanted = urls.join(" ");
  heat.hidden = true;
  heat.dataset.map = wanted;
  if (!picture.files) return;
  const [x1, y1, x2, y2] = picture.files.heat_area;
  const share = (length, whole) => `${(length / whole) * 100}%`;
  Object.assign(heat.style, {
    left: share(x1, picture.width),
    top: share(y1, picture.height),
    width: share(x2 - x1, picture.width),
    height: share(y2 - y1, picture.height),
  });
  const context = heat.getContext("2d");
  for (const url of urls) {
    const map = new Image();
    map.addEventListener("load", () => {
      if (heat.dataset.map !== wanted) return;
      if (heat.hidden) {
        // All maps of a picture have the same size; this clears the canvas, too.
        [heat.width, heat.height] = [map.naturalWidth, map.naturalHeight];
        context.globalCompositeOperation = "lighten";
        heat.hidden = false;
      }
      context.drawImage(map, 0, 0);
    });
    map.src = url;
  }
}

for (const [id, value] of Object.entries({ opacity: look.opacity, threshold: look.threshold })) {
  byId(id).value = value;
  // As the slider's steps round it.
  byId(id).defaultValue = byId(id).value;
}
byId("key-note").textContent = look.has_common_scale
  ? "1 is the largest peak of all boxes of the picture."
  : "1 is the peak of each box’s own map.";
