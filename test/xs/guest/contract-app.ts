/**
 * Scenarios of the ECMA-419 client class's contract in an XS machine, on the class as it ships and on the sockets of the
 * machine; the servers are outside.
 */
import type { SocketOptions } from '../../../targets/moddable/core.ts';
import MQTTClient from '../../../targets/moddable/mqtt-client.ts';
import { closing } from '../../targets/moddable/contract/closing.ts';
import { connecting } from '../../targets/moddable/contract/connecting.ts';
import { five } from '../../targets/moddable/contract/five.ts';
import { reading } from '../../targets/moddable/contract/reading.ts';
import type { Options, Scenario, SocketClass, Stage } from '../../targets/moddable/contract/stage.ts';
import { writing } from '../../targets/moddable/contract/writing.ts';
import { jsonOf, obey, tell } from './remote.ts';

/** By room. */
export const ALL: Record<string, Scenario[]> = { connecting, writing, reading, closing, five };

const CALLBACKS = ['onReadable', 'onWritable', 'onControl', 'onError', 'onClose'];

function fail(error: unknown): void {
  tell('failure', String(error));
}

/** What is thrown in a callback fails the scenario instead of ending the machine. */
function guard(call: (...args: unknown[]) => void): (...args: unknown[]) => void {
  return function (this: unknown, ...args) {
    try {
      call.apply(this, args);
    } catch (error) {
      fail(error);
    }
  };
}

function stageOn(port: number, clients: MQTTClient[], turns: (() => void)[]): Stage {
  const { socket, dns } = device!.network!['mqtt'] as SocketOptions;
  return {
    MQTTClient: class extends MQTTClient {
      constructor(options: Options) {
        super(options);
        clients.push(this);
      }
    },
    TCP: socket.io as unknown as SocketClass,
    options(more) {
      const all = { host: 'localhost', port, dns, socket, ...more } as unknown as Record<string, unknown>;
      for (const name of CALLBACKS) {
        const call = all[name] as ((...args: unknown[]) => void) | undefined;
        if (call !== undefined) all[name] = guard(call);
      }
      return all as unknown as Options;
    },
    expect(actual, expected, what) {
      const is = jsonOf(actual);
      const should = jsonOf(expected);
      if (is !== should) fail(`${what}: ${is}, not ${should}`);
    },
    fail,
    later(call) {
      // Timers here go off before the process outside has looked at a socket even once.
      turns.push(guard(call));
      tell('later');
    },
    done() {
      tell('finished');
    },
  };
}

export default function start(): void {
  const clients: MQTTClient[] = [];
  const turns: (() => void)[] = [];
  obey({
    run(room: string, name: string, port: number) {
      ALL[room].find((scenario) => scenario.name === name)!.run(stageOn(port, clients, turns));
    },
    /** A turn of the event loop outside is over. */
    turn() {
      turns.shift()!();
    },
    close() {
      for (const client of clients) client.close();
    },
  });
}
