/**
 * Waiting without sleeping: until something is so, or until a promise settles, never longer than stated and always
 * saying what was waited for; and ports that are free to listen on. Knows nothing of MQTT.
 */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** How long to wait, and for what. */
export interface WaitOptions {
  /** Milliseconds after which waiting fails; 5000 unless told. */
  readonly withinMs?: number;
  /** What is waited for, as it reads after "waited for": `'the second CONNACK'`. */
  readonly what: string;
}

const WITHIN_MS_DEFAULT = 5000;
const POLL_MS = 4;

/**
 * Asks `predicate` again and again, a few milliseconds apart, until it answers something truthy, and resolves with
 * that answer. A predicate that throws counts as "not yet"; what it threw last is the `cause` of the failure.
 */
export async function eventually<T>(
  predicate: () => T | Promise<T>,
  { withinMs = WITHIN_MS_DEFAULT, what }: WaitOptions,
): Promise<NonNullable<T>> {
  const startedAt = performance.now();
  for (;;) {
    let thrown: unknown;
    try {
      const answer = await withDeadline(
        Promise.resolve(predicate()),
        Math.max(1, startedAt + withinMs - performance.now()),
        `${what} (the predicate's own promise)`,
      );
      if (answer) return answer;
    } catch (error) {
      thrown = error;
    }
    if (performance.now() - startedAt >= withinMs) {
      throw new Error(
        `waited ${withinMs} ms for ${what}`,
        thrown === undefined ? undefined : { cause: thrown },
      );
    }
    await pause(POLL_MS);
  }
}

/** Settles as `promise` does, or rejects after `ms` milliseconds with an error that names `what`. */
export async function withDeadline<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Resolves after the event loop has looked for I/O at least once, wherever in a turn it is called: what was written to a
 * socket before has then reached a reader in this process, if the reader reads.
 */
export function afterIo(): Promise<void> {
  // The first may run before I/O is looked for, the second cannot.
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

/**
 * Ports are taken from below the range that Linux, macOS and Windows take outgoing connections' ports from. So while a
 * broker is down for a restart, no client's connection can land on its port, nor connect to itself there.
 */
const PORT_MIN = 20000;
const PORT_END = 32000;

/** A TCP port of 127.0.0.1 on which nothing listened a moment ago. */
export async function freePort(): Promise<number> {
  return (await freePorts(1))[0];
}

/** `count` different ports, each as with {@link freePort}. */
export async function freePorts(count: number): Promise<number[]> {
  const held: Server[] = [];
  const ports: number[] = [];
  try {
    for (let attempts = 0; ports.length < count; attempts++) {
      if (attempts > 1000) throw new Error(`no ${count} free ports between ${PORT_MIN} and ${PORT_END}`);
      const port = randomInt(PORT_MIN, PORT_END);
      const server = createServer();
      try {
        const listening = once(server, 'listening');
        server.listen(port, '127.0.0.1');
        await listening;
      } catch {
        continue; // taken: try another
      }
      held.push(server);
      ports.push(port);
    }
  } finally {
    await Promise.all(held.map((server) => new Promise((closed) => server.close(closed))));
  }
  return ports;
}
