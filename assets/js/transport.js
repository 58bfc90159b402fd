// Run, Pause, Step, Stop, Reset. A press answers at once; the server's state follows.
// props.controls: {model: whether its runs can be paused and stepped here}; props.others: the same for any other.
const button = Object.fromEntries([...element.querySelectorAll("button")].map((one) => [one.dataset.do, one]));
let state = "idle";

const show = () => {
  const busy = ["waiting", "loading", "running", "paused", "stopping"].includes(state);
  button.run.disabled = busy;
  button.pause.disabled = button.step.disabled = !["running", "paused"].includes(state);
  button.stop.disabled = !busy || state === "stopping";
  const word = state === "paused" ? "Resume" : "Pause";
  button.pause.querySelector("span").textContent = word;
  button.pause.setAttribute("aria-label", word);
  element.firstElementChild.dataset.state = state;
};
const press = (name, next) => button[name].addEventListener("click", () => {
  if (next) cliptta.emit("state", { state: next(), local: true });
  trigger(name);
});
press("run", () => "waiting");
press("pause", () => (state === "paused" ? "running" : "paused"));
press("step", () => "paused");
press("stop", () => "stopping");
press("reset", null);
cliptta.on("state", element, (news) => { state = news.state; show(); });
cliptta.on("settings", element, ({ model }) => {
  button.pause.hidden = button.step.hidden = !(props.controls[model] ?? props.others);
});
show();
