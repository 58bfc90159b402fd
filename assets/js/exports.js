// Files and a link. props.value: {id, name, kind, data} for a file (base64), {id, query} for a link.
const field = element.querySelector("input");
element.querySelectorAll("button").forEach((button) => button.addEventListener("click", () => trigger(button.dataset.do)));
// The names of the events, for the server: 'csv' 'json' 'png' 'link'
const save = ({ name, kind, data }) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: kind }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
};
const share = async ({ query }) => {
  const address = new URL(location.href);
  const kept = [...address.searchParams].filter(([key]) => key.startsWith("__"));
  address.search = query;
  kept.forEach(([key, value]) => address.searchParams.set(key, value));
  history.replaceState(null, "", address);
  field.value = address.toString();
  field.hidden = false;
  field.select();
  const button = element.querySelector("[data-do=link]");
  try { await navigator.clipboard.writeText(field.value); button.textContent = "Link copied"; } catch { button.textContent = "Link below"; }
  setTimeout(() => { button.textContent = "Copy link"; }, 2500);
};
watch("value", () => { if (props.value?.data) save(props.value); else if (props.value && "query" in props.value) share(props.value); });
