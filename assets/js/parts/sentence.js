// The sentence about what just happened, at the step being looked at, and which stream it is about.
// What it says: see views.sentences.
const { h, at, lines } = cliptta;
const said = element.querySelector(".said"), aloud = element.querySelector("[aria-live]"), notes = element.querySelector("ul");
const stream = element.querySelector(".stream"), narrow = matchMedia("(max-width: 820px)");
const ALOUD_EVERY = 20;
let value = { steps: "", stream: "", notes: [] }, settings = "", shown = null, run = { state: "idle", done: 0 };   // shown: the settings the results came from

const caption = () => {
  const text = value.stream;
  if (!text) return "";
  if (["waiting", "loading", "running", "paused"].includes(run.state) && !run.done) return `Until the first batch is done, the run before: ${text}`;
  return shown !== null && shown !== settings ? `${text}. Press Run to see what is set up now.` : text;
};
const draw = () => {
  const steps = lines(value.steps), now = steps.length - 1;
  said.textContent = steps[at(steps.length)] || "Press Run to watch CLIP adapt itself to pictures it was not trained for.";
  stream.textContent = caption();
  if (now >= 0 && (now + 1) % ALOUD_EVERY === 0) aloud.textContent = steps[now];
  notes.replaceChildren(...value.notes.map((text) => h("li", { text })));
};
cliptta.on("step", element, draw);
cliptta.on("settings", element, (news) => {
  settings = JSON.stringify({ ...news, lesson: "" });
  shown ??= settings;   // the recorded run is the first lesson's
  draw();
});
cliptta.on("state", element, (news) => {
  run = { done: 0, ...news };
  if (news.local && news.state === "waiting") {
    shown = settings;
    if (narrow.matches) element.scrollIntoView({ behavior: "smooth" });   // results stand below the settings there
  }
  if (["done", "stopped"].includes(news.state)) aloud.textContent = said.textContent;
  draw();
});
cliptta.on("sentence", element, (news) => { value = news; draw(); });
draw();
