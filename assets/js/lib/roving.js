// @ts-check
// Many buttons that are one stop of the Tab key: arrow keys go from one to the next.

/**
 * The buttons of one line above or below: the nearest one that stands there.
 * @param {HTMLElement[]} all
 * @param {HTMLElement} from
 * @param {number} way 1 downwards, -1 upwards
 */
const across = (all, from, way) => {
  const here = from.getBoundingClientRect();
  const places = all.map((button) => ({ button, box: button.getBoundingClientRect() }));
  const beyond = places.filter(({ box }) => way * (box.top - here.top) > here.height / 2);
  const line = way * Math.min(...beyond.map(({ box }) => way * box.top));
  const inLine = beyond.filter(({ box }) => Math.abs(box.top - line) < here.height / 2);
  inLine.sort((a, b) => Math.abs(a.box.left - here.left) - Math.abs(b.box.left - here.left));
  return inLine[0]?.button;
};

/**
 * Let arrow keys, Home and End go through the buttons that fit a selector, now and later.
 * @param {HTMLElement} host
 * @param {string} selector
 * @param {(button: HTMLElement) => void} press
 */
export const roving = (host, selector, press) => {
  const buttons = () => /** @type {HTMLElement[]} */ ([...host.querySelectorAll(selector)]);
  /** @param {Event} event */
  const of = (event) => buttons().find((one) => one.contains(/** @type {Node} */ (event.target)));
  host.addEventListener("click", (event) => {
    const button = of(event);
    if (button) press(button);
  });
  host.addEventListener("keydown", (event) => {
    const button = of(event);
    if (!button) return;
    const all = buttons();
    /** @type {Record<string, () => HTMLElement | undefined>} */
    const moves = {
      ArrowRight: () => all[all.indexOf(button) + 1],
      ArrowLeft: () => all[all.indexOf(button) - 1],
      ArrowDown: () => across(all, button, 1),
      ArrowUp: () => across(all, button, -1),
      Home: () => all[0],
      End: () => all[all.length - 1],
    };
    const next = moves[event.key]?.();
    if (!next) return;
    event.preventDefault();
    for (const one of all) one.tabIndex = one === next ? 0 : -1;
    next.focus();
  });
};

/**
 * After the buttons have been made anew: the one that had the focus has it again, and one is a stop of Tab.
 * @param {HTMLElement} host
 * @param {string} selector
 * @param {string} focused selector of the one that had the focus; "" for none
 */
export const enter = (host, selector, focused) => {
  const all = /** @type {HTMLElement[]} */ ([...host.querySelectorAll(selector)]);
  const again = focused ? /** @type {HTMLElement | null} */ (host.querySelector(focused)) : null;
  for (const one of all) one.tabIndex = one === (again ?? all[0]) ? 0 : -1;
  again?.focus({ preventScroll: true });
};
