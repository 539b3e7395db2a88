// The grid itself: tiles, focus, selection, marks. Text from files reaches the page through textContent only.
const HINT_GAP = 10;
const TOP_BAR = 64;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function rowsOf(item) {
  return [item.row, ...(item.more ?? [])];
}

function rowWords(item) {
  if (item.name) return item.name;
  return item.more?.length ? `Row ${item.row} and ${item.more.length.toLocaleString("en")} more` : `Row ${item.row}`;
}

function markWords(mark) {
  if (!mark) return "undecided";
  return mark.startsWith("relabel:") ? `relabelled to ${mark.slice(8)}` : { keep: "kept", drop: "dropped" }[mark];
}

class Grid {
  constructor(root, changed) {
    this.element = root.querySelector(".grid");
    this.bar = root.querySelector(".bar");
    this.changed = changed;
    this.items = [];
    this.tiles = [];
    this.selected = new Set();
    this.focus = 0;
    this.anchor = 0;
    this.local = new Map();
    this.hint = make("div", "hint");
    this.hint.append(make("div", "words"));
    this.observer = new ResizeObserver(() => this.measure());
    this.observer.observe(this.element);
    this.element.addEventListener("click", (event) => this.click(event));
    this.element.addEventListener("focusin", (event) => {
      const index = this.tiles.indexOf(event.target);
      if (index >= 0 && index !== this.focus) this.moveFocus(index, false);
    });
  }

  // Draw again only what is new: the same rows keep their tiles, and with them focus and scroll.
  update(items, colours, { turned = 0, same = false } = {}) {
    this.colours = colours;
    const signature = JSON.stringify(items.map((item) => [item.row, item.group, item.more?.length]));
    const before = { items: this.items, focus: this.focus, selected: this.selected };
    const anew = signature !== this.signature;
    const hadFocus = this.tiles.includes(this.element.getRootNode().activeElement);
    this.items = items;
    if (anew) {
      this.signature = signature;
      this.build();
      if (same) this.find(before);
      if (turned < 0) this.focus = this.anchor = items.length - 1;
    }
    items.forEach((item, index) => this.paint(index));
    // Only what was painted can take the focus.
    if (anew && hadFocus) this.tiles[this.focus]?.focus({ preventScroll: true });
    if (anew && turned) this.tiles[this.focus]?.scrollIntoView({ block: "nearest" });
    this.changed();
  }

  // Where images left the list, the next key is for the one that was in focus, or for the next that is still there
  // and in question; one that is not is in focus only where the person went there.
  find({ items, focus, selected }) {
    const places = new Map(this.items.map((item, index) => [item.row, index]));
    const placeOf = (item) => places.get(item.row);
    const meant = (item) => places.has(item.row) && (!this.items[placeOf(item)].aside || (item === items[focus] && item.aside));
    const near = [...items.slice(focus), ...items.slice(0, focus).reverse()].find(meant);
    this.focus = this.anchor = near ? placeOf(near) : 0;
    this.selected = new Set([...selected].map((index) => placeOf(items[index])).filter((index) => index !== undefined));
  }

  inQuestion() {
    return [...this.items.keys()].filter((index) => !this.items[index].aside);
  }

  nextInQuestion() {
    return this.inQuestion().find((index) => index > this.focus) ?? this.focus;
  }

  build() {
    this.selected = new Set();
    this.focus = this.anchor = 0;
    this.tiles = [];
    const children = [];
    let frame = null;
    for (const item of this.items) {
      const tile = this.tile(item);
      this.tiles.push(tile);
      if (item.group === null || item.group === undefined) {
        frame = null;
        children.push(tile);
      } else {
        if (frame?.dataset.group !== String(item.group)) {
          frame = make("div", "frame");
          frame.setAttribute("role", "group");
          frame.setAttribute("aria-label", "Copies of one picture");
          frame.dataset.group = item.group;
          children.push(frame);
        }
        frame.append(tile);
      }
    }
    this.element.replaceChildren(...children);
    this.measure();
  }

  tile(item) {
    const tile = make("div", "tile");
    tile.setAttribute("role", "option");
    const picture = make("div", "picture");
    const image = make("img");
    image.src = item.src;
    image.alt = "";
    image.draggable = false;
    image.decoding = "async";
    picture.append(image, make("span", "badge"), make("i", "mark"), make("span", "count"), make("i", "tick", "check"));
    const label = make("div", "label");
    label.append(make("span", "dot"), make("span", "name"));
    tile.append(picture, label, make("div", "note"));
    return tile;
  }

  markOf(item) {
    return this.local.has(item.row) ? this.local.get(item.row).mark : (item.mark ?? null);
  }

