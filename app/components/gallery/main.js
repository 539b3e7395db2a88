// Keys, buttons and dialogs, and the one function that Streamlit calls at every draw.
// Classes that are called 0 to 7 are chosen by their own digit, all others by their place.
function choiceKeys(names) {
  const own = names.map((name) => name.toLowerCase());
  return own.every((name) => name.length === 1) && new Set(own).size === own.length
    ? own
    : [..."123456789abcdefghijklmnopqrstuvwxyz"];
}

const TURN_WITHIN_MS = 5000;

class Gallery {
  constructor(root, store) {
    this.root = root;
    this.history = [];
    this.outbox = new Outbox(store, (value) => this.setStateValue("outbox", value), () => this.drawSaved());
    this.grid = new Grid(root, () => this.drawAbout());
    this.dialogs = Object.fromEntries(["zoom", "chooser", "help"].map((name) => [name, root.querySelector(`dialog.${name}`)]));
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    root.addEventListener("keydown", (event) => this.key(event));
    for (const tools of root.querySelectorAll(".tools")) {
      tools.addEventListener("click", (event) => {
        const wanted = event.target.closest("[data-do]")?.dataset.do;
        // Enlarged, one image follows the other; in the grid the eye stays where the pointer was.
        // What is tapped while the next page comes is, like a key, not meant for this one.
        if (wanted && !this.turning) this.act(wanted, { advance: this.dialogs.zoom.open });
      });
    }
    this.grid.element.addEventListener("dblclick", () => this.act("zoom"));
    // On a narrow screen the bar has two lines for the evidence; a tap shows all of it.
    root.querySelector(".about").addEventListener("click", () => root.classList.toggle("whole"));
    for (const dialog of Object.values(this.dialogs)) {
      dialog.addEventListener("click", (event) => {
        if (event.target === dialog || event.target.closest(".close")) dialog.close();
      });
      dialog.addEventListener("close", () => this.grid.moveFocus(this.grid.focus));
    }
    this.dialogs.chooser.querySelector(".choices").addEventListener("click", (event) => {
      const choice = event.target.closest("button");
      if (choice) this.relabel(Number(choice.dataset.label));
    });
    document.addEventListener("keydown", (event) => this.pageKey(event), { signal, capture: true });
    document.addEventListener("visibilitychange", () => document.hidden && this.outbox.flush(), { signal });
    document.addEventListener("pointerdown", (event) => {
      // A click elsewhere may leave the page.
      if (!event.composedPath().includes(root)) this.outbox.flush();
    }, { signal, capture: true });
    window.addEventListener("pagehide", () => this.outbox.flush(), { signal });
    window.addEventListener("beforeunload", (event) => {
      if (this.outbox.presses.length && this.outbox.sends > 1) event.preventDefault();
    }, { signal });
  }

  update({ data, setStateValue, setTriggerValue }) {
    const before = this.data;
    this.setStateValue = setStateValue;
    this.setTriggerValue = setTriggerValue;
    this.data = data;
    this.root.classList.toggle("suggests", data.actions && data.items.some((item) => item.suggested?.length));
    this.root.classList.toggle("actions", data.actions);
    // A mere picture strip has nothing to say about one picture.
    this.root.classList.toggle("strip", !data.actions && data.items.every((item) => !item.title));
    this.grid.element.style.maxHeight = data.height ? `${data.height}px` : "";
    this.grid.element.style.setProperty("--tile", `${data.tile}px`);
    this.grid.confirm(this.outbox.acknowledge(data.written));
    const turned = this.turning && before && data.page !== before.page ? this.turning : 0;
    this.grid.update(data.items, data.colours, { turned, same: before?.context === data.context });
    if (turned || before?.context !== data.context) this.wait(0);
    if (data.take_keys) this.leaveField();
  }

  // Who has entered a name goes on by keys, which would else be written behind the name.
  leaveField() {
    const field = document.activeElement;
    if (field?.matches("input[type=text]:not([role=combobox])")) this.grid.tiles[this.grid.focus]?.focus({ preventScroll: true });
  }

  close() {
    this.outbox.flush();
    this.listeners.abort();
    this.grid.observer.disconnect();
  }

  drawSaved() {
    const waiting = this.outbox.presses.length;
    this.root.querySelector(".saved").textContent = waiting ? "Saving…" : this.outbox.sends ? "Saved" : "";
  }

