/**
 * The broker a run starts when it is given none: ours, on a free port of 127.0.0.1. It runs in a process of its own:
 * broker and devices then share neither the event loop nor the memory that is measured. From the sources, which Node 20
 * cannot run in another process, it runs in this one.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { packageVersion } from '../../targets/node/package-version.ts';
import { listen, type Listening } from './embedded-broker-server.ts';
import { FleetError } from './failure.ts';

export interface EmbeddedBroker {
  url: string;
  /** `motemq 0.1.0`. */
  name: string;
  stop(): Promise<void>;
}

const START_MS_MAX = 10_000;

/** Starts it and waits until it accepts connections. */
export async function startEmbeddedBroker(): Promise<EmbeddedBroker> {
  const isBuilt = import.meta.url.endsWith('.js');
  const { port, stop } = isBuilt ? await startProcess() : await listen();
  return { url: `mqtt://127.0.0.1:${port}`, name: `motemq ${packageVersion()}`, stop };
}

async function startProcess(): Promise<Listening> {
  const file = fileURLToPath(new URL('./embedded-broker-server.js', import.meta.url));
  const child = fork(file, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    if (child.connected) child.disconnect(); // it ends by itself then
    await exited;
  };
  try {
    return { port: await portOf(child), stop };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new FleetError(`the embedded broker did not start: ${why}`));
    const timer = setTimeout(() => fail('it said nothing for 10 s'), START_MS_MAX);
    child.once('message', (message) => {
      clearTimeout(timer);
      resolve((message as { port: number }).port);
    });
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code) => {
      clearTimeout(timer);
      fail(`it ended with status ${String(code)}`);
    });
  });
}
