// What SMOTE makes of two images, computed as the server does it: base + factor * (neighbour - base) in double
// precision, rounded to even. Text reaches the page through textContent only.
function pixels(image) {
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

function rounded(value) {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}

export function blended(base, neighbour, factor) {
  const made = new Uint8ClampedArray(base.length);
  for (let place = 0; place < base.length; place += 1) {
    made[place] = rounded((neighbour[place] - base[place]) * factor + base[place]);
  }
  return made;
}

function nearest(data, factor) {
  let best = null;
  for (const other of data.others) {
    const square = (1 - factor) * other.to_base + factor * other.to_neighbour;
    if (!best || square < best.square) best = { other, square };
  }
  if (!best) return null;
  const left = Math.max(0, best.square - factor * (1 - factor) * data.apart);
  return { ...best.other, distance: Math.sqrt(left / data.size) };
}

function show(blend) {
  const { data, canvas, factor } = blend;
  const score = 4 * factor * (1 - factor) * data.disjoint;
  const ghost = score >= data.ghost;
  blend.querySelector("output").textContent = factor.toFixed(2);
  const made = blend.querySelector(".made");
  made.classList.toggle("ghost", ghost);
  made.querySelector("figcaption").textContent = `synthetic at ${factor.toFixed(2)}, ghost score ${score.toFixed(2)}`;
  const verdict = blend.querySelector(".verdict");
  verdict.classList.toggle("ghost", ghost);
  verdict.textContent = ghost
    ? "A ghost: its nuclei lie beside each other, half transparent. No cell looks like this."
    : "No ghost: the nuclei overlap, or one parent outweighs the other.";
  const near = nearest(data, factor);
  const figure = blend.querySelector(".near");
  figure.hidden = !near;
  if (near) {
    const image = figure.querySelector("img");
    if (image.src !== near.src) image.src = near.src;
    image.alt = `row ${near.row}`;
    figure.querySelector("figcaption").textContent = `nearest other cell, row ${near.row}: ${near.distance.toFixed(1)} grey levels away`;
  }
  if (blend.parents) {
    const [base, neighbour] = blend.parents;
    canvas.width = base.width;
    canvas.height = base.height;
    const result = new ImageData(blended(base.data, neighbour.data, factor), base.width, base.height);
    canvas.getContext("2d").putImageData(result, 0, 0);
  }
}

async function load(blend) {
  const { data } = blend;
  const images = [blend.querySelector(".base"), blend.querySelector(".neighbour")];
  const rows = [data.base, data.neighbour];
  images.forEach((image, side) => {
    image.src = rows[side].src;
    image.alt = `row ${rows[side].row}`;
    image.nextElementSibling.textContent = `${side ? "neighbour" : "sample"}, row ${rows[side].row}`;
  });
  await Promise.all(images.map((image) => image.decode()));
  // Another example may have been chosen meanwhile.
  if (blend.data !== data) return;
  blend.parents = images.map(pixels);
  show(blend);
}

export default function draw({ data, parentElement }) {
  const blend = parentElement.querySelector(".blend");
  if (!blend.range) {
    blend.range = blend.querySelector("input");
    blend.canvas = blend.querySelector("canvas");
    blend.range.addEventListener("input", () => {
      blend.factor = Number(blend.range.value);
      show(blend);
    });
  }
  if (blend.data && blend.data.name === data.name) return;
  blend.data = data;
  blend.parents = null;
  blend.factor = data.factor;
  blend.range.value = data.factor;
  blend.canvas.setAttribute("aria-label", `between row ${data.base.row} and row ${data.neighbour.row}`);
  show(blend);
  load(blend);
}
