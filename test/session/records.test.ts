/**
 * Incoming messages and subscriptions against naive models.
 */
import { describe, expect, it } from 'vitest';
import { AWAIT_PUBREL, Incoming, TO_ACKNOWLEDGE, WITH_APPLICATION } from '../../src/session/incoming.ts';
import {
  ACTIVE,
  FOR_PROPERTIES,
  FOR_SUBSCRIBE,
  FOR_UNSUBSCRIBE,
  SENT,
  SUBSCRIPTION_HEAD_BYTES,
  Subscriptions,
  TO_SEND,
} from '../../src/session/subscriptions.ts';
import { NO_SPACE, OK } from '../../src/status.ts';
import { decodeUtf8 } from '../../src/wire/utf8.ts';
import { Random, SEED } from '../seed.ts';
import { bytesOf } from '../support/session-driver.ts';

describe('incoming messages against a list (seed from MOTEMQ_SEED)', () => {
  it('keep order, states and counts', () => {
    for (let round = 0; round < 40; round++) {
      const random = new Random(SEED + round);
      const incoming = new Incoming();
      let list: { packetId: number; state: number; qos: number; receipt: number; isNew: number }[] = [];
      for (let step = 1; step < 200; step++) {
        const what = random.below(10);
        const i = random.below(list.length || 1);
        if (what < 4 && list.length < 20) {
          const entry = {
            packetId: step,
            state: random.pick([WITH_APPLICATION, TO_ACKNOWLEDGE, AWAIT_PUBREL]),
            qos: 1 + random.below(2),
            receipt: step * 3,
            isNew: random.below(2),
          };
          incoming.add(entry.packetId, entry.state, entry.qos, entry.receipt, entry.isNew);
          list.push(entry);
        } else if (list.length === 0) continue;
        else if (what < 6) {
          list[i].state = random.pick([WITH_APPLICATION, TO_ACKNOWLEDGE, AWAIT_PUBREL]);
          incoming.setState(i, list[i].state);
        } else if (what < 7) {
          list[i].isNew = 1;
          incoming.setNew(i);
        } else if (what < 9) {
          incoming.remove(i);
          list.splice(i, 1);
        } else if (random.below(5) === 0) {
          incoming.handleDisconnected();
          list = list
            .filter(({ qos }) => qos === 2)
            .map((entry) => ({
              ...entry,
              state: entry.state === TO_ACKNOWLEDGE ? AWAIT_PUBREL : entry.state,
              isNew: 0,
            }));
        } else if (random.below(10) === 0) {
          incoming.clear();
          list = [];
        }
        expect(incoming.count).toBe(list.length);
        list.forEach((entry, n) => {
          expect([incoming.packetId(n), incoming.state(n), incoming.qos(n)]).toEqual([
            entry.packetId,
            entry.state,
            entry.qos,
          ]);
          expect(incoming.find(entry.packetId)).toBe(n);
          expect(incoming.findReceipt(entry.receipt)).toBe(entry.state === WITH_APPLICATION ? n : -1);
        });
        expect(incoming.find(99999)).toBe(-1);
        const counts = [incoming.toAcknowledge, incoming.openCount, incoming.newCount];
        expect(counts).toEqual([
          list.filter(({ state }) => state === TO_ACKNOWLEDGE).length,
          list.filter(({ state }) => state !== AWAIT_PUBREL).length,
          list.filter(({ isNew }) => isNew === 1).length,
        ]);
      }
    }
  });
});

interface Wanted {
  ticket: number;
  kind: number;
  state: number;
  filter: string;
  options: number;
}

function read(subscriptions: Subscriptions): Wanted[] {
  const list: Wanted[] = [];
  for (let at = 0; at < subscriptions.end; at = subscriptions.next(at)) {
    list.push({
      ticket: subscriptions.ticket(at),
      kind: subscriptions.kind(at),
      state: subscriptions.state(at),
      filter: decodeUtf8(subscriptions.bytes, subscriptions.filterOffset(at), subscriptions.next(at)),
      options: subscriptions.options(at),
    });
  }
  return list;
}

