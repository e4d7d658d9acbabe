/**
 * `npm run wasm:fuzz -- [--cases N] [--seed N]`: compares the WASM codec with the one in TypeScript on random bytes, and
 * ends with an error at the first difference.
 */
import { parseArgs } from 'node:util';
import { createWasmMemory } from '../targets/wasm/index.ts';
import { Differential } from './wasm-differential.ts';

const STEP = 500_000;

const { values } = parseArgs({
  options: { cases: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } },
});
const memory = createWasmMemory();
if (memory === undefined)
  throw new Error('no WebAssembly with SIMD here, or dist was built without build:wasm');
const differential = new Differential(memory, Number(values.seed));
const cases = Number(values.cases);
for (let done = 0; done < cases; done += STEP) {
  const tally = differential.run(Math.min(STEP, cases - done));
  console.log(JSON.stringify(tally));
}
console.log(`${cases.toLocaleString('en')} cases of seed ${values.seed}, 0 differences`);
