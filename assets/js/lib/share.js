// @ts-check
// Links: what is set, what is looked at, and nothing of what came with the address.

const SAID = 2500; // milliseconds that the button says what became of the link

/** The address of this page alone: what else came with it may let somebody in, and is nobody else's. */
export const bareAddress = () => new URL(location.pathname, location.origin);

/**
 * Write a link into a field and copy it.
 * @param {HTMLInputElement} field
 * @param {HTMLButtonElement} button says what became of it
 * @param {string} query of the settings
 * @param {Record<string, string | null>} looks what to look at; null is left out
 */
export const share = async (field, button, query, looks) => {
  const address = bareAddress();
  address.search = query;
  for (const [name, value] of Object.entries(looks)) if (value) address.searchParams.set(name, value);
  field.value = address.toString();
  field.hidden = false;
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    button.textContent = "Link copied";
  } catch {
    button.textContent = "Link below";
  }
  setTimeout(() => {
    button.textContent = "Copy link";
  }, SAID);
};
