/**
 * Sessions on every store of a world, whose power goes in every operation of the medium and whose store refuses for a
 * while: nothing accepted is lost, nothing of QoS 2 happens twice, and nothing stays in the store.
 */
import { describe, expect, it } from 'vitest';
import { V5 } from '../../src/packets/types.ts';
import { EVENT_MESSAGE } from '../../src/session/event.ts';
import type { SessionStore } from '../../src/session/store.ts';
import { STORED_RECEIVED } from '../../src/session/store.ts';
import { OK } from '../../src/status.ts';
import { decodeUtf8 } from '../../src/wire/utf8.ts';
import type { Dice } from '../../sim/world/power.ts';
import { PowerLost } from '../../sim/world/sim-board.ts';
import { Random, SEED, shareOf } from '../seed.ts';
import { ModelServer } from '../session/model-server.ts';
import { SessionDriver } from '../support/session-driver.ts';
import type { Bench, BenchStore } from './store-benches.ts';
import { BENCHES, NO_DICE, contentOf, wornFlashBench } from './store-benches.ts';

/** Messages each way. */
const COUNT = 3;
/** Turns without anything new, after which a life has come to its end. */
const IDLE_TURNS = 3;

interface Plan {
  /** Operations of the medium in each life but the last. */
  cuts: number[];
  /** Turns in which the store refuses. */
  refused?: (turn: number) => boolean;
}

/** What the application of one device has seen, in all of its lives. */
class Application {
  readonly accepted: string[] = [];
  readonly attempted: string[] = [];
  readonly delivered: string[] = [];
  /** QoS 2 messages that are with the application and whose identifiers are not kept yet, by those. */
  private readonly pending = new Map<number, string>();
  private readonly store: BenchStore;

  constructor(store: BenchStore) {
    this.store = store;
  }

  /** The store as the session sees it: what the application has of a message is kept together with the identifier. */
  sessionStore(): SessionStore {
    const { store } = this;
    return {
      put: (kind, number, bytes, at, byteLength) => {
        const isKept = store.put(kind, number, bytes, at, byteLength);
        if (isKept && kind === STORED_RECEIVED) this.settle(number);
        return isKept;
      },
      remove: (kind, number) => store.remove(kind, number),
    };
  }

  handleMessage(payload: string, qos: number, packetId: number): void {
    if (qos < 2) this.delivered.push(payload);
    else this.pending.set(packetId, payload);
  }

  /** The power went, and is back: with an identifier came what was kept with it. */
  handleRevived(): void {
    this.store.each((kind, number) => {
      if (kind === STORED_RECEIVED) this.settle(number);
    });
    this.pending.clear();
  }

  private settle(packetId: number): void {
    const payload = this.pending.get(packetId);
    if (payload !== undefined) this.delivered.push(payload);
    this.pending.delete(packetId);
  }
}

function connectAgain(
  app: Application,
  store: BenchStore,
  server: ModelServer,
  startMs: number,
): SessionDriver {
  const options = { cleanStart: false, sessionExpirySeconds: 1000, outboxBytes: 512, inflightMax: 4 };
  const driver = new SessionDriver({ ...options, protocolVersion: V5, store: app.sessionStore(), startMs });
  driver.onOpened = () => server.cut();
  driver.onEvent = ({ kind, bytes, payloadOffset, payloadByteLength, qos, packet }) => {
    if (kind !== EVENT_MESSAGE) return;
    const payload = decodeUtf8(bytes, payloadOffset, payloadOffset + payloadByteLength);
    app.handleMessage(payload, qos, packet.packetId);
  };
  store.each((kind, number, bytes) => {
    expect(driver.session.restore(kind, number, bytes, 0, bytes.length, startMs)).toBe(OK);
  });
  return driver;
}

