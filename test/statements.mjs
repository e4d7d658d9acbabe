/**
 * Prints which numbered statements of MQTT 5.0 no test names, of those that bind a client: `npm run statements`, with
 * `-- --all` for those that bind servers alone as well. A test names a statement in its title, a vector in its text.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const isAll = process.argv.includes('--all');
const statements = readFileSync(join(here, 'mqtt5-statements.tsv'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('MQTT-'))
  .map((line) => line.split('\t'))
  .map(([id, level, binds]) => ({ id, level, binds }));

const named = new Set();
for (const name of readdirSync(here, { recursive: true })) {
  if (!/\.(test\.ts|md)$/.test(name)) continue;
  const text = readFileSync(join(here, name), 'utf8');
  for (const [, id] of text.matchAll(/(?<!v3\.1\.1 )\b(MQTT-\d+\.\d+(?:\.\d+)?-\d+)/g)) named.add(id);
}

const wanted = statements.filter((one) => isAll || one.binds !== 'server');
const missing = wanted.filter((one) => !named.has(one.id));
for (const one of missing) console.log(`${one.id}\t${one.level}\t${one.binds}`);
const whom = isAll ? 'statements' : 'statements that bind a client';
console.log(`${wanted.length - missing.length} of ${wanted.length} ${whom} are named by a test`);
const known = new Set(statements.map((one) => one.id));
const unknown = [...named].filter((id) => !known.has(id));
if (unknown.length > 0)
  console.log(`named by a test, but no statement of the standard: ${unknown.join(', ')}`);
process.exitCode = unknown.length > 0 ? 1 : 0;
