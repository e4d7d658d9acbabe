/**
 * docs/reliability.md against the sources: every kind of fault, every rule, every flag, and none that there is not.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { FAULT_KINDS, FAULT_NAMES } from '../../sim/world/faults.ts';
import { register } from '../../targets/cli/sim.ts';

const WORLD = new URL('../../sim/world/', import.meta.url);
const text = readFileSync(new URL('../../docs/reliability.md', import.meta.url), 'utf8');

/** What stands below a heading, up to the next. */
function below(heading: string): string {
  const from = text.indexOf(`\n${heading}\n`);
  expect(from, heading).toBeGreaterThan(0);
  return text.slice(from + heading.length + 2).split(/\n##/)[0];
}

const first = (source: string, pattern: RegExp): string[] =>
  [...source.matchAll(pattern)].map(([, found]) => found);

/** Names of rules where they are reported: `report('lost', …`, `violate(atMs, 'lost', …`, `['lost', …`. */
function rulesOfSources(): Set<string> {
  const files = readdirSync(WORLD).filter((name) => name.endsWith('.ts') && !name.startsWith('naive-'));
  const rules = files.flatMap((name) => {
    const source = readFileSync(new URL(name, WORLD), 'utf8');
    return [
      ...first(source, /\b(?:report|violate)\(\s*(?:[\w.]+,\s*)?'([a-z0-9-]+)'/g),
      ...first(source, /return \['([a-z0-9-]+)',/g),
    ];
  });
  return new Set(rules);
}

describe('docs/reliability.md', () => {
  it('tells of every kind of fault, and of how long it lasts', () => {
    const rows = [...below('### Faults').matchAll(/^\| `([\w-]+)` \| ([^|]+) \|/gm)];
    const longestOf = (ms: number): string => (ms === 0 ? '–' : `${ms / 1000} s`);
    expect(rows.map(([, name, longest]) => [name, longest])).toEqual(
      FAULT_NAMES.map((kind) => [kind, longestOf(FAULT_KINDS[kind])]),
    );
  });

  it('tells of every rule', () => {
    const told = first(below('### What must not happen'), /`([a-z0-9-]+)`/g);
    const rules = rulesOfSources();
    expect(rules.size).toBeGreaterThan(20);
    expect([...new Set(told)].sort()).toEqual([...rules].sort());
  });

  it('tells of every flag', () => {
    const program = new Command('motemq');
    register(program);
    const flags = program.commands[0].options.map(({ long }) => long);
    expect(first(below('## Examples'), /^\| `(--[\w-]+)` \|/gm)).toEqual(flags);
  });
});
