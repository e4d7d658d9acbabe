/**
 * What a terminal shows while a fleet runs: widths, plain lines, colours.
 */
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { textWidth } from '../../../sim/fleet/format.ts';
import {
  ProgressView,
  renderPlainProgress,
  renderProgress,
  wantsColour,
  type ProgressSnapshot,
} from '../../../sim/fleet/progress.ts';

const RUNNING: ProgressSnapshot = {
  phase: 'running',
  elapsedMs: 32_000,
  durationMs: 60_000,
  devices: 1000,
  connected: 998,
  sent: 32_118,
  delivered: 32_101,
  sentPerSecond: Array.from({ length: 200 }, (_, index) => 900 + index),
  deliveredPerSecond: Array.from({ length: 200 }, (_, index) => 899 + index),
  inFlight: 17,
  latencyP50Ms: 1.2,
  latencyP99Ms: 8.45,
  lost: 2,
  duplicated: 3,
  outOfOrder: 0,
  reconnects: 2,
  errors: 1,
};
const EMPTY: ProgressSnapshot = {
  ...RUNNING,
  phase: 'connecting',
  elapsedMs: 0,
  durationMs: 0,
  devices: 0,
  connected: 0,
  sent: 0,
  delivered: 0,
  sentPerSecond: [],
  deliveredPerSecond: [],
  latencyP50Ms: null,
  latencyP99Ms: null,
};
const HUGE: ProgressSnapshot = {
  ...RUNNING,
  phase: 'draining',
  elapsedMs: 4e8,
  durationMs: 4e8,
  devices: 1e6,
  connected: 1e6,
  sent: 4e12,
  delivered: 4e12,
  sentPerSecond: [1e9],
  deliveredPerSecond: [1e9],
  inFlight: 1e12,
  latencyP99Ms: 1e6,
  lost: 1e12,
};

const WITH_FIRMWARE: ProgressSnapshot = {
  ...RUNNING,
  firmware: 'cli\u001b[2Jmate.js on XS · 760 of 2,048 slots, 8,592 of 32,768 bytes of chunks',
};

describe('renderProgress', () => {
  it('is six lines, with firmware seven, never wider than the terminal', () => {
    for (const snapshot of [RUNNING, EMPTY, HUGE, WITH_FIRMWARE]) {
      for (let columns = 1; columns <= 200; columns++) {
        for (const colour of [false, true]) {
          const lines = renderProgress(snapshot, columns, colour).split('\n');
          expect(lines).toHaveLength(snapshot === WITH_FIRMWARE ? 7 : 6);
          for (const line of lines) {
            expect(textWidth(stripVTControlCharacters(line))).toBeLessThanOrEqual(columns);
          }
        }
      }
    }
  });

  it('lays out the same with and without colour', () => {
    const coloured = renderProgress(RUNNING, 80, true);
    expect(coloured).toContain('\u001b[');
    expect(stripVTControlCharacters(coloured)).toBe(renderProgress(RUNNING, 80, false));
  });

  it('says what matters', () => {
    const text = renderProgress(RUNNING, 80, false);
    for (const part of [
      '998 of 1,000 connected',
      '1,099/s',
      '32,118',
      '1,098/s',
      'p50 1.20 ms',
      'p99 8.45 ms',
    ]) {
      expect(text).toContain(part);
    }
    expect(text).toMatch(/in flight 17\nmissing {4}2 {3}duplicated 3/);
    expect(text).toContain('32 s of 1 min');
    expect(text).toContain('█');
  });

  it('says what devices run and what it takes', () => {
    expect(renderProgress(WITH_FIRMWARE, 80, false)).toMatch(
      /\nfirmware {3}cli \[2Jmate\.js on XS · 760 of 2,048/,
    );
    expect(renderPlainProgress(WITH_FIRMWARE)).toMatch(
      / errors=1 firmware="cli \[2Jmate\.js on XS · 760 of .*"$/,
    );
  });

  it('has a line for logs', () => {
    expect(renderPlainProgress(RUNNING)).toBe(
      '00:32 running    connected=998/1000 sent=32118 (1099/s) delivered=32101 (1098/s) in-flight=17 ' +
        'p50=1.20ms p99=8.45ms missing=2 duplicated=3 reconnects=2 errors=1',
    );
  });
});

describe('wantsColour', () => {
  it('lets NO_COLOR win', () => {
    expect(wantsColour({ isTTY: true }, {})).toBe(true);
    expect(wantsColour({ isTTY: true }, { NO_COLOR: '1', FORCE_COLOR: '1' })).toBe(false);
    expect(wantsColour({ isTTY: true }, { NO_COLOR: '' })).toBe(true);
    expect(wantsColour({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
    expect(wantsColour({}, {})).toBe(false);
    expect(wantsColour({}, { FORCE_COLOR: '1' })).toBe(true);
  });
});

/** A stream that remembers what was written; with `columns` it claims to be a terminal. */
function fakeStream(columns?: number): {
  stream: PassThrough & { isTTY?: boolean; columns?: number };
  text(): string;
} {
  const stream: PassThrough & { isTTY?: boolean; columns?: number } = new PassThrough();
  if (columns !== undefined) Object.assign(stream, { isTTY: true, columns, rows: 24 });
  return { stream, text: () => (stream.read() as Buffer | null)?.toString() ?? '' };
}

describe('ProgressView', () => {
  it('writes plain lines once a second, and at once when the phase changes', () => {
    const { stream, text } = fakeStream();
    const view = new ProgressView(stream, {});
    for (let elapsedMs = 0; elapsedMs < 3000; elapsedMs += 100) view.update({ ...RUNNING, elapsedMs });
    view.update({ ...RUNNING, elapsedMs: 2950, phase: 'draining' });
    view.note('broker said \u001b[2Jbye');
    view.finish();
    const written = text();
    expect(written.split('\n')).toHaveLength(6);
    expect(written).not.toContain('\u001b');
    expect(written).toContain('00:02 draining');
    expect(written).toContain('broker said  [2Jbye\n');
  });

  it('hides the cursor while it redraws and gives it back once, leaving no listeners', () => {
    const { stream, text } = fakeStream(60);
    const listeners = (): number[] =>
      ['exit', 'SIGINT', 'SIGTERM'].map((name) => process.listenerCount(name));
    const before = listeners();
    const view = new ProgressView(stream, { NO_COLOR: '1' });
    view.update(RUNNING);
    expect(listeners()).toEqual(before.map((count) => count + 1));
    view.update({ ...RUNNING, sent: 40_000 });
    view.note('x'.repeat(100));
    view.update({ ...RUNNING, sent: 50_000 });
    view.finish();
    view.finish();
    const written = text();
    expect(written.split('\u001b[?25l')).toHaveLength(2);
    expect(written.split('\u001b[?25h')).toHaveLength(2);
    expect(written.endsWith('\u001b[?25h')).toBe(true);
    expect(written).toContain('50,000');
    // eslint-disable-next-line no-control-regex -- looking for colour is the point
    expect(written).not.toMatch(/\u001b\[\d+m/);
    expect(listeners()).toEqual(before);
  });

  it('gives the cursor back when the process exits without finish', () => {
    const { stream, text } = fakeStream(60);
    const before = process.listeners('exit');
    const view = new ProgressView(stream, {});
    view.update(RUNNING);
    const added = process.listeners('exit').filter((listener) => !before.includes(listener));
    expect(added).toHaveLength(1);
    added[0](0);
    expect(text().endsWith('\u001b[?25h')).toBe(true);
    view.finish();
  });
});
