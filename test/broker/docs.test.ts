/**
 * What docs/broker.md says of limits, flags, options and metrics, against what there is.
 */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { OPTION_NAMES } from '../../sim/broker/check-options.ts';
import { Counters } from '../../sim/broker/counters.ts';
import { LIMITS, LIMIT_NAMES } from '../../sim/broker/limits.ts';
import { startMetrics } from '../../sim/broker/metrics.ts';
import { register } from '../../targets/cli/broker.ts';

const TEXT = readFileSync(new URL('../../docs/broker.md', import.meta.url), 'utf8');

function limitsTable(): string {
  const number = (value: number): string => value.toLocaleString('en-US');
  const rows = LIMIT_NAMES.map((name) => {
    const { default: usual, min, max, text } = LIMITS[name];
    return `| \`${name}\` | ${number(usual)} | ${number(min)} to ${number(max)} | ${text} |`;
  });
  return [
    '| limit | default | range | what is bounded, and what a client hears |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n');
}

describe('docs/broker.md', () => {
  it('has the limits as they are', () => {
    const [, table] = /<!-- limits: .*? -->\n\n(.*?)\n\n<!-- \/limits -->/s.exec(TEXT) ?? [];
    expect(table).toBe(limitsTable());
  });

  it('has every flag', () => {
    const program = new Command();
    register(program);
    const [{ options }] = program.commands;
    const missing = options.map((option) => option.long ?? '').filter((long) => !TEXT.includes(long));
    expect(missing).toEqual([]);
  });

  it('has every option', () => {
    const missing = OPTION_NAMES.filter((name) => !TEXT.includes(`\`${name}`));
    expect(missing).toEqual(['version']);
  });

  it('has every metric', async () => {
    const gauges = {
      connections: 0,
      sessions: 0,
      subscriptions: 0,
      retainedMessages: 0,
      retainedBytes: 0,
      queuedMessages: 0,
      queuedBytes: 0,
      inflight: 0,
    };
    const server = await startMetrics({ counters: new Counters(), gauges: () => gauges }, '127.0.0.1', 0);
    const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
    await server.close();
    const names = [...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !TEXT.includes(`\`${name}`))).toEqual([]);
  });
});
