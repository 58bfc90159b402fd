// One sentence when something cannot be done: {text}, which may be "".
const line = element.querySelector("p");
line.hidden = true;
cliptta.on("message", element, ({ text }) => { line.textContent = text; line.hidden = !text; });
cliptta.on("state", element, ({ state, local }) => { if (local && state === "waiting") line.hidden = true; });
