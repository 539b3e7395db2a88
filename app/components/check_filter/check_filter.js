// Text reaches the page through textContent only. The buttons are one radio group: one tab stop, arrows move.
function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

// What is left to review; a check's button keeps its width from the first image to the last, so nothing jumps.
function count(entry) {
  const number = (value) => value.toLocaleString("en");
  if (!entry.flagged) return make("span", "count");
  const done = !entry.left && !entry.statements;
  const element = make("span", "count", done ? undefined : number(entry.statements ? entry.flagged : entry.left));
  element.style.minWidth = `max(1.1em, ${number(entry.flagged).length}ch)`;
  if (done) element.append(make("i", "", "check"));
  return element;
}

function spoken(entry) {
  if (!entry.flagged) return `${entry.title}: nothing found`;
  if (entry.statements) return `${entry.title}: ${entry.flagged} to know`;
  return `${entry.title}: ${entry.flagged.toLocaleString("en")} flagged, ${entry.left.toLocaleString("en")} left to review`;
}

function button(entry, chosen) {
  const element = make("button", entry.flagged ? "" : "nothing");
  element.type = "button";
  element.dataset.check = entry.name;
  element.setAttribute("role", "radio");
  element.setAttribute("aria-checked", String(entry.name === chosen));
  element.setAttribute("aria-label", spoken(entry));
  element.title = spoken(entry);
  element.tabIndex = entry.name === chosen ? 0 : -1;
  element.append(make("span", "title", entry.title), count(entry));
  return element;
}

function choose(filter, name) {
  for (const element of filter.querySelectorAll("button")) {
    element.setAttribute("aria-checked", String(element.dataset.check === name));
    element.tabIndex = element.dataset.check === name ? 0 : -1;
  }
  filter.send(name);
}

function key(filter, event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const buttons = [...filter.querySelectorAll("button")];
  const here = buttons.indexOf(event.target);
  if (!step || here < 0) return;
  const next = buttons[(here + step + buttons.length) % buttons.length];
  next.focus();
  choose(filter, next.dataset.check);
  event.preventDefault();
  event.stopPropagation();
}

// What a narrow screen still shows to the left of a check: the one before it, or the heading.
function before(element) {
  return element.previousElementSibling ?? element.closest(".family");
}

export default function draw({ data, parentElement, setTriggerValue }) {
  const filter = parentElement.querySelector(".filter");
  filter.send = (name) => setTriggerValue("chosen", name);
  if (!filter.ready) {
    filter.ready = true;
    filter.addEventListener("click", (event) => {
      const chosen = event.target.closest("button");
      if (!chosen) return;
      choose(filter, chosen.dataset.check);
      // Who chose by hand goes on with the pictures: the arrows are for them then, not for the next check.
      if (event.detail) chosen.blur();
    });
    filter.addEventListener("keydown", (event) => key(filter, event));
  }
  const signature = JSON.stringify(data);
  if (signature === filter.signature) return;
  const focused = filter.getRootNode().activeElement?.dataset?.check;
  const chosenBefore = filter.chosen;
  filter.signature = signature;
  filter.chosen = data.chosen;
  filter.replaceChildren(...data.families.map((family) => {
    const group = make("div", "family");
    group.setAttribute("role", "radiogroup");
    group.setAttribute("aria-label", family.title);
    const row = make("div", "row");
    row.append(...family.checks.map((entry) => button(entry, data.chosen)));
    group.append(make("span", "heading", family.title), row);
    return group;
  }));
  if (focused) filter.querySelector(`[data-check="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  if (chosenBefore !== data.chosen) {
    const element = filter.querySelector("[aria-checked=true]");
    if (element && filter.scrollWidth > filter.clientWidth) filter.scrollLeft = before(element).offsetLeft - 40;
  }
}
