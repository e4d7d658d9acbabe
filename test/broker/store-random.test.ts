/**
 * Whatever is done to the stores that there are, they hold the same afterwards, and after a crash.
 */
import { describe, expect, it } from 'vitest';
import type { BrokerStore } from '../../sim/broker/store.ts';
import { Random, SEED, shareOf } from '../seed.ts';
import { deliveryOf, messageOf, sessionOf, stateValues, subscriptionOf } from './store-stage.ts';
import { SUBJECTS } from './store-subjects.ts';

describe('the stores', () => {
  it('say the same after whatever was done to them', async () => {
    for (let round = 0; round < shareOf(20); round++) {
      const seed = SEED + round;
      const random = new Random(seed);
      const stores = [await SUBJECTS['LMDB'](), await SUBJECTS['memory']()];
      for (const { store } of stores) await store.load();
      const known = new Set<string>();
      const change = (): ((store: BrokerStore) => void) => {
        const clientId = random.pick(['one', 'two', 'three']);
        const number = 1 + random.below(20);
        const topic = random.pick(['a', 'b/c', 'long'.repeat(100)]);
        const what = random.below(12);
        if (what < 2 || (what < 9 && !known.has(clientId))) {
          known.add(clientId);
          return (store) => store.putSession(sessionOf(clientId, { endedAtMs: number }));
        }
        switch (what) {
          case 2:
            return (store) => store.putSubscription(clientId, subscriptionOf(topic, { options: number }));
          case 3:
            return (store) => store.removeSubscription(clientId, topic);
          case 4:
          case 5:
            return (store) => store.putDelivery(clientId, deliveryOf(number, number));
          case 6:
            return (store) => store.removeDelivery(clientId, number);
          case 7:
            return (store) => store.putReceived(clientId, number);
          case 8:
            if (random.below(3) > 0) return (store) => store.removeReceived(clientId, number);
            known.delete(clientId);
            return (store) => store.removeSession(clientId);
          case 9:
            return (store) => store.putMessage(number, messageOf(`${topic}/${number}`));
          case 10:
            return (store) => store.removeMessage(number);
          default:
            if (number > 10) return (store) => store.removeRetained(topic);
            return (store) => store.putRetained(topic, number);
        }
      };
      for (let step = 0; step < 30; step++) {
        const changes = Array.from({ length: random.below(30) }, change);
        for (const { store } of stores) for (const one of changes) one(store);
        const commits = stores.map(({ store }) => store.commit());
        if (random.below(3) > 0) await Promise.all(commits);
      }
      await Promise.all(stores.map(({ store }) => store.commit()));
      const states: object[] = [];
      for (const { store, crash } of stores) {
        states.push(stateValues(await store.load()), stateValues(await (await crash()).load()));
      }
      for (const state of states) expect(state, `MOTEMQ_SEED=${seed}`).toEqual(states[0]);
    }
  });
});
