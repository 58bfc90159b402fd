// @ts-check

/**
 * Ask for the newest wish only: while an answer is under way, further wishes wait, and an answer that comes
 * after the wish has changed is passed over.
 * @template Wish, Reply
 * @param {() => Wish | null} wish what is wanted now
 * @param {(wanted: Wish) => Promise<Reply>} get
 * @param {(reply: Reply, wanted: Wish) => void} show
 * @param {(error: unknown) => void} fail
 * @param {() => void} rest called when nothing is under way any more
 * @returns {() => Promise<void>} to be called whenever the wish may have changed
 */
export const latest = (wish, get, show, fail, rest) => {
  let busy = false;
  return async () => {
    if (busy) return;
    busy = true;
    try {
      for (let wanted = wish(); wanted !== null;) {
        const reply = await get(wanted);
        const now = wish();
        if (JSON.stringify(now) === JSON.stringify(wanted)) {
          show(reply, wanted);
          break;
        }
        wanted = now;
      }
    } catch (error) {
      fail(error);
    } finally {
      busy = false;
      rest();
    }
  };
};

/**
 * Ask the server once a text has stopped changing, unless it is the one that was asked for last.
 * @template Reply
 * @param {number} pause milliseconds
 * @param {(text: string) => Promise<Reply>} get
 * @param {(reply: Reply) => void} show
 * @returns {(text: string) => void}
 */
export const onceStill = (pause, get, show) => {
  let asked = "";
  let timer = 0;
  return (text) => {
    if (text === asked) return;
    asked = text;
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const reply = await get(text);
      if (text === asked) show(reply);
    }, pause);
  };
};
