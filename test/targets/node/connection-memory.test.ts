/**
 * What a connection costs a process of 2,000, beside a bare socket that said CONNECT and nothing more.
 */
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const CONNECTIONS = 2000;
const LOAD = fileURLToPath(new URL('connection-load.mjs', import.meta.url));
const DIST = fileURLToPath(new URL('../../../dist', import.meta.url));

interface Cost {
  connections: number;
  rssBytes: number;
  heapBytes: number;
  bufferBytes: number;
}

let server: Server;
let port = 0;
const sockets = new Set<Socket>();

/** Answers the first packet of every connection with an accepting CONNACK, and the others not at all. */
beforeAll(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.once('data', () => socket.write(Uint8Array.of(0x20, 3, 0, 0, 0)));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, resolve));
  port = (server.address() as AddressInfo).port;
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

async function cost(kind: string): Promise<Cost> {
  const args = ['--expose-gc', LOAD, kind, String(port), String(CONNECTIONS), DIST];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Cost;
}

/** The middle of three runs: pages come from the system in lumps. */
async function medianCost(kind: string): Promise<Cost> {
  const costs = [await cost(kind), await cost(kind), await cost(kind)];
  const median = (of: (cost: Cost) => number): number => costs.map(of).sort((a, b) => a - b)[1];
  return {
    connections: median((one) => one.connections),
    rssBytes: median((one) => one.rssBytes),
    heapBytes: median((one) => one.heapBytes),
    bufferBytes: median((one) => one.bufferBytes),
  };
}

describe('a connection in a process of 2,000', () => {
  it.each([
    ['driver', 6],
    ['client', 7],
  ])(
    'of a %s costs about %i KiB beyond the bare socket',
    async (kind, kibBeyond) => {
      const bare = await medianCost('bare');
      const ours = await medianCost(kind);
      const kib = (bytes: number): string => (bytes / 1024).toFixed(1) + ' KiB';
      console.log(
        `a connection: bare socket ${kib(bare.rssBytes)}, ${kind} ${kib(ours.rssBytes)} resident; ` +
          `heap ${kib(bare.heapBytes)} and ${kib(ours.heapBytes)}, buffers ${kib(ours.bufferBytes)}`,
      );
      expect(ours.connections).toBe(CONNECTIONS);
      // What is allocated is the same in every run; what is resident moves by a page here and there.
      expect(ours.heapBytes + ours.bufferBytes - bare.heapBytes).toBeLessThan(5 * 1024);
      expect(ours.rssBytes - bare.rssBytes).toBeLessThan(kibBeyond * 1024 + 1024);
    },
    120_000,
  );
});
