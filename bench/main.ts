/**
 * `npm run bench -- [--json FILE] [--only NAME]`: measures against peers, in one run, and never judges: what a number
 * should be is said in the documentation, not here.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { QUICK_SETTINGS as ALLOCATION_QUICK, runAllocation } from './allocation/allocation-bench.ts';
import { QUICK_SETTINGS as CLIENT_QUICK, runClient } from './client/client-bench.ts';
import { runCodec } from './codec.ts';
import { QUICK_SETTINGS as CONNECTION_QUICK, runConnections } from './connections/connections-bench.ts';
import { QUICK_SETTINGS as FLEET_QUICK, runFleet } from './connections/fleet-bench.ts';
import { QUICK_SETTINGS as GROWTH_QUICK, runGrowth } from './growth/growth-bench.ts';
import { calibration, noiseText } from './measure.ts';
import { runMany } from './connections/many-bench.ts';
import { replaceFigures } from './markdown.ts';
import { plotResults } from './plot.ts';
import type { Results, RunFigures } from './results.ts';
import { Selection } from './selection.ts';
import { runWasm } from './wasm.ts';

/** Gives numbers by case: of the cases that are wanted, and quickly, if nobody wants to know the numbers. */
type Run = (isWanted: (name: string) => boolean, isQuick: boolean) => object | Promise<object>;

const BENCHES: Record<string, { text: string; run: Run }> = {
  codec: { text: 'encode and decode against mqtt-packet', run: runCodec },
  wasm: { text: 'the WASM codec against the one in TypeScript', run: runWasm },
  client: {
    text: 'publish and receive against MQTT.js, on Mosquitto and on our broker',
    run: (isWanted, isQuick) => runClient(isWanted, isQuick ? CLIENT_QUICK : undefined),
  },
  connection: {
    text: 'memory and connect rate at 2,000 connections',
    run: (isWanted, isQuick) => runConnections(isWanted, isQuick ? CONNECTION_QUICK : undefined),
  },
  fleet: {
    text: '1,000 devices against what `mqttx bench pub` does',
    run: (isWanted, isQuick) => runFleet(isWanted, isQuick ? FLEET_QUICK : undefined),
  },
  many: {
    text: 'motemq fleet with 20,000 devices',
    run: (isWanted, isQuick) => runMany(isWanted, isQuick ? 50 : undefined),
  },
  allocation: {
    text: 'bytes allocated for each operation',
    run: (isWanted, isQuick) => runAllocation(isWanted, isQuick ? ALLOCATION_QUICK : undefined),
  },
  growth: {
    text: 'costs by payload, properties, filters and connections',
    run: (isWanted, isQuick) => runGrowth(isWanted, isQuick ? GROWTH_QUICK : undefined),
  },
};

const HELP = `npm run bench -- [options]

Measures motemq against its peers in one run, in about six minutes. Needs no network. Starts Mosquitto, where it is
installed, and its own broker.

  --only NAME       one bench, or one case of it (client.publish0); may be repeated
  --json FILE       writes what was measured as JSON; every ratio: larger is better for us
  --plot FILE       draws it, as SVG
  --markdown FILE   rewrites the figures between the markers in a Markdown file
  --quick           next to no time for each: to see that it works, not to learn anything
  --from FILE       measures nothing: takes what an earlier run wrote with --json
  --help            this

${Object.entries(BENCHES)
  .map(([name, { text }]) => `  ${name.padEnd(16)}  ${text}`)
  .join('\n')}`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    json: { type: 'string' },
    plot: { type: 'string' },
    markdown: { type: 'string' },
    quick: { type: 'boolean' },
    from: { type: 'string' },
    help: { type: 'boolean' },
  },
});

async function runAll(selection: Selection): Promise<Results> {
  const results: Record<string, object> = {};
  for (const [bench, { run }] of Object.entries(BENCHES)) {
    if (!selection.hasBench(bench)) continue;
    const result = await run((name) => selection.hasCase(bench, name), values.quick === true);
    if (Object.keys(result).length > 0) results[bench] = result;
  }
  const noise = calibration.noise();
  if (noise !== undefined) console.log(`\n${noiseText(noise)}`);
  const run: RunFigures = {
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cores: availableParallelism(),
    seconds: Math.round(performance.now() / 1000),
    noise,
  };
  return { ...results, run };
}

if (values.help === true) {
  console.log(HELP);
} else {
  const selection = new Selection(values.only, Object.keys(BENCHES));
  const results =
    values.from === undefined
      ? await runAll(selection)
      : (JSON.parse(readFileSync(values.from, 'utf8')) as Results);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
  if (values.plot !== undefined) writeFileSync(values.plot, plotResults(results));
  if (values.markdown !== undefined) {
    const text = readFileSync(values.markdown, 'utf8');
    writeFileSync(values.markdown, replaceFigures(text, results));
  }
}
