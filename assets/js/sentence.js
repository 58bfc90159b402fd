// The sentence about what just happened, at the step being looked at. props.value: see views.sentences.
const { h, at } = cliptta;
const said = element.querySelector(".said"), aloud = element.querySelector("[aria-live]"), notes = element.querySelector("ul");
const ALOUD_EVERY = 20;

const draw = () => {
  const value = props.value || { steps: [], notes: [] }, now = value.steps.length - 1;
  said.textContent = value.steps[at(value.steps.length)] || "Press Run to watch CLIP adapt itself to pictures it was not trained for.";
  if (now >= 0 && (now + 1) % ALOUD_EVERY === 0) aloud.textContent = value.steps[now];
  notes.replaceChildren(...value.notes.map((text) => h("li", { text })));
};
cliptta.on("step", element, draw);
cliptta.on("state", element, ({ state }) => {
  if (["done", "stopped"].includes(state)) aloud.textContent = said.textContent;
});
watch("value", draw);
draw();
