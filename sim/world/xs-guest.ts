/**
 * What runs worlds inside an XS machine of sim/xs: takes options as JSON, prints the trace where it is wanted, posts the
 * result as JSON. Knows nothing of machines but what they have in their global scope (docs/xs-engine.md).
 */
import { runWorld, type WorldOptions } from './world.ts';

/** What it is asked for. */
export interface XsWorldRequest {
  options: Omit<WorldOptions, 'onTrace'>;
  /** Print each line of the trace. */
  isTraced: boolean;
}

interface Globals {
  host: { print(text: string): void; post(message: string): void };
  onHostMessage: (bytes: ArrayBuffer) => void;
}

/** XS has it; TypeScript does not know it. */
interface XsString {
  fromArrayBuffer(buffer: ArrayBuffer): string;
}

const globals = globalThis as unknown as Globals;

async function answer(bytes: ArrayBuffer): Promise<void> {
  const text = (String as unknown as XsString).fromArrayBuffer(bytes);
  const { options, isTraced } = JSON.parse(text) as XsWorldRequest;
  const onTrace = (line: string): void => globals.host.print(line);
  globals.host.post(JSON.stringify(await runWorld(isTraced ? { ...options, onTrace } : options)));
}

globals.onHostMessage = (bytes) => void answer(bytes);
