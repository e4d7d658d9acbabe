/**
 * An application in an XS machine that does what the process outside says, and tells what happens. Messages are JSON
 * lists: in, a verb and its arguments; out, what happened and its values. A verb is answered by `done` or `failed`.
 */
import { host, onMessage } from './host.ts';

/** XS has it; TypeScript does not know it. */
const fromBuffer = (String as unknown as { fromArrayBuffer(buffer: ArrayBuffer): string }).fromArrayBuffer;

export type Verbs = Record<string, (...args: never[]) => unknown>;

/** A copy of what JSON can hold: XS refuses to write what is preloaded. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) copy[key] = copyOf((value as Record<string, unknown>)[key]);
  return copy;
}

/** As JSON, whatever it is of. */
export function jsonOf(value: unknown): string {
  return JSON.stringify(copyOf(value));
}

/** Tells the process outside. */
export function tell(what: string, ...values: unknown[]): void {
  host.post(jsonOf([what, ...values]));
}

function tellFailure(error: unknown): void {
  const { code, reasonCode } = error as { code?: unknown; reasonCode?: unknown };
  tell('failed', String(error), code, reasonCode);
}

/** From now on does what it is told, until the machine ends. */
export function obey(verbs: Verbs): void {
  onMessage((bytes) => {
    const [verb, ...args] = JSON.parse(fromBuffer(bytes)) as [string, ...never[]];
    try {
      const result = verbs[verb](...args);
      if (result instanceof Promise) result.then((value: unknown) => tell('done', value), tellFailure);
      else tell('done', result);
    } catch (error) {
      tellFailure(error);
    }
  });
}
