/**
 * `motemq fleet --firmware`, built, as a person runs it: a file that lies anywhere, and the flags that go with it.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { FleetResult } from '../../sim/fleet/index.ts';
import { BUSY, FirmwareFiles } from '../sim/fleet/firmware/files.ts';

const BIN = fileURLToPath(new URL('../../bin/motemq.js', import.meta.url));

const files = new FirmwareFiles();
afterAll(() => files.remove());

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the command where there is nothing that Node could find modules in. */
function run(...words: string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BIN, 'fleet', ...words], { cwd: files.folder });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

describe('motemq fleet --firmware', () => {
  it('runs a file that lies anywhere, with imports of its own', async () => {
    files.write('half.js', 'export const half = (value) => value / 2;');
    files.define(
      'busy.js',
      BUSY.replace('board.temperature()', 'half(board.temperature())'),
      "import { half } from './half.js';\nbadArguments('is there');",
    );
    const { status, stdout, stderr } = await run(
      ...['--firmware', 'busy.js', '-c', '5', '-d', '0.5', '--ramp', '0', '--id', 'attic', '--json'],
    );
    const result = JSON.parse(stdout) as FleetResult;
    expect(status, stderr).toBe(0);
    expect(result.firmware).toMatchObject({ file: 'busy.js', id: 'busy', engine: 'node' });
    expect(result.options).toMatchObject({ devices: 5, qos: 1, durationSeconds: 0.5 });
    expect(result.options).not.toHaveProperty('intervalMs');
    expect(result.totals.delivered).toBe(result.totals.sent);
    expect(result.outliers.byLatency[0].clientId).toMatch(/^attic-0000\d$/);
    expect(stderr).toContain('running busy.js on Node for 0.5 s, telemetry at QoS 1');
    expect(stderr).toMatch(/ firmware="busy\.js on Node/);
  });

  it('says in summary and report what ran', async () => {
    const path = files.define('shown.js', BUSY);
    const report = join(files.folder, 'report.html');
    const { status, stdout } = await run(
      ...['--firmware', path, '-c', '2', '-d', '0.3', '--ramp', '0', '--report', report],
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/2 devices · shown\.js on Node · /);
    expect(stdout).toContain('samples in them');
    expect(readFileSync(report, 'utf8')).toContain('<span>shown.js on Node</span>');
  });

  it.each<[string[], string]>([
    [['-I', '100'], '--interval: devices that run firmware do as the firmware says: change that'],
    [['-q', '1'], '--qos: devices that run firmware do as the firmware says'],
    [['-t', 'a/%c'], '--topic: devices that run firmware do as the firmware says'],
    [['--engine', 'jerry'], 'Allowed choices are node, xs'],
    [['--id', 'a/b'], '--id: must be text without /, + and #'],
    [['--engine', 'xs', '-L', 'wss://localhost'], '--url: the machines of XS have no WebSocket'],
  ])('refuses %j in one line', async (wrong, message) => {
    const path = files.define('fine.js', BUSY);
    const { status, stdout, stderr } = await run('--firmware', path, '-c', '1', ...wrong);
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('    at ');
  });

  it.each<[string, string, RegExp]>([
    [
      'parse.js',
      'export default {\n  id: "a",\n  metrics: {{}},\n};',
      /--firmware: parse\.js:3: Unexpected token/,
    ],
    ['found.js', 'import "nowhere-to-be-found";', /--firmware: .*Cannot find package 'nowhere-to-be-found'/],
    [
      'field.js',
      'export default { id: "a", qoss: 1 };',
      /--firmware: field\.js: .* must not have a field qoss/,
    ],
    [
      'missing.js',
      'export default { id: "a", metrics: { x: { everyMs: 50, read: (board) => board.co2() } } };',
      /--firmware: missing\.js: x calls co2\(\), which is not there: the simulated board has battery, /,
    ],
  ])('says what is wrong with %s in one line', async (name, text, message) => {
    const { status, stderr } = await run('--firmware', files.write(name, text), '-c', '1');
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain('    at ');
  });

  it('says that there is no file, and that --id needs one', async () => {
    expect((await run('--firmware', 'not-there.js')).stderr).toContain(
      '--firmware: there is no file not-there.js',
    );
    expect((await run('--id', 'a')).stderr).toContain('--id: it is for devices that run firmware');
  });

  it('tells about it in --help', async () => {
    const { stdout } = await run('--help');
    for (const part of [
      '--firmware <file>',
      '--engine <engine>',
      '--id <name>',
      '1000, with --engine xs 20',
    ]) {
      expect(stdout).toContain(part);
    }
  });
});
