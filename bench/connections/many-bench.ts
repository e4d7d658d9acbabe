/**
 * How many devices one process has: `motemq fleet` with 20,000, or as many as the limit on descriptors allows.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ManyFigures } from './many-child.ts';

const CHILD = fileURLToPath(new URL('./many-child.js', import.meta.url));
const DEVICES = 20_000;

/** Prints a line; gives what it says. */
export async function runMany(
  isWanted: (name: string) => boolean,
  devices = DEVICES,
): Promise<ManyFigures | Record<string, never>> {
  if (!isWanted('many')) return {};
  console.log(
    `\nmotemq fleet with ${devices.toLocaleString('en')} devices, a message a second each, QoS 1, for 5 s`,
  );
  const child = fork(CHILD, [String(devices)], { execArgv: [] });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the fleet's process ended with ${String(code)}`);
  });
  const [figures] = (await Promise.race([once(child, 'message'), ended])) as [ManyFigures];
  ended.catch(() => {}); // it ends after its figures
  if (figures.devices < devices) {
    console.log(
      `  "ulimit -n" allows ${figures.devices.toLocaleString('en')} of them: "ulimit -n 21000" before the command`,
    );
  }
  console.log(
    `  ${figures.delivered.toLocaleString('en')} of ${figures.sent.toLocaleString('en')} messages delivered, ` +
      `${Math.round(figures.sentPerSecond).toLocaleString('en')} a second; ${(figures.rssBytes / 1024).toFixed(1)} KiB a device; ` +
      `median ${figures.p50Ms.toFixed(1)} ms, 99 of 100 within ${figures.p99Ms.toFixed(0)} ms`,
  );
  return figures;
}
