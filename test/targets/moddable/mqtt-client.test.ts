/**
 * The contract of the ECMA-419 MQTT client class, on Node: every scenario over played ECMA-419 sockets and real TCP.
 */
import { describe, it, vi } from 'vitest';
import MQTTClient from '../../../targets/moddable/mqtt-client.ts';
import { connecting } from './contract/connecting.ts';
import { closing } from './contract/closing.ts';
import { five } from './contract/five.ts';
import { reading } from './contract/reading.ts';
import { writing } from './contract/writing.ts';
import { runScenario } from './contract-runner.ts';

vi.mock('timer', () => ({
  default: { set: (call: () => void, ms = 0) => setTimeout(call, ms), clear: clearTimeout },
}));
vi.mock('time', () => ({
  default: {
    get ticks() {
      return performance.now() | 0;
    },
  },
}));

const ALL = { connecting, writing, reading, closing, five };

for (const [room, scenarios] of Object.entries(ALL)) {
  describe(room, () => {
    for (const scenario of scenarios) {
      it(scenario.name, () => runScenario(scenario, MQTTClient));
    }
  });
}