/** Publishes and receives COUNT messages, through as many lives as the plan says. Returns operations of the medium. */
function live(bench: Bench, dice: Dice, qos: number, { cuts, refused }: Plan): number {
  const store = bench.make(dice);
  const start = store.power.operations;
  const server = new ModelServer(V5);
  const app = new Application(store);
  const toDeliver = Array.from({ length: COUNT }, (_, i) => `in ${i}`);
  let turn = 0;
  let isDelivering = false;
  for (let life = 0; life <= cuts.length; life++) {
    if (life < cuts.length) store.power.cutAfter({ operations: cuts[life] });
    try {
      const driver = connectAgain(app, store, server, life * 1_000_000);
      driver.open();
      for (let idle = 0; idle < IDLE_TURNS; turn++) {
        store.setFailing(refused?.(turn) === true);
        // What is held up is tried again at the next opportunity.
        driver.run();
        const packets = driver.sent();
        const answers = packets.flatMap((packet) => server.handle(packet));
        if (driver.session.isConnected() && !isDelivering) {
          for (const payload of toDeliver) server.deliver(payload, qos);
          isDelivering = true;
        }
        driver.server(...answers, ...server.next());
        const isPublishing = app.accepted.length < COUNT && app.attempted.length < 10 * COUNT;
        if (isPublishing) {
          const payload = `out ${app.attempted.length}`;
          app.attempted.push(payload);
          if (driver.publish('t', payload, qos) > 0) app.accepted.push(payload);
        }
        idle = packets.length === 0 && !isPublishing && refused?.(turn) !== true ? idle + 1 : 0;
      }
      break;
    } catch (error) {
      if (!(error instanceof PowerLost)) throw error;
    }
    store.revive();
    app.handleRevived();
    server.cut();
  }

  const once = (list: string[]): string[] => list.filter((one, i) => list.indexOf(one) === i);
  expect(once(server.taken).filter((payload) => app.accepted.includes(payload))).toEqual(app.accepted);
  expect(server.taken.filter((payload) => !app.attempted.includes(payload))).toEqual([]);
  expect(once(app.delivered).sort()).toEqual(toDeliver.sort());
  if (qos === 2) {
    expect(server.taken).toEqual(once(server.taken));
    expect(app.delivered).toEqual(once(app.delivered));
  }
  const operations = store.power.operations - start;
  store.power.cutAfter({});
  // What could not be removed when it should goes with the next change.
  store.put(STORED_RECEIVED, 1, new Uint8Array(0), 0, 0);
  store.remove(STORED_RECEIVED, 1);
  store.revive();
  expect(contentOf(store)).toBe('');
  return operations;
}

const ALL = [...BENCHES, wornFlashBench(12, 'app'), wornFlashBench(30, 'app')];

describe.each(ALL.flatMap((bench) => [1, 2].map((qos) => [bench.name, qos, bench] as const)))(
  '%s, QoS %i',
  (_, qos, bench) => {
    it('goes on after a power cut in every operation of the medium [MQTT-4.1.0-1], [MQTT-4.1.0-2]', () => {
      const operations = live(bench, NO_DICE, qos, { cuts: [] });
      expect(operations).toBeGreaterThan(COUNT * 3);
      const step = operations / shareOf(operations);
      for (let at = 0; at < operations; at += step)
        live(bench, new Random(SEED + at), qos, { cuts: [Math.floor(at)] });
    });

    it('goes on after any number of them (seed from MOTEMQ_SEED)', () => {
      for (let round = 0; round < shareOf(60); round++) {
        const dice = new Random(SEED + round);
        const cuts = Array.from({ length: 1 + dice.below(8) }, () => dice.below(40));
        live(bench, dice, qos, { cuts });
      }
    });

    it('goes on when the store refuses for a while (seed from MOTEMQ_SEED)', () => {
      for (let round = 0; round < shareOf(60); round++) {
        const dice = new Random(SEED + round);
        const turns = Array.from({ length: 20 }, () => dice.below(3) === 0);
        live(bench, dice, qos, { cuts: [], refused: (turn) => turns[turn] ?? false });
      }
    });
  },
);
