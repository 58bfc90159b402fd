import type { Parts } from "./wire.js";

/** What Gradio hands to the script of a part. */
export interface Part<Name extends keyof Parts> {
  element: HTMLElement;
  props: (Parts[Name]["props"] extends null ? unknown : Parts[Name]["props"]) & {
    value: Parts[Name]["view"];
  };
  /** Called after the server has changed a property; not for what the script sets itself. */
  watch(property: "value", changed: () => void): void;
  trigger(event: Parts[Name]["events"], data?: Record<string, unknown>): void;
  server: Record<Parts[Name]["serves"], (wanted: unknown) => Promise<any>>;
  upload(file: File): Promise<{ path: string }>;
}
