// A reload begins a session without a name: the tab gives it the last one, unless that was emptied since.
const NAME = "wbc-person";
const LOOK_AGAIN_MS = 100;
const LOOKS = 100;

// What runs over a page that is still being drawn can lose what that page told the browser's controls.
function onceDrawn(then, looks = LOOKS) {
  const running = document.querySelector("[data-test-script-state]")?.dataset.testScriptState === "running";
  if (running && looks) setTimeout(onceDrawn, LOOK_AGAIN_MS, then, looks - 1);
  else then();
}

export default function draw({ data, parentElement, setTriggerValue }) {
  const element = parentElement.querySelector("span");
  element.given = Boolean(data.person || data.given);
  try {
    const kept = sessionStorage.getItem(NAME);
    if (element.given) sessionStorage.setItem(NAME, data.person);
    else if (kept && !element.asked) onceDrawn(() => element.given || setTriggerValue("name", kept));
    element.asked = true;
  } catch {
    // Without storage the name is entered again.
  }
}
