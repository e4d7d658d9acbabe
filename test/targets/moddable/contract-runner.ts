/**
 * Runs scenarios of the client class's contract on Node: ECMA-419's sockets played on Node's, real TCP to the servers of
 * contract-servers.ts. Knows nothing of what a scenario is about.
 */
import type MQTTClient from '../../../targets/moddable/mqtt-client.ts';
import { afterIo, withDeadline } from '../../support/wait.ts';
import { startPlace } from './contract-servers.ts';
import type { Options, Scenario, Stage } from './contract/stage.ts';
import { Resolver, TCP } from './ecma-tcp.ts';

const SCENARIO_MS_MAX = 15_000;

/** Options whose callbacks fail the scenario when they throw, instead of ending the process. */
function guarded(options: Options, fail: (error: unknown) => void): Options {
  const result = { ...options } as unknown as Record<string, unknown>;
  for (const name of ['onReadable', 'onWritable', 'onControl', 'onError', 'onClose']) {
    const callback = result[name] as ((...args: unknown[]) => void) | undefined;
    if (callback === undefined) continue;
    result[name] = function (this: unknown, ...args: unknown[]) {
      try {
        callback.apply(this, args);
      } catch (error) {
        fail(error);
      }
    };
  }
  return result as unknown as Options;
}

/** Rejects when the scenario fails. */
export async function runScenario(scenario: Scenario, Client: typeof MQTTClient): Promise<void> {
  const place = await startPlace(scenario.server);
  const clients: MQTTClient[] = [];
  const Recorded = class extends Client {
    constructor(options: Options) {
      super(options);
      clients.push(this);
    }
  };
  try {
    let fail!: (error: unknown) => void;
    let done!: () => void;
    const failed = new Promise<never>((_, reject) => (fail = reject));
    const isDone = new Promise<void>((resolve) => (done = resolve));
    failed.catch(() => {});
    const stage: Stage = {
      MQTTClient: Recorded,
      TCP: TCP,
      options: (more) =>
        guarded(
          {
            host: 'localhost',
            port: place.port,
            dns: { io: Resolver },
            socket: { io: TCP },
            ...more,
          },
          fail,
        ),
      expect(actual, expected, what) {
        const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
        if (is !== should) fail(new Error(`${what}: ${is}, not ${should}`));
      },
      fail(what) {
        fail(new Error(what));
      },
      later(call) {
        setImmediate(() => {
          try {
            call();
          } catch (error) {
            fail(error);
          }
        });
      },
      done,
    };
    scenario.run(stage);
    const all = Promise.all([isDone, place.finished]).then(() => afterIo());
    const refused = Promise.resolve(place.finished).then(() => new Promise<never>(() => {}));
    await withDeadline(Promise.race([failed, refused, all]), SCENARIO_MS_MAX, 'the scenario to be done');
    await Promise.race([failed, afterIo()]);
  } finally {
    for (const client of clients) client.close();
    await place.close();
  }
}
