// The points on a canvas. Places are numbers from 0 to 1 in both directions; y grows upwards.
function unpack(text, kind) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new kind(bytes.buffer);
}

const LAYERS = 16;

class Plot {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    // The points as they were last drawn: an outline or a ring over them leaves them as they are.
    this.still = document.createElement("canvas");
    this.hidden = new Set();
    this.outline = null;
    this.reset();
  }

  reset() {
    this.view = { x: 0.5, y: 0.5, zoom: 1 };
  }

  take(data) {
    this.drawn = null;
    const steps = unpack(data.points, Uint16Array);
    this.count = steps.length / 2;
    this.x = new Float32Array(this.count);
    this.y = new Float32Array(this.count);
    for (let point = 0; point < this.count; point += 1) {
      this.x[point] = steps[2 * point] / 65535;
      this.y[point] = steps[2 * point + 1] / 65535;
    }
    this.rows = unpack(data.rows, Int32Array);
    this.codes = data.colourings.map((entry) => unpack(entry.codes, Uint8Array));
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.drawn = null;
  }

  get scale() {
    return { x: (this.width - 24) * this.view.zoom, y: (this.height - 24) * this.view.zoom };
  }

  toScreen(x, y) {
    return [this.width / 2 + (x - this.view.x) * this.scale.x, this.height / 2 - (y - this.view.y) * this.scale.y];
  }

  toPlace(left, top) {
    return [this.view.x + (left - this.width / 2) / this.scale.x, this.view.y - (top - this.height / 2) / this.scale.y];
  }

  zoom(factor, left = this.width / 2, top = this.height / 2) {
    const [x, y] = this.toPlace(left, top);
    this.view.zoom = Math.max(1, Math.min(60, this.view.zoom * factor));
    this.view.x = x - (left - this.width / 2) / this.scale.x;
    this.view.y = y + (top - this.height / 2) / this.scale.y;
    if (this.view.zoom === 1) this.reset();
  }

  move(left, top) {
    this.view.x -= left / this.scale.x;
    this.view.y += top / this.scale.y;
  }

  draw(colouring, entry) {
    const shown = JSON.stringify([colouring, this.view, [...this.hidden]]);
    if (shown !== this.drawn) {
      this.drawn = shown;
      this.drawPoints(colouring, entry);
    }
    this.context.clearRect(0, 0, this.width, this.height);
    if (this.still.width && this.still.height) this.context.drawImage(this.still, 0, 0, this.width, this.height);
  }

  drawPoints(colouring, { colours, quiet }) {
    const { width, height, x, y } = this;
    const codes = this.codes[colouring];
    // A new size also empties it.
    [this.still.width, this.still.height] = [this.canvas.width, this.canvas.height];
    const context = this.still.getContext("2d");
    context.setTransform(this.context.getTransform());
    const size = Math.max(2, Math.min(7, (this.count > 5000 ? 3 : 4) * Math.sqrt(this.view.zoom)));
    const half = size / 2;
    const [scaleX, scaleY] = [this.scale.x, this.scale.y];
    const [offX, offY] = this.toScreen(0, 0);
    context.globalAlpha = this.count > 5000 ? 0.6 : 0.8;
    const paint = (code, from, step, side) => {
      if (this.hidden.has(code)) return;
      context.fillStyle = colours[code];
      for (let point = from; point < this.count; point += step) {
        if (codes[point] !== code) continue;
        const left = offX + x[point] * scaleX;
        const top = offY - y[point] * scaleY;
        if (left > -4 && top > -4 && left < width + 4 && top < height + 4) context.fillRect(left - half, top - half, side, side);
      }
    };
    if (quiet) paint(0, 0, 1, size);
    context.globalAlpha = quiet ? 1 : context.globalAlpha;
    // Colour by colour, as changing it is what costs; in layers, so that the last colour does not hide the others.
    for (let layer = 0; layer < LAYERS; layer += 1) {
      for (let code = quiet ? 1 : 0; code < colours.length; code += 1) paint(code, layer, LAYERS, quiet ? size + 1 : size);
    }
  }

  drawOutline(places, colour) {
    if (!places?.length) return;
    const { context } = this;
    context.beginPath();
    places.forEach(([x, y], index) => {
      const [left, top] = this.toScreen(x, y);
      if (index) context.lineTo(left, top);
      else context.moveTo(left, top);
    });
    context.closePath();
    context.fillStyle = colour;
    context.strokeStyle = colour;
    context.globalAlpha = 0.12;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 1.5;
    context.stroke();
  }

  drawRing(point, colour) {
    const [left, top] = this.toScreen(this.x[point], this.y[point]);
    this.context.beginPath();
    this.context.arc(left, top, 8, 0, 7);
    this.context.strokeStyle = colour;
    this.context.lineWidth = 2;
    this.context.stroke();
  }

  // The points nearest to a spot of the screen, the nearest first; at 20,000 points looking at each is quick.
  near(left, top, colouring, reach, most) {
    const codes = this.codes[colouring];
    const found = [];
    for (let point = 0; point < this.count; point += 1) {
      const [pointLeft, pointTop] = this.toScreen(this.x[point], this.y[point]);
      const distance = (pointLeft - left) ** 2 + (pointTop - top) ** 2;
      if (distance <= reach * reach && !this.hidden.has(codes[point])) found.push([distance, point]);
    }
    return found.sort((a, b) => a[0] - b[0]).slice(0, most).map(([, point]) => point);
  }

  // How many shown images lie exactly where one does: copies of one picture are a single dot.
  under(point, colouring) {
    const codes = this.codes[colouring];
    let count = 0;
    for (let other = 0; other < this.count; other += 1) {
      if (this.x[other] === this.x[point] && this.y[other] === this.y[point] && !this.hidden.has(codes[other])) count += 1;
    }
    return count;
  }
}
