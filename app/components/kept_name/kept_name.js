// A reload begins a session without a name: the tab gives it the last one, unless that was emptied since.
const NAME = "wbc-person";

export default function draw({ data, parentElement, setTriggerValue }) {
  const element = parentElement.querySelector("span");
  try {
    const kept = sessionStorage.getItem(NAME);
    if (data.person || data.given) sessionStorage.setItem(NAME, data.person);
    else if (kept && !element.asked) setTriggerValue("name", kept);
    element.asked = true;
  } catch {
    // Without storage the name is entered again.
  }
}
