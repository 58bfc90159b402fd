// One sentence when something cannot be done. props.value: the sentence, or "".
const line = element.querySelector("p");
const draw = () => { line.textContent = props.value?.text || ""; line.hidden = !line.textContent; };
watch("value", draw);
cliptta.on("state", element, ({ state, local }) => { if (local && state === "waiting") line.hidden = true; });
draw();
