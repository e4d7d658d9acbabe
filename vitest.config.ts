/**
 * Two suites. `unit` needs nothing but this repository. `brokers` starts real brokers and opens real sockets, one file
 * after the other, because a broker's answer times are part of what its tests look at.
 */
import { defineConfig } from 'vitest/config';

/** Tests of what the brokers' tests are built from: the proxy and the like. They open sockets too. */
const brokers = ['test/brokers/**/*.test.ts', 'test/support-tests/**/*.test.ts'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: brokers,
          // A test that takes long here is one on a busy machine: no test waits by sleeping.
          testTimeout: 20_000,
          hookTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'brokers',
          include: brokers,
          fileParallelism: false,
          testTimeout: 30_000,
          hookTimeout: 30_000,
          // After the unit tests, not beside them.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
