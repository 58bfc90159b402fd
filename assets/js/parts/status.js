// What the run is doing, and the timeline: progress while it runs, a slider to look back once there is something.
// What it shows: see status.status.
const { h } = cliptta;
const root = element.firstElementChild, what = root.querySelector(".what"), figures = root.querySelector(".figures");
const range = root.querySelector("input"), replay = root.querySelector("button");
const WORDS = { idle: "Ready", waiting: "Starting", loading: "Getting ready", running: "Running", paused: "Paused",
  stopping: "Stopping", stopped: "Stopped", done: "Finished", failed: "Stopped", recorded: "A recorded run" };
const GOING = ["waiting", "loading", "running", "paused", "stopping"];
let timer = null, state = "idle", done = 0, shown = {};
let open = false;  // from a press of Run to its end: what a run sent before Stop may arrive after the end

const value = () => shown;
const busy = () => GOING.includes(state);

const line = () => {
  const v = value(), step = cliptta.looking;
  if (step !== null && step !== undefined && step < v.done - 1 && !busy()) return `${state === "recorded" ? "A recorded run · batch" : "Looking at batch"} ${step + 1} of ${v.batches}`;
  if (state === "loading" && v.doing) return v.doing[0].toUpperCase() + v.doing.slice(1);
  const parts = [WORDS[state] || "Ready"];
  if (["running", "paused"].includes(state) && v.batch) parts.push(`batch ${v.batch} of ${v.batches}`);
  if (["running", "paused"].includes(state) && v.method) parts.push(v.steps ? `${v.method}, step ${v.step} of ${v.steps}` : v.method);
  if (["done", "stopped", "failed", "recorded"].includes(state) && v.done) parts.push(v.done < v.batches ? `${v.done} of ${plural(v.batches)}` : plural(v.batches));
  return parts.join(" · ");
};
const plural = (count) => (count === 1 ? "1 batch" : `${count} batches`);
const left = (s) => (s >= 90 ? `${Math.round(s / 60)} min left` : `${Math.max(1, Math.round(s))} s left`);

const draw = () => {
  const v = value(), total = Math.max(1, v.batches || 1), step = cliptta.looking;
  what.textContent = line();
  const facts = [];
  if (v.rate) facts.push(`${v.rate >= 10 ? Math.round(v.rate) : v.rate.toFixed(1)} images/s`);
  if (v.left && ["running", "paused"].includes(state)) facts.push(left(v.left));
  if (v.device) facts.push(v.device.toUpperCase());
  figures.textContent = facts.join(" · ");
  root.dataset.state = state;
  range.max = total;
  range.disabled = !v.done;
  range.style.setProperty("--done", `${100 * (busy() ? v.share || 0 : (v.done || 0) / total)}%`);
  range.value = step === null || step === undefined ? Math.max(1, v.done || 1) : step + 1;
  range.setAttribute("aria-valuetext", `batch ${range.value} of ${total}`);
  replay.disabled = busy() || (v.done || 0) < 2;
};

const look = (step) => {
  const last = (value().done || 1) - 1;
  cliptta.looking = step === null || step >= last ? null : Math.max(0, step);
  cliptta.emit("step", cliptta.looking);
  draw();
};
const halt = () => { clearInterval(timer); timer = null; replay.classList.remove("on"); };
const play = () => {
  const count = value().done || 0;
  let step = 0;
  halt();
  replay.classList.add("on");
  look(0);
  timer = setInterval(() => { look(++step); if (step >= count - 1) halt(); }, Math.max(120, Math.min(420, 6000 / count)));
};
range.addEventListener("input", () => { halt(); look(Number(range.value) - 1); });
replay.addEventListener("click", () => (timer ? (halt(), look(null)) : play()));

cliptta.on("state", element, (news) => {
  state = news.state;
  done = news.done || 0;
  if (news.local && state === "waiting") { open = true; halt(); look(null); }
  draw();
});
cliptta.on("status", element, (news) => {
  if (GOING.includes(news.state) && !open) return;
  open = open && GOING.includes(news.state);
  shown = news;
  const now = { state: shown.state || "idle", done: shown.done || 0 };
  if (now.state === state && now.done === done) draw();   // a step further, which nobody else shows
  else cliptta.emit("state", now);
});
// The recorded run plays itself once, unless the visitor prefers stillness.
if (value().state === "recorded" && !matchMedia("(prefers-reduced-motion: reduce)").matches) setTimeout(() => state === "recorded" && play(), 900);