  paint(index) {
    const item = this.items[index];
    const tile = this.tiles[index];
    const mark = this.markOf(item);
    const relabelled = mark?.startsWith("relabel:") ? mark.slice(8) : null;
    const name = relabelled ?? item.label;
    const chosen = this.selected.has(index);
    const stacked = item.more?.length ?? 0;
    const colour = this.colours?.[name] ?? "";
    const focused = index === this.focus;
    if (focused) this.hang(tile, item);
    // A hundred tiles written at each draw would be laid out anew, though nothing about them changed.
    const said = [item.row, item.name, item.label, item.badge, item.title, item.note, stacked];
    const shown = JSON.stringify([...said, mark, chosen, focused, colour]);
    if (shown === tile.shown) return;
    tile.shown = shown;
    tile.dataset.row = item.row;
    tile.dataset.mark = relabelled ? "relabel" : (mark ?? "");
    tile.tabIndex = focused ? 0 : -1;
    tile.classList.toggle("focus", focused);
    tile.setAttribute("aria-selected", String(chosen));
    tile.setAttribute("aria-label", [rowWords(item), name, item.badge && `suggested: ${item.badge}`, markWords(mark)]
      .filter(Boolean).join(", "));
    tile.title = item.title ?? "";
    const badge = tile.querySelector(".badge");
    badge.textContent = mark ? "" : (item.badge ?? "");
    badge.hidden = !badge.textContent;
    badge.classList.toggle("calm", item.badge === "keep");
    tile.querySelector(".mark").textContent = { keep: "check", drop: "delete", relabel: "sell" }[tile.dataset.mark] ?? "";
    tile.querySelector(".note").textContent = item.note ?? "";
    tile.classList.toggle("stack", stacked > 0);
    tile.querySelector(".count").textContent = stacked ? `× ${(stacked + 1).toLocaleString("en")}` : "";
    tile.querySelector(".name").textContent = name;
    tile.querySelector(".dot").style.background = colour;
  }

  // The evidence hangs under the picture in focus, over what is below it, so that nothing moves.
  hang(tile, item) {
    this.hint.firstChild.textContent = item.title ?? "";
    this.hint.hidden = !item.title;
    if (this.hint.parentElement !== tile) tile.append(this.hint);
    // Once the page has scrolled to the picture.
    cancelAnimationFrame(this.hanging);
    this.hanging = requestAnimationFrame(() => this.place(tile));
  }

  // To the side with more room; above the picture where the bar would cover the end of a long one.
  place(tile) {
    const [at, grid] = [tile, this.element].map((element) => element.getBoundingClientRect());
    this.hint.classList.toggle("left", at.left > grid.left + grid.width / 2);
    const below = this.bar.getBoundingClientRect().top - at.bottom;
    const [least, above] = [this.hint.offsetHeight + HINT_GAP, at.top - TOP_BAR];
    // A picture that is still below the screen has nothing to say over what is above it.
    this.hint.classList.toggle("above", below > 0 && below < least && above > least);
  }

  measure() {
    const columns = getComputedStyle(this.element).gridTemplateColumns.split(" ").length;
    if (this.element.clientWidth === 0) return;
    for (const frame of this.element.querySelectorAll(".frame")) {
      frame.style.gridColumn = `span ${Math.min(frame.children.length, columns)}`;
    }
  }

  // Marks that the person just made win over what the server drew, until it has confirmed them.
  setMarks(entries, seq) {
    const touched = new Map(entries);
    for (const [row, mark] of touched) this.local.set(row, { mark, seq });
    this.items.forEach((item, index) => touched.has(item.row) && this.paint(index));
    this.changed();
  }

  confirm(seq) {
    for (const [row, entry] of this.local) if (entry.seq <= seq) this.local.delete(row);
  }

  targets() {
    const indices = this.selected.size ? [...this.selected] : this.items.length ? [this.focus] : [];
    return indices.sort((a, b) => a - b);
  }

  moveFocus(index, take = true) {
    const previous = this.focus;
    this.focus = Math.max(0, Math.min(this.items.length - 1, index));
    for (const place of [previous, this.focus]) if (this.tiles[place]) this.paint(place);
    if (take && this.tiles[this.focus]) {
      this.tiles[this.focus].focus({ preventScroll: true });
      this.tiles[this.focus].scrollIntoView({ block: "nearest" });
    }
    this.changed();
  }

  select(indices, { add = false } = {}) {
    if (!add) this.selected.clear();
    for (const index of indices) this.selected.add(index);
    this.items.forEach((_, index) => this.paint(index));
    this.changed();
  }

  toggle(index) {
    if (!this.selected.delete(index)) this.selected.add(index);
    this.paint(index);
    this.changed();
  }

  range(to) {
    const [first, last] = [Math.min(this.anchor, to), Math.max(this.anchor, to)];
    return Array.from({ length: last - first + 1 }, (_, step) => first + step);
  }

  click(event) {
    const index = this.tiles.indexOf(event.target.closest(".tile"));
    if (index < 0) return;
    if (event.shiftKey) {
      this.select(this.range(index));
    } else if (event.ctrlKey || event.metaKey || event.pointerType === "touch") {
      this.toggle(index);
      this.anchor = index;
    } else {
      const alone = this.selected.size === 1 && this.selected.has(index);
      this.select(alone ? [] : [index]);
      this.anchor = index;
    }
    this.moveFocus(index);
  }

  // The nearest tile one line up or down, by where the tiles really are: groups make lines uneven.
  vertical(direction) {
    const here = this.tiles[this.focus].getBoundingClientRect();
    let best = this.focus;
    let bestCost = Infinity;
    this.tiles.forEach((tile, index) => {
      const there = tile.getBoundingClientRect();
      const lines = direction * (there.top - here.top);
      if (lines < here.height / 2) return;
      const cost = lines * 1000 + Math.abs(there.left - here.left);
      if (cost < bestCost) [best, bestCost] = [index, cost];
    });
    return best;
  }
}
