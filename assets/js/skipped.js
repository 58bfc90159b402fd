// What was read of an upload. props.value: {said, skipped: [[name, reason]]}.
const { h } = cliptta;
const draw = () => {
  const value = props.value || { said: "", skipped: [] };
  element.querySelector(".count").textContent = value.said;
  element.querySelector("ul").replaceChildren(...value.skipped.map(([name, why]) => h("li", {}, h("b", { text: name }), ` ${why}`)));
};
watch("value", draw);
draw();
