// Between the map, which must not be sent again for every thumbnail, and the server: events of the window.
export default function draw({ data, setStateValue }) {
  const ask = (event) => setStateValue("rows", event.detail);
  window.addEventListener("wbc-map-ask", ask);
  window.dispatchEvent(new CustomEvent("wbc-map-pictures", { detail: data.pictures }));
  return () => window.removeEventListener("wbc-map-ask", ask);
}
