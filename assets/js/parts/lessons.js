// The scenario menu: each lesson sets every control. props.lessons: name, title, look_for, settings, picture.
const { h } = cliptta;
const list = element.querySelector(".cards"), says = element.querySelector(".look-for");

props.lessons.forEach((lesson) => {
  const input = h("input", { type: "radio", name: "lesson", value: lesson.name });
  input.addEventListener("change", () => cliptta.emit("choose", lesson.settings));
  const picture = lesson.picture ? h("img", { src: lesson.picture, alt: "", width: 44, height: 44 }) : h("i", { class: "blank" });
  list.append(h("label", { class: "card" }, input, picture, h("span", { text: lesson.title })));
});
cliptta.on("settings", element, (settings) => {
  const lesson = props.lessons.find((one) => one.name === settings.lesson);
  list.querySelectorAll("input").forEach((input) => { input.checked = Boolean(lesson) && input.value === lesson.name; });
  says.textContent = lesson ? lesson.look_for : "Your own settings.";
});
