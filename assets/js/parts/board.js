// What the server says, passed on part by part: each is told its news under its own name, once.
// props.value: {part: view, serials: {part: number}}, the numbers new for every telling. See handlers.News.
const drawn = {};
const pass = () => {
  const value = props.value || {};
  for (const [part, serial] of Object.entries(value.serials || {})) {
    if (drawn[part] === serial) continue;
    drawn[part] = serial;
    cliptta.emit(part, value[part]);
  }
};
watch("value", pass);
pass();
