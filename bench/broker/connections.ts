/**
 * `npm run bench:broker-connections -- [--connections N] [--rate N] [--seconds N] [--json FILE]`: what an idle connection
 * costs the broker, and how it takes a storm of CONNECTs, beside a bare server of Node's in the same run. Server and
 * clients are processes of their own. Prints numbers and judges none.
 */
import { execSync, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Order, StormResult } from './connections-clients.ts';
import type { ServerState } from './connections-server.ts';

/** Descriptors that a process needs beside those of the connections that stay. */
const OTHER_DESCRIPTORS = 1000;

interface Idle {
  connections: number;
  /** Bytes that the server's resident memory grew by for each, and its heap. */
  rssBytes: number;
  heapBytes: number;
}

interface Storm extends StormResult {
  /** Of the connections that stay, how many answered afterwards. */
  survivors: number;
}

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '10000' },
    rate: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '10' },
    json: { type: 'string' },
  },
});

/** As many as asked for, or as many as the system lets one process have. */
function affordable(wanted: number): number {
  if (process.platform === 'win32') return wanted;
  const limit = execSync('ulimit -n', { shell: '/bin/sh' }).toString().trim();
  const most = limit === 'unlimited' ? Infinity : Number(limit) - OTHER_DESCRIPTORS;
  if (most >= wanted) return wanted;
  console.log(
    `ulimit -n is ${limit}: too low for ${wanted} connections, so ${most} are opened. ` +
      `"ulimit -n ${wanted + OTHER_DESCRIPTORS}" before the command lets it have all.\n`,
  );
  if (most < 1) throw new Error('ulimit -n is too low for any connection');
  return most;
}

async function start(file: string, args: string[], execArgv: string[]): Promise<[ChildProcess, unknown]> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, { execArgv });
  const [first] = (await once(child, 'message')) as [unknown];
  return [child, first];
}

async function ask<Answer>(child: ChildProcess, order: Order | 'state'): Promise<Answer> {
  child.send(order);
  const [answer] = (await once(child, 'message')) as [Answer];
  return answer;
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.disconnect();
  await exited;
}

/** Opens so many connections, has the storm go over them, and stops everything. */
async function measure(kind: 'motemq' | 'net'): Promise<[Idle, Storm]> {
  const [server, port] = await start('./connections-server.js', [kind], ['--expose-gc']);
  const [clients] = await start('./connections-clients.js', [String(port)], []);
  const before = await ask<ServerState>(server, 'state');
  const connections = await ask<number>(clients, { kind: 'open', count });
  const after = await ask<ServerState>(server, 'state');
  if (after.connections < connections) throw new Error(`${kind} has ${after.connections} connections`);
  const idle = {
    connections,
    rssBytes: (after.rss - before.rss) / connections,
    heapBytes: (after.heapUsed - before.heapUsed) / connections,
  };
  const result = await ask<StormResult>(clients, { kind: 'storm', perSecond, seconds });
  const storm = { ...result, survivors: await ask<number>(clients, { kind: 'ping' }) };
  await stop(clients);
  await stop(server);
  return [idle, storm];
}

const kilobytes = (bytes: number): string => (bytes / 1024).toFixed(2);

function printLine(...columns: [string, ...(string | number)[]]): void {
  const [name, ...cells] = columns;
  console.log(name.padEnd(34) + cells.map((cell) => String(cell).padStart(16)).join(''));
}

const count = affordable(Number(values.connections));
const perSecond = Number(values.rate);
const seconds = Number(values.seconds);

const [netIdle, netStorm] = await measure('net');
const [idle, storm] = await measure('motemq');

printLine('idle connections', 'motemq', 'bare net server', 'difference');
printLine('opened', idle.connections, netIdle.connections);
for (const [name, key] of [
  ['KB of resident memory for each', 'rssBytes'],
  ['KB of heap for each', 'heapBytes'],
] as const) {
  printLine(name, kilobytes(idle[key]), kilobytes(netIdle[key]), kilobytes(idle[key] - netIdle[key]));
}
console.log(`\n${perSecond} CONNECTs a second for ${seconds} s, beside them`);
for (const [name, key, digits] of [
  ['begun a second', 'perSecond', 0],
  ['let in', 'accepted', 0],
  ['refused', 'refused', 0],
  ['failed', 'failed', 0],
  ['ms to CONNACK, p50', 'p50Ms', 2],
  ['ms to CONNACK, p99', 'p99Ms', 2],
  ['ms to CONNACK, longest', 'maxMs', 2],
  ['idle connections that answer', 'survivors', 0],
] as const) {
  printLine(name, storm[key].toFixed(digits), netStorm[key].toFixed(digits));
}

if (values.json !== undefined) {
  const results = { motemq: { idle, storm }, net: { idle: netIdle, storm: netStorm } };
  writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
}
