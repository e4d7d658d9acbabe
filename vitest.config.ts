/**
 * Five suites. `unit` needs nothing but this repository. `xs` runs the core on the engine of a board, which it builds
 * first: docs/xs-engine.md. `brokers` starts real brokers and opens real sockets, one file after the other, because a
 * broker's answer times are part of what its tests look at. `conformance` asks our broker, or the one that MOTEMQ_BROKER
 * names, for every statement of the standard, over sockets. `world` runs thousands of worlds: docs/reliability.md.
 */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const xs = ['test/xs/**/*.test.ts'];
/** With tests of what the brokers' tests are built from: the proxy and the like. They open sockets too. */
const brokers = ['test/brokers/**/*.test.ts', 'test/support-tests/**/*.test.ts'];
const conformance = ['test/conformance/**/*.test.ts'];
const world = ['test/world/seeds.test.ts', 'test/world/defects.test.ts'];

/** What firmware files import, as it is now instead of as it was built. */
const resolve = {
  alias: { 'motemq/device': fileURLToPath(new URL('./src/device/index.ts', import.meta.url)) },
};

export default defineConfig({
  test: {
    projects: [
      {
        resolve,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...xs, ...brokers, ...conformance, ...world],
          globalSetup: 'test/targets/wasm/prepare.ts',
          // A test that takes long here is one on a busy machine: no test waits by sleeping.
          testTimeout: 20_000,
          hookTimeout: 20_000,
        },
      },
      {
        resolve,
        test: {
          name: 'xs',
          include: xs,
          globalSetup: 'test/xs/prepare.ts',
          // The processes that run the tests wait for those that run the machines.
          maxWorkers: '100%',
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        resolve,
        test: {
          name: 'brokers',
          include: brokers,
          fileParallelism: false,
          testTimeout: 30_000,
          hookTimeout: 30_000,
          // After the others, not beside them.
          sequence: { groupOrder: 2 },
        },
      },
      {
        resolve,
        test: {
          name: 'conformance',
          include: conformance,
          testTimeout: 20_000,
          hookTimeout: 20_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        resolve,
        test: {
          name: 'world',
          include: world,
          // Each file runs threads of its own, on all cores.
          fileParallelism: false,
          testTimeout: 900_000,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});
