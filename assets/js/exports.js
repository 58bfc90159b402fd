// Files and a link. props.value: {id, name, kind, data} for a file (base64), {id, query} for a link.
const field = element.querySelector("input");
element.querySelectorAll("button").forEach((button) => button.addEventListener("click", () => trigger(button.dataset.do)));
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
watch("value", () => { if (props.value?.data) cliptta.save(props.value.name, props.value.kind, cliptta.decode(props.value.data)); else if (props.value && "query" in props.value) share(props.value); });
