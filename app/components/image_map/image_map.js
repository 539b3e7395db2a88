// What the person does with the map: hover, lasso, box, move, zoom, colour, legend.
const REACH = 10;
const PREFETCH_REACH = 60;
const PREFETCHED = 30;
const ASK_AFTER_MS = 50;
const MOST_CORNERS = 200;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

class ImageMap {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.card = root.querySelector(".card");
    this.plot = new Plot(this.canvas);
    this.pictures = new Map();
    this.colouring = 0;
    this.mode = "lasso";
    this.observer = new ResizeObserver(() => (this.plot.resize(), this.paint()));
    this.observer.observe(this.canvas);
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    window.addEventListener("wbc-map-pictures", (event) => this.receive(event.detail), { signal });
    const listen = (name, does) => this.canvas.addEventListener(name, (event) => does.call(this, event));
    listen("pointerdown", this.press);
    listen("pointermove", this.hover);
    listen("pointerup", this.release);
    listen("pointercancel", this.cancel);
    listen("pointerleave", () => this.point(null));
    listen("dblclick", () => this.act("clear"));
    this.canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.plot.zoom(event.deltaY < 0 ? 1.25 : 0.8, event.offsetX, event.offsetY);
      this.paint();
    }, { passive: false });
    root.querySelector(".tools").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.act(button.dataset.do, button.dataset.mode);
    });
    this.act(undefined, "lasso");
  }

  update({ data, setStateValue }) {
    this.setStateValue = setStateValue;
    const signature = data.points.length + data.points.slice(0, 400) + data.colourings.map((entry) => entry.codes).join();
    if (signature === this.signature) return this.paint();
    this.signature = signature;
    if (!this.data) this.begin(data.chosen, data.colourings);
    this.data = data;
    this.plot.take(data);
    this.plot.resize();
    this.buttons();
    this.legend();
    return this.paint();
  }

  // What was drawn before this part of the page was left.
  begin(chosen, colourings) {
    if (!chosen) return;
    this.plot.outline = chosen.corners;
    this.colouring = Math.max(0, colourings.findIndex((entry) => entry.title === chosen.colouring));
    this.plot.hidden = new Set(chosen.hidden);
  }

  // The server opens what lies inside and is not hidden. The time tells one message from the next.
  send() {
    this.setStateValue("outline", {
      corners: this.plot.outline ?? [],
      colouring: this.data.colourings[this.colouring].title,
      hidden: [...this.plot.hidden],
      at: Date.now(),
    });
  }

  close() {
    this.listeners.abort();
    this.observer.disconnect();
  }

  buttons() {
    this.root.querySelector(".colourings").replaceChildren(make("span", "heading", "Colour by"), ...this.data.colourings.map((entry, place) => {
      const button = make("button", "", entry.title);
      button.type = "button";
      button.setAttribute("role", "radio");
      button.setAttribute("aria-checked", String(place === this.colouring));
      button.addEventListener("click", () => {
        const hid = this.plot.hidden.size > 0;
        this.colouring = place;
        this.plot.hidden.clear();
        if (hid && this.plot.outline) this.send();
        this.buttons();
        this.legend();
        this.paint();
      });
      return button;
    }));
  }

  legend() {
    const { names, colours } = this.data.colourings[this.colouring];
    const counts = new Array(names.length).fill(0);
    for (const code of this.plot.codes[this.colouring]) counts[code] += 1;
    this.root.querySelector(".legend").replaceChildren(...names.map((name, code) => {
      const button = make("button");
      button.type = "button";
      button.hidden = !counts[code];
      button.setAttribute("aria-pressed", String(!this.plot.hidden.has(code)));
      const dot = make("span", "dot");
      dot.style.background = colours[code];
      button.append(dot, make("span", "", name), make("span", "count", counts[code].toLocaleString("en")));
      button.addEventListener("click", () => {
        if (!this.plot.hidden.delete(code)) this.plot.hidden.add(code);
        button.setAttribute("aria-pressed", String(!this.plot.hidden.has(code)));
        if (this.plot.outline) this.send();
        this.paint();
      });
      return button;
    }));
  }

  paint() {
    if (this.waiting || !this.data) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      const accent = getComputedStyle(this.root).getPropertyValue("--st-primary-color") || "#8a6cc0";
      this.plot.draw(this.colouring, this.data.colourings[this.colouring]);
      this.plot.drawOutline(this.path ?? this.plot.outline, accent);
      if (this.pointed !== null && this.pointed !== undefined) {
        this.plot.drawRing(this.pointed, getComputedStyle(this.root).color);
      }
    });
  }

  act(does, mode) {
    if (mode) {
      this.mode = mode;
      this.canvas.classList.toggle("moving", mode === "move");
      for (const button of this.root.querySelectorAll("[data-mode]")) {
        button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
      }
    }
    if (does === "in") this.plot.zoom(1.6);
    if (does === "out") this.plot.zoom(1 / 1.6);
    if (does === "clear") {
      this.plot.reset();
      this.plot.outline = null;
      this.send();
    }
    this.paint();
  }

  press(event) {
    if (event.button) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.start = [event.offsetX, event.offsetY];
    this.path = this.mode === "move" ? null : [this.plot.toPlace(event.offsetX, event.offsetY)];
    this.point(null);
  }

  hover(event) {
    const { offsetX, offsetY } = event;
    if (!this.start) return this.look(offsetX, offsetY);
    if (this.mode === "move") {
      this.plot.move(offsetX - this.start[0], offsetY - this.start[1]);
      this.start = [offsetX, offsetY];
    } else if (this.mode === "box") {
      const [from, to] = [this.plot.toPlace(...this.start), this.plot.toPlace(offsetX, offsetY)];
      this.path = [from, [to[0], from[1]], to, [from[0], to[1]]];
    } else {
      this.path.push(this.plot.toPlace(offsetX, offsetY));
    }
    return this.paint();
  }

  release(event) {
    const far = this.start && Math.hypot(event.offsetX - this.start[0], event.offsetY - this.start[1]);
    const { path } = this;
    this.start = this.path = null;
    if (!path || path.length < 3 || (this.mode === "box" && far < 4)) return this.paint();
    const step = Math.ceil(path.length / MOST_CORNERS);
    this.plot.outline = path.filter((_, index) => index % step === 0);
    if (this.plot.outline.length < 3) this.plot.outline = path.slice(0, MOST_CORNERS);
    this.send();
    return this.paint();
  }

  cancel() {
    this.start = this.path = null;
    this.paint();
  }

  look(left, top) {
    const [nearest] = this.plot.near(left, top, this.colouring, REACH, 1);
    this.point(nearest ?? null);
    if (nearest === undefined) return;
    const wanted = this.plot.near(left, top, this.colouring, PREFETCH_REACH, PREFETCHED)
      .map((point) => this.plot.rows[point]).filter((row) => !this.pictures.has(row));
    clearTimeout(this.asking);
    if (!wanted.includes(this.plot.rows[nearest])) return;
    this.asking = setTimeout(() => {
      window.dispatchEvent(new CustomEvent("wbc-map-ask", { detail: wanted }));
    }, ASK_AFTER_MS);
  }

  receive(pictures) {
    for (const [row, source] of Object.entries(pictures ?? {})) this.pictures.set(Number(row), source);
    if (this.pointed !== null && this.pointed !== undefined) this.point(this.pointed);
  }

  point(point) {
    if (point === null) clearTimeout(this.asking);
    this.pointed = point;
    this.card.hidden = point === null;
    if (point !== null) {
      const row = this.plot.rows[point];
      const image = this.card.querySelector("img");
      const source = this.pictures.get(row);
      image.style.visibility = source ? "" : "hidden";
      if (source && image.src !== source) image.src = source;
      const words = this.data.colourings.map((entry, place) => entry.names[this.plot.codes[place][point]]);
      const others = this.plot.under(point, this.colouring) - 1;
      if (others) words.push(`${others.toLocaleString("en")} more at this point`);
      this.card.querySelector(".words").textContent = [`Row ${row.toLocaleString("en")}`, ...words].join(" · ");
      const [left, top] = this.plot.toScreen(this.plot.x[point], this.plot.y[point]);
      this.card.style.left = `${left > this.plot.width / 2 ? left - 14 - this.card.offsetWidth : left + 14}px`;
      this.card.style.top = `${Math.max(0, Math.min(this.plot.height - this.card.offsetHeight, top - this.card.offsetHeight / 2))}px`;
    }
    this.paint();
  }
}

export default function draw(component) {
  const root = component.parentElement.querySelector(".map");
  root.map ??= new ImageMap(root);
  root.map.update(component);
  return () => root.map?.close();
}
