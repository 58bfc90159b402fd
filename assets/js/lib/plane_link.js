// @ts-check
// The way to the plane of the Why tab, from anywhere on the page and without the plane's own scripts.

import { preset } from "./store.js";

/**
 * Where the tab opens at a preset.
 * @param {string} name
 */
export function addressOfPreset(name) {
  const address = new URL(location.href);
  for (const mode of ["embed", "present"]) address.searchParams.delete(mode);
  address.searchParams.set("tab", "why");
  address.searchParams.set("preset", name);
  return address.toString();
}

/**
 * Open the tab at a preset.
 * @param {string} name
 */
export function showPreset(name) {
  history.replaceState(null, "", addressOfPreset(name));
  const tabs = /** @type {NodeListOf<HTMLElement>} */ (
    document.querySelectorAll('[role="tab"], .overflow-dropdown button')
  );
  [...tabs].find((tab) => tab.textContent?.trim() === "Why")?.click();
  preset.put(name);
}
