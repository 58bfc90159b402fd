// The visitor's own pictures: files, folders or archives are picked or dropped, packed and sent, and what was read
// of them is shown. props.value from here: {files: [file]}; from the server: see albums.view and albums.reading_view.
// props.limits: {said, bytes, entries, archives: [ending]}; props.purpose: "pictures" or "unknowns".
const { h } = cliptta;
const find = (selector) => element.querySelector(selector);
const button = Object.fromEntries([...element.querySelectorAll("button")].map((one) => [one.dataset.do, one]));
const bar = find("progress"), said = find(".read"), drop = find(".drop"), pickers = { files: find("input.files"), folder: find("input.folder") };

// ---- a tar of what was picked: Gradio's own upload would lose the folders, which name the classes ----
const BLOCK = 512, utf8 = new TextEncoder();
const octal = (number, digits) => number.toString(8).padStart(digits, "0");
const header = (name, size, type) => {
  const block = new Uint8Array(BLOCK), put = (text, at) => block.set(utf8.encode(text), at);
  block.set(name.subarray(0, 100), 0);
  put("0000644\0" + "0000000\0" + "0000000\0" + octal(size, 11) + "\0" + octal(0, 11) + "\0" + " ".repeat(8) + type, 100);
  put("ustar\0" + "00", 257);
  put(octal(block.reduce((sum, byte) => sum + byte, 0), 6) + "\0", 148);  // the sum counts its own field as spaces
  return block;
};
const padding = (size) => new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
const longName = (name) => {  // a pax header: "27 path=some long name\n", whose number counts itself
  let length = name.length + 7, digits = 0;
  while (digits !== String(length).length) { digits = String(length).length; length = name.length + 7 + digits; }
  const record = new Uint8Array(length);
  record.set(utf8.encode(`${length} path=`));
  record.set(name, length - name.length - 1);
  record[length - 1] = 10;
  return [header(utf8.encode("pax"), length, "x"), record, padding(length)];
};
const tar = (entries) => {
  const parts = entries.flatMap(({ path, file }) => {
    const name = utf8.encode(path.slice(-1000)), plain = name.length === path.length && name.length <= 100;
    return [...(plain ? [] : longName(name)), header(name, file.size, "0"), file, padding(file.size)];
  });
  return new Blob([...parts, new Uint8Array(2 * BLOCK)]);
};

// ---- what was picked: [{path, file}] ----
const picked = (files) => [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
const within = async (entry, into) => {
  if (entry.isFile) into.push({ path: entry.fullPath.replace(/^\//, ""), file: await new Promise((take, refuse) => entry.file(take, refuse)) });
  if (!entry.isDirectory) return into;
  const reader = entry.createReader();
  for (let some; (some = await new Promise((take, refuse) => reader.readEntries(take, refuse))).length;)
    for (const one of some) { if (into.length > props.limits.entries) return into; await within(one, into); }
  return into;
};
const dropped = async (transfer) => {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);  // before any await
  const into = [];
  for (const entry of entries) await within(entry, into);
  return into;
};
const isArchive = ({ path }) => !path.includes("/") && props.limits.archives.some((ending) => path.toLowerCase().endsWith(ending));

// Equal files of two visitors would share an address on the server: a name by chance keeps them apart.
const apart = () => [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const named = (blob, name) => new File([blob], `${apart()}-${name}`, { type: "application/octet-stream" });

const megabytes = (bytes) => `${bytes < 1e7 ? (bytes / 1e6).toFixed(1) : Math.round(bytes / 1e6)} MB`;
const tell = (text, share = null) => {
  said.textContent = text;
  bar.hidden = share === null;
  if (share === undefined) bar.removeAttribute("value"); else if (share !== null) bar.value = share;
};
let busy = false;
const send = async (entries) => {
  if (busy || !entries.length) return;
  const bytes = entries.reduce((sum, { file }) => sum + file.size, 0), { limits } = props;
  if (bytes > limits.bytes) return tell(`All files together may have ${limits.bytes / 2 ** 20} MB, these have ${megabytes(bytes)}; choose fewer.`);
  if (entries.length > limits.entries) return tell(`At most ${limits.entries.toLocaleString("en")} files may come at once, these are more; choose fewer.`);
  busy = true;
  disable();
  tell(`Sending ${megabytes(bytes)}`, undefined);
  try {
    const loose = entries.filter((one) => !isArchive(one)), files = entries.filter(isArchive).map(({ path, file }) => named(file, path));
    if (loose.length) files.push(named(tar(loose), "pictures.tar"));
    const sent = [];
    for (const file of files) sent.push({ path: (await upload(file)).path, meta: { _type: "gradio.FileData" } });
    tell("Waiting to be read", undefined);
    props.value = { files: sent };
    trigger("read");
  } catch (problem) {
    draw();
    tell(`The files could not be sent (${problem.message || problem}); try again.`);
  }
  busy = false;
  disable();
};

// ---- what came of it ----
const disable = () => { for (const name of ["files", "folder", "clear"]) button[name].disabled = busy; };
const draw = () => {
  const v = props.value || {}, skipped = v.skipped || [], counts = v.counts || [], folders = v.folders || [];
  disable();
  tell(v.said || "", v.share ?? null);
  const sheet = find(".thumbnails");
  sheet.hidden = !v.thumbnails;
  if (v.thumbnails) { sheet.src = v.thumbnails; sheet.alt = `${v.shown} of the pictures`; }
  const empty = v.empty ? [h("li", { class: "none", text: `${v.empty} ${v.empty === 1 ? "class" : "classes"} without a picture` })] : [];
  find(".counts").replaceChildren(...counts.map(([name, count]) => h("li", {}, h("span", { text: name }), h("b", { text: count }))), ...empty);
  find(".counts").hidden = !counts.length;
  find(".skipped").hidden = !skipped.length;
  find(".skipped summary").textContent = `${skipped.length} skipped`;
  find(".skipped ul").replaceChildren(...skipped.map(([name, why]) => h("li", {}, h("b", { text: name }), ` ${why}`)));
  button.folders.hidden = folders.length < 2;
  button.folders.textContent = `Take the ${folders.length} folder names as classes`;
  button.clear.hidden = !v.kept;
};

for (const [name, input] of Object.entries(pickers)) {
  button[name].addEventListener("click", () => input.click());
  input.addEventListener("change", () => { const entries = picked(input.files); input.value = ""; send(entries); });
}
button.folder.hidden = !("webkitdirectory" in pickers.folder);
button.folders.addEventListener("click", () => cliptta.emit("choose", { class_names: props.value.folders.join("\n"), lesson: "" }));
button.clear.addEventListener("click", () => trigger("clear"));
drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", async (event) => { event.preventDefault(); drop.classList.remove("over"); send(await dropped(event.dataTransfer)); });
find(".limits").textContent = props.limits.said;

// The pictures are counted again when the class list changes, and this opens when they are asked for.
const asked = { pictures: "source", unknowns: "unknown_source" }[props.purpose];
let names = null, source = null, timer = null;
cliptta.on("settings", element, (settings) => {
  if (settings[asked] === "upload" && source !== "upload" && source !== null && !props.value?.kept) element.firstElementChild.open = true;
  source = settings[asked];
  if (names !== null && settings.class_names !== names && props.value?.kept && props.purpose === "pictures") {
    clearTimeout(timer);
    timer = setTimeout(() => trigger("recount"), 300);
  }
  names = settings.class_names;
});
watch("value", () => { busy = "share" in (props.value || {}); draw(); });
draw();