  drawAbout() {
    const { items, selected, focus } = this.grid;
    const item = items[focus];
    const many = selected.size > 1;
    for (const part of [this.root.querySelector(".bar"), this.dialogs.zoom]) {
      const words = item ? [rowWords(item), item.label] : [];
      if (item && this.data.actions) words.push(markWords(this.grid.markOf(item)));
      const what = words.join(" · ");
      part.querySelector(".what").textContent =
        many && part !== this.dialogs.zoom ? `${selected.size} images selected` : what;
      part.querySelector(".evidence").textContent = item?.title ?? "";
    }
    this.drawPair(item);
    for (const button of this.root.querySelectorAll(".tools [data-do]")) {
      button.disabled = !items.length && button.dataset.do !== "undo" && button.dataset.do !== "help";
    }
    for (const button of this.root.querySelectorAll("[data-do=accept]")) button.disabled = !this.open().length;
  }

  // A copy enlarged stands beside the one that the group would keep; the first beside the second.
  drawPair(item) {
    const { items, focus } = this.grid;
    const together = items.filter((other) => item?.group && other.group === item.group);
    const other = together.length > 1 ? together[items[focus] === together[0] ? 1 : 0] : null;
    const show = (image, source) => image.src !== source && (image.src = source);
    const pair = this.dialogs.zoom.querySelector(".pair");
    pair.classList.toggle("two", Boolean(other));
    if (item) show(pair.querySelector(".chosen"), item.src);
    if (!other) return;
    show(pair.querySelector(".other img"), other.src);
    const words = [rowWords(other), other.label, other.note].filter(Boolean).join(" · ");
    pair.querySelector("figcaption").textContent = `Beside it: ${words}`;
  }

  act(wanted, { advance = true } = {}) {
    if (wanted === "help") return this.dialogs.help.showModal();
    if (wanted === "zoom") return this.grid.items.length && !this.dialogs.zoom.open && this.dialogs.zoom.showModal();
    if (wanted === "previous" || wanted === "next") return this.step(wanted === "next" ? 1 : -1);
    if (!this.data.actions) return undefined;
    if (wanted === "undo") return this.undo(advance);
    if (wanted === "relabel") return this.choose();
    if (wanted === "accept") return this.accept(advance);
    return this.decide(wanted, null, advance);
  }

  // Enlarged, to the image before or after, on the page before or after too.
  step(by) {
    const to = this.grid.focus + by;
    if (to < 0 || to >= this.grid.items.length) this.turn(by);
    else this.grid.moveFocus(to, false);
  }

  // What one looks at enlarged is what one decides on.
  targets() {
    return this.dialogs.zoom.open ? [this.grid.focus] : this.grid.targets();
  }

  decide(action, label, advance) {
    const rows = this.targets().flatMap((index) => rowsOf(this.grid.items[index]));
    this.write({ action, label }, rows.map((row) => [row, action, label]), advance);
  }

  // What is suggested for the images meant; what is decided already has no suggestion any more.
  open() {
    return this.targets().map((index) => this.grid.items[index])
      .filter((item) => !this.grid.markOf(item)).flatMap((item) => item.suggested ?? []);
  }

  accept(advance) {
    const verdicts = this.open();
    if (verdicts.length) this.write({ action: "accept", label: null, verdicts }, verdicts, advance);
  }

  write(press, verdicts, advance) {
    if (!verdicts.length) return;
    const hadSelection = !this.dialogs.zoom.open && this.grid.selected.size > 0;
    const marks = verdicts.map(([row, action, label]) => (
      [row, action === "relabel" ? `relabel:${this.data.class_names[label]}` : action]));
    const rows = new Set(marks.map(([row]) => row));
    const before = this.grid.items.flatMap((item) => (
      rowsOf(item).filter((row) => rows.has(row)).map((row) => [row, this.grid.markOf(item)])));
    const seq = this.outbox.add({ context: this.data.context, ...press, rows: [...rows] });
    this.history.push(before);
    this.grid.setMarks(marks, seq);
    if (hadSelection) this.grid.select([]);
    if (advance && !hadSelection) this.grid.moveFocus(this.grid.nextInQuestion(), !this.dialogs.zoom.open);
    this.grid.anchor = this.grid.focus;
  }

  // By key the focus goes back too: the next press is for the image that is undecided again.
  undo(back) {
    const seq = this.outbox.add({ context: this.data.context, action: "undo", label: null, rows: [] });
    const before = this.history.pop();
    if (!before) return;
    this.grid.setMarks(before, seq);
    const undone = new Set(before.map(([row]) => row));
    const index = this.grid.items.findIndex((item) => undone.has(item.row));
    if (back && index >= 0) this.grid.moveFocus(index, !this.dialogs.zoom.open);
    this.grid.anchor = this.grid.focus;
  }

