/**
 * `npm run sim:defects -- [--only NAME] [--seeds N] [--json] [--markdown]`: builds each deliberate defect into a world and
 * runs seeds until a checker finds it. Prints a table; exits with 1 when one was not found, or was found by a rule that it
 * does not name. A checker that finds nothing is a defect.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { DEFECTS } from './defects.ts';
import { runTrial, type TrialResult } from './trial.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seeds: { type: 'string' },
    json: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
  },
});

const chosen = DEFECTS.filter(({ name }) => values.only === undefined || name.includes(values.only));
const seedsMax = values.seeds === undefined ? undefined : Number(values.seeds);

/** As many at once as there are processors. */
async function runAll(report: (result: TrialResult) => void): Promise<TrialResult[]> {
  const results: TrialResult[] = [];
  let next = 0;
  const runSome = async (): Promise<void> => {
    while (next < chosen.length) {
      const index = next++;
      results[index] = await runTrial(chosen[index], seedsMax);
      report(results[index]);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, runSome));
  return results;
}

function isGood({ isExpected }: TrialResult): boolean {
  return isExpected;
}

function verdictOf({ rule, isExpected, seed, defect, text }: TrialResult): string {
  if (rule === null) return `NOT CAUGHT in ${seed} seeds`;
  const where = `at seed ${seed} of ${seedsMax ?? defect.seedsMax}`;
  return isExpected ? `${rule} ${where}` : `${rule} ${where}, which was not expected: ${text}`;
}

const begunMs = performance.now();
const isTable = !values.json && !values.markdown;
const results = await runAll((result) => {
  if (!isTable) return;
  const { name, clause } = result.defect;
  console.log(`${name.padEnd(36)} ${clause.padEnd(22)} ${verdictOf(result)}`);
});
const caughtCount = results.filter(isGood).length;
if (values.json) {
  const rows = results.map(({ defect, rule, seed, text, ms }) => {
    const { name, clause, why } = defect;
    return { name, clause, why, rule, seed, seedsMax: defect.seedsMax, text, ms: Math.round(ms) };
  });
  console.log(JSON.stringify(rows, null, 2));
} else if (values.markdown) {
  console.log('| defect | clause | what goes wrong | caught by | at seed | of |');
  console.log('| --- | --- | --- | --- | ---: | ---: |');
  for (const { defect, rule, seed } of results) {
    const { name, clause, why } = defect;
    console.log(`| ${name} | ${clause} | ${why} | ${rule ?? 'NOT CAUGHT'} | ${seed} | ${defect.seedsMax} |`);
  }
} else {
  const seconds = Math.round((performance.now() - begunMs) / 1000);
  console.log(`${caughtCount} of ${results.length} caught, in ${seconds} s`);
}
process.exitCode = caughtCount === results.length ? 0 : 1;