describe('subscriptions against a list (seed from MOTEMQ_SEED)', () => {
  const add = (subscriptions: Subscriptions, { ticket, kind, filter, options }: Wanted): number => {
    const bytes = bytesOf(filter);
    return subscriptions.add(kind, ticket, 0, options, bytes, 0, bytes.length);
  };

  it('hold what is wanted, in order', () => {
    for (let round = 0; round < 60; round++) {
      const random = new Random(SEED + round);
      const subscriptions = new Subscriptions(new Uint8Array(400));
      let list: Wanted[] = [];
      let ticket = 1;
      for (let step = 0; step < 100; step++) {
        const what = random.below(10);
        if (what < 4) {
          const kind = random.pick([FOR_SUBSCRIBE, FOR_SUBSCRIBE, FOR_UNSUBSCRIBE]);
          const filters = ['a', 'b', 'cc', 'ddd'].filter(() => random.below(2) === 0);
          if (filters.length === 0) continue;
          const group = filters.map((filter, options) => ({ ticket, kind, state: TO_SEND, filter, options }));
          if (random.below(3) === 0) {
            group.unshift({ ticket, kind: FOR_PROPERTIES, state: TO_SEND, filter: 'props', options: 0 });
          }
          const isAdded = group.every((wanted) => add(subscriptions, wanted) === OK);
          if (isAdded) list.push(...group);
          else subscriptions.removeGroup(ticket);
          ticket++;
        } else if (what < 6) {
          const at = subscriptions.firstToSend();
          const first = list.find(({ state }) => state === TO_SEND);
          expect(at < 0 ? undefined : subscriptions.ticket(at)).toBe(first?.ticket);
          if (first === undefined) continue;
          subscriptions.markGroupSent(at, first.ticket);
          for (const one of list) if (one.ticket === first.ticket) one.state = SENT;
        } else if (what < 9) {
          const sent = list.filter(({ state }) => state === SENT);
          if (sent.length === 0) continue;
          const chosen = random.pick(sent).ticket;
          const at = subscriptions.findSent(chosen);
          const filters = list.filter((one) => one.ticket === chosen && one.kind !== FOR_PROPERTIES);
          expect(subscriptions.filterCount(at)).toBe(filters.length);
          const codes = filters.map(() => (random.below(4) === 0 ? 0x80 : 0));
          const hasCodes = filters[0].kind === FOR_SUBSCRIBE || random.below(2) === 0;
          subscriptions.handleAcknowledged(at, Uint8Array.from([9, ...codes]), hasCodes ? 1 : -1);
          filters.forEach((one, i) => {
            const isGood = !hasCodes || codes[i] < 0x80;
            const at = list.indexOf(one);
            if (isGood) {
              list = list.filter((other, n) => {
                const isReplaced = other.kind === FOR_SUBSCRIBE && other.state === ACTIVE && n < at;
                return !isReplaced || other.filter !== one.filter || other.ticket === chosen;
              });
            }
            one.state = ACTIVE;
            if (!isGood || one.kind === FOR_UNSUBSCRIBE) list = list.filter((other) => other !== one);
          });
          for (const one of list) if (one.ticket === chosen) one.state = ACTIVE;
          list = list.filter(
            (one) =>
              one.kind !== FOR_PROPERTIES ||
              list.some((other) => other.ticket === one.ticket && other.kind !== FOR_PROPERTIES),
          );
        } else {
          const isSessionLost = random.below(2) === 0;
          subscriptions.handleConnected(isSessionLost);
          for (const one of list) if (one.state === SENT || isSessionLost) one.state = TO_SEND;
        }
        expect(read(subscriptions)).toEqual(list);
        expect(subscriptions.toSend).toBe(list.filter(({ state }) => state === TO_SEND).length);
      }
    }
  });

  it('take as much as fits, and go on in larger storage', () => {
    const subscriptions = new Subscriptions(new Uint8Array(2 * SUBSCRIPTION_HEAD_BYTES + 4));
    const wanted = { ticket: 1, kind: FOR_SUBSCRIBE, state: TO_SEND, filter: 'ab', options: 1 };
    expect(add(subscriptions, wanted)).toBe(OK);
    expect(add(subscriptions, wanted)).toBe(OK);
    expect(add(subscriptions, wanted)).toBe(NO_SPACE);
    subscriptions.replace(new Uint8Array(100));
    expect(add(subscriptions, wanted)).toBe(OK);
    expect(read(subscriptions)).toEqual([wanted, wanted, wanted]);
  });
});