  choose() {
    const likely = new Set(this.targets().map((index) => this.grid.items[index].likely ?? null));
    if (!likely.size) return;
    const keys = choiceKeys(this.data.class_names);
    const [first] = likely.size === 1 ? likely : [];
    // It moves to the front, and so gets the focus; every class keeps its key.
    const labels = [...this.data.class_names.keys()].sort((a, b) => (b === first) - (a === first));
    const choices = labels.map((label) => {
      const name = this.data.class_names[label];
      const button = make("button");
      button.type = "button";
      button.dataset.label = label;
      const dot = make("span", "dot");
      dot.style.background = this.data.colours?.[name] ?? "transparent";
      button.append(make("kbd", "", keys[label] ?? ""), dot, make("span", "", name));
      return button;
    });
    this.dialogs.chooser.querySelector(".choices").replaceChildren(...choices);
    this.dialogs.chooser.showModal();
  }

  relabel(label) {
    if (!(label >= 0 && label < this.data.class_names.length)) return;
    this.dialogs.chooser.close();
    this.decide("relabel", label, true);
  }

  // With nothing in focus the keys still belong to the grid that takes decisions; from a button or a tab of the
  // page only the letters do.
  pageKey(event) {
    const [target] = event.composedPath();
    if (!this.data?.actions || event.composedPath().includes(this.root)) return;
    if (document.querySelector("[role=dialog]")) return;
    if (event.key === "Enter") this.leaveField();
    const nowhere = target === document.body || target === document.documentElement;
    const written = target.closest?.("input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]");
    const letter = "kdruaz?".includes(event.key) && !event.ctrlKey && !event.metaKey;
    if (nowhere || (!written && letter)) this.key(event);
  }

  key(event) {
    if (event.altKey || ((event.ctrlKey || event.metaKey) && event.key !== "a")) return;
    if (this.dialogs.chooser.open) {
      const label = choiceKeys(this.data.class_names).indexOf(event.key.toLowerCase());
      if (event.key.length === 1 && label >= 0) this.relabel(label);
      if (event.key !== "Tab" && event.key !== "Escape" && event.key !== "Enter" && event.key !== " ") event.preventDefault();
      event.stopPropagation();
      return;
    }
    const inTools = event.target.closest?.(".tools, dialog .close") && (event.key === " " || event.key === "Enter");
    if (inTools || this.dialogs.help.open || !this.grid.items.length) return;
    // What is pressed while the next page comes is not meant for this one.
    if (this.turning) return event.preventDefault();
    const run = this.command(event);
    if (!run) return;
    run();
    event.preventDefault();
    event.stopPropagation();
  }

  turn(by) {
    const to = this.data.page + by;
    if (to < 1 || to > this.data.pages) return;
    this.outbox.flush();
    this.wait(by);
    this.setTriggerValue("turn", by);
  }

  // For as long as a server that answers may take.
  wait(by) {
    this.turning = by;
    this.grid.element.classList.toggle("turning", Boolean(by));
    clearTimeout(this.waiting);
    if (by) this.waiting = setTimeout(() => this.wait(0), TURN_WITHIN_MS);
  }

  command(event) {
    const { grid } = this;
    const move = (index) => () => {
      const to = Math.max(0, Math.min(grid.items.length - 1, index));
      if (event.shiftKey) grid.select(grid.range(to));
      else grid.anchor = to;
      grid.moveFocus(to, !this.dialogs.zoom.open);
    };
    const step = (to, by) => () => {
      const index = to();
      const stays = index === grid.focus || index < 0 || index >= grid.items.length;
      if (stays && !event.shiftKey) this.turn(by);
      else move(index)();
    };
    const commands = {
      ArrowLeft: step(() => grid.focus - 1, -1),
      ArrowRight: step(() => grid.focus + 1, 1),
      ArrowUp: step(() => grid.vertical(-1), -1),
      ArrowDown: step(() => grid.vertical(1), 1),
      Home: move(0),
      End: move(grid.items.length - 1),
      " ": () => ((grid.anchor = grid.focus), grid.toggle(grid.focus)),
      Enter: () => this.act("zoom"),
      z: () => (this.dialogs.zoom.open ? this.dialogs.zoom.close() : this.act("zoom")),
      "?": () => this.act("help"),
    };
    if (event.key === "Escape") return grid.selected.size && !this.dialogs.zoom.open ? () => grid.select([]) : null;
    if (event.ctrlKey || event.metaKey) return () => grid.select(grid.inQuestion());
    if (commands[event.key]) return commands[event.key];
    const action = { k: "keep", d: "drop", r: "relabel", a: "accept", u: "undo" }[event.key.toLowerCase()];
    return action && this.data.actions ? () => this.act(action) : null;
  }
}

export default function draw(component) {
  const root = component.parentElement.querySelector(".gallery");
  root.gallery ??= new Gallery(root, component.data.store);
  root.gallery.update(component);
  return () => root.gallery?.close();
}
