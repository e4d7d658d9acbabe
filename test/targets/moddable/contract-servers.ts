/**
 * The servers of the client class's contract: a real broker, scripts played packet by packet, one that counts. For
 * scenarios on Node and in XS machines alike.
 */
import { Aedes } from 'aedes';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { bytesOfHex, startScriptedServer } from '../../support/scripted-server.ts';
import type { ScriptedConnection } from '../../support/scripted-server.ts';
import { freePort } from '../../support/wait.ts';
import { hexOf } from './contract/stage.ts';
import type { Scenario, Step } from './contract/stage.ts';

const PUBLISH_3 = 0x32;

/** Where a scenario's clients connect to. */
export interface Place {
  port: number;
  /** Resolves when the server has done all that it was to do; rejects when a client was not as it should be. */
  finished: Promise<unknown>;
  close(): Promise<void>;
}

async function listen(server: Server): Promise<number> {
  const listening = once(server, 'listening');
  server.listen(0, '127.0.0.1');
  await listening;
  return (server.address() as AddressInfo).port;
}

async function startBroker(): Promise<Place> {
  const broker = await Aedes.createBroker();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    broker.handle(socket);
  });
  return {
    port: await listen(server),
    finished: Promise.resolve(),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await new Promise<void>((resolve) => broker.close(resolve));
    },
  };
}

function matches(packet: Uint8Array, expected: string): boolean {
  const hex = hexOf(packet);
  const wanted = expected.replace(/ /g, '').toLowerCase();
  return wanted.endsWith('..') ? hex.startsWith(wanted.slice(0, -2)) : hex === wanted;
}

async function play(connection: ScriptedConnection, steps: readonly Step[]): Promise<void> {
  for (const [n, step] of steps.entries()) {
    const [what, hex] = step;
    if (what === 'out') await connection.send(bytesOfHex(hex));
    else if (what === 'end') connection.end();
    else if (what === 'reset') connection.reset();
    else if (what === 'in') {
      const packet = await connection.nextPacket();
      if (!matches(packet, hex)) {
        throw new Error(`connection ${connection.index}, step ${n}: got ${hexOf(packet)}, not ${hex}`);
      }
    } else {
      const next = await connection.nextPacket().catch(() => undefined);
      if (next !== undefined) {
        throw new Error(`connection ${connection.index}, step ${n}: got ${hexOf(next)}, not the end`);
      }
    }
  }
}

async function startScript(script: readonly (readonly Step[])[]): Promise<Place> {
  const plays: { resolve: () => void; reject: (error: unknown) => void; promise: Promise<void> }[] =
    script.map(() => {
      let resolve!: () => void;
      let reject!: (error: unknown) => void;
      const promise = new Promise<void>((yes, no) => {
        resolve = yes;
        reject = no;
      });
      promise.catch(() => {});
      return { resolve, reject, promise };
    });
  const server = await startScriptedServer(async (connection) => {
    const steps = script[connection.index];
    const mine = plays[connection.index];
    if (steps === undefined) throw new Error('one connection too many');
    try {
      await play(connection, steps);
      mine.resolve();
    } catch (error) {
      mine.reject(error);
    }
  });
  return {
    port: server.port,
    finished: Promise.all(plays.map(({ promise }) => promise)),
    close: () => server.close(),
  };
}

/** Acknowledges every QoS 1 PUBLISH, and finds Packet Identifiers that are 0 or not the one after the one before. */
async function startAcknowledging(): Promise<Place> {
  let fail!: (error: Error) => void;
  const failed = new Promise<never>((_, reject) => (fail = reject));
  failed.catch(() => {});
  let isOver!: () => void;
  const over = new Promise<void>((resolve) => (isOver = resolve));
  const server = await startScriptedServer(async (connection) => {
    await connection.nextPacket();
    await connection.send('20 02 00 00');
    let last = 0;
    for (;;) {
      const packet = await connection.nextPacket().catch(() => undefined);
      if (packet === undefined) break;
      if (packet[0] !== PUBLISH_3) continue;
      const at = 4 + packet[3];
      const id = (packet[at] << 8) | packet[at + 1];
      if (id !== (last === 65535 ? 1 : last + 1)) {
        fail(new Error(`Packet Identifier ${id} after ${last}`));
        break;
      }
      last = id;
      void connection.send(Uint8Array.of(0x40, 2, id >> 8, id & 255));
    }
    isOver();
  });
  return { port: server.port, finished: Promise.race([failed, over]), close: () => server.close() };
}

export async function startPlace(server: Scenario['server']): Promise<Place> {
  if (server === 'broker') return startBroker();
  if (server === 'acknowledging') return startAcknowledging();
  if (server === 'none') {
    return { port: await freePort(), finished: Promise.resolve(), close: () => Promise.resolve() };
  }
  return startScript(server);
}
