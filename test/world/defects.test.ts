/**
 * The checkers themselves: each deliberate defect is built into a world, and seeds run until a rule is broken that it may
 * break, within as many seeds as it states. A checker that catches nothing is a defect. Takes a minute or two.
 */
import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { DEFECTS } from '../../sim/world/defects/defects.ts';
import { runTrial } from '../../sim/world/defects/trial.ts';

it(`each of ${DEFECTS.length} deliberate defects is caught`, async () => {
  const left = [...DEFECTS];
  const missed: string[] = [];
  const runSome = async (): Promise<void> => {
    for (let defect = left.pop(); defect !== undefined; defect = left.pop()) {
      const { rule, isExpected, seed, text } = await runTrial(defect);
      if (!isExpected) missed.push(`${defect.name}: ${rule ?? 'not caught'} at seed ${seed}: ${text}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, runSome));
  expect(missed).toEqual([]);
});
