/**
 * `npm run bench -- [--json FILE] [--only NAME]`: measures against peers, in one run, and never judges: what a number
 * should be is said in the documentation, not here.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runCodec } from './codec.ts';

/** Each gives its numbers by case; it is handed which cases are wanted. */
const BENCHES: Record<string, (isWanted: (name: string) => boolean) => object | Promise<object>> = {
  codec: runCodec,
};

const { values } = parseArgs({
  options: { json: { type: 'string' }, only: { type: 'string', multiple: true } },
});

/** `--only codec` runs all of it, `--only codec.publish` or `--only publish` one case. */
function isWanted(bench: string, name: string): boolean {
  return values.only?.some((only) => [bench, name, `${bench}.${name}`].includes(only)) ?? true;
}

const results: Record<string, object> = {};
for (const [bench, run] of Object.entries(BENCHES)) {
  const result = await run((name) => isWanted(bench, name));
  if (Object.keys(result).length > 0) results[bench] = result;
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
