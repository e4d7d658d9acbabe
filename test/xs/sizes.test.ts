/**
 * No layer that ships for a board takes more byte code than its budget: bench/xs/budgets.ts. `npm run sizes` says where it
 * goes.
 */
import { describe, expect, it } from 'vitest';
import { BUDGETS } from '../../bench/xs/budgets.ts';
import { measureLayers } from '../../bench/xs/layers.ts';

describe('the byte code that ships for a board', () => {
  it('is within its budgets, and each layer has one', { timeout: 60_000 }, async () => {
    const layers = await measureLayers();
    expect(layers.map(({ name }) => name)).toEqual(Object.keys(BUDGETS).sort());
    const over = layers
      .filter(({ name, codeBytes }) => codeBytes === 0 || codeBytes > (BUDGETS[name] ?? 0))
      .map(({ name, codeBytes }) => `${name}: ${codeBytes} of ${BUDGETS[name] ?? 0}`);
    expect(over).toEqual([]);
  });
});
