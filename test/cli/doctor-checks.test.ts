/**
 * What `motemq doctor` and `motemq flash` find on computers that are made up: SDKs, ESP-IDF, ports and their rights,
 * programs; and the report.
 */
import { chmodSync, mkdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { examine, isWell, type Report } from '../../targets/cli/doctor-checks.ts';
import { renderReport } from '../../targets/cli/doctor.ts';
import { compareVersions, versionIn, type Finding } from '../../targets/cli/findings.ts';
import { findProgram, runProgram, thisMachine, type Machine } from '../../targets/cli/machine.ts';
import { checkEspIdf, compilerFor, findEspIdf } from '../../targets/cli/moddable-esp-idf.ts';
import {
  checkBuildPrograms,
  checkCompiler,
  checkGlib,
  checkSdk,
  checkToolsRun,
  findSdk,
} from '../../targets/cli/moddable-sdk.ts';
import { parseTarget } from '../../targets/cli/moddable-target.ts';
import { checkSerialPorts, findSerialPort, listSerialPorts } from '../../targets/cli/serial-ports.ts';
import { eventually } from '../support/wait.ts';
import { FakeComputer, isAlive } from './fake-moddable.ts';

let computer: FakeComputer;
beforeEach(() => {
  computer = new FakeComputer();
});
afterEach(() => computer.remove());

const ESP32 = parseTarget('esp32', 'lin');

/** The findings as `id: state`, and that all which are not ok say what to do. */
function statesOf(findings: readonly Finding[]): Record<string, string> {
  for (const { state, fix, title } of findings) expect(fix.length > 0, title).toBe(state !== 'ok');
  return Object.fromEntries(findings.map(({ id, state }) => [id, state]));
}

describe('versions', () => {
  it.each([
    ['1.2.3', '1.2.3', 0],
    ['1.2', '1.2.0', 0],
    ['1.10', '1.9', 1],
    ['5.9.3', '6.0', -1],
    ['20.20.2', '20.19', 1],
    ['v', '0', 0],
  ])('%s against %s', (a, b, sign) => expect(Math.sign(compareVersions(a, b))).toBe(sign));

  it('are found in what programs say', () => {
    expect(versionIn('mosquitto version 2.0.11\n')).toBe('2.0.11');
    expect(versionIn('v6.0-dirty')).toBe('6.0');
    expect(versionIn('7')).toBeUndefined();
  });
});

describe('the SDK', () => {
  it('is found at a usual place, by mcconfig on PATH, and by MODDABLE', () => {
    computer.addSdk();
    expect(findSdk(computer.machine())).toEqual({
      folder: computer.sdk,
      version: '8.2.3',
      foundBy: 'a usual place',
      toolsFolder: computer.tools,
    });
    computer.addToPath(computer.tools);
    expect(findSdk(computer.machine())).toMatchObject({ foundBy: 'mcconfig on PATH', version: '8.2.3' });
    computer.env['MODDABLE'] = computer.sdk;
    expect(findSdk(computer.machine())).toMatchObject({ foundBy: 'MODDABLE' });
    expect(statesOf(checkSdk(computer.machine(), findSdk(computer.machine())))).toEqual({
      'moddable-sdk': 'ok',
      'moddable-tools': 'ok',
    });
  });

  it('is missing', () => {
    const [finding] = checkSdk(computer.machine(), findSdk(computer.machine()));
    expect(finding).toMatchObject({ id: 'moddable-sdk', state: 'missing' });
    expect(finding.fix.join('\n')).toContain('git clone https://github.com/Moddable-OpenSource/moddable');
  });

  it('is not guessed when MODDABLE is wrong', () => {
    computer.addSdk();
    for (const [folder, why] of [
      ['/nowhere', 'there is no folder /nowhere'],
      [computer.home, 'holds no tools/VERSION'],
    ]) {
      computer.env['MODDABLE'] = folder;
      const machine = computer.machine();
      expect(findSdk(machine)).toBeUndefined();
      const [finding] = checkSdk(machine, undefined);
      expect(finding.state).toBe('wrong');
      expect(finding.detail).toContain(why);
    }
  });

  it('may be old, or not built', () => {
    computer.addSdk('7.1.0');
    rmSync(computer.tools, { recursive: true });
    const machine = computer.machine();
    const findings = checkSdk(machine, findSdk(machine));
    expect(statesOf(findings)).toEqual({ 'moddable-sdk': 'wrong', 'moddable-tools': 'missing' });
    expect(findings[1].fix[0]).toMatch(new RegExp(`^make -C .*/moddable/build/makefiles/lin `));
  });

  it('is not driven on Windows', () => {
    const machine = computer.machine({ platform: 'win32' });
    expect(findSdk(machine)).toBeUndefined();
    expect(statesOf(checkSdk(machine, undefined))).toEqual({ 'moddable-sdk': 'wrong' });
  });

  it.each([
    ['of another kind of computer', { failure: 'ENOEXEC', status: null }, 'wrong'],
    ['without a library', { status: 127 }, 'wrong'],
    ['that hang', { failure: 'TIMEOUT', status: null }, 'wrong'],
    ['as they are', { status: 22 }, 'ok'],
  ])('has tools %s', async (_what, answer, state) => {
    computer.addSdk();
    const machine = computer.machine({}, { xsc: answer });
    expect(statesOf(await checkToolsRun(machine, findSdk(machine)!))).toEqual({
      'moddable-tools-run': state,
    });
  });

  it('lacks a tool', async () => {
    computer.addSdk();
    rmSync(`${computer.tools}/xsl`);
    const machine = computer.machine();
    const [finding] = await checkToolsRun(machine, findSdk(machine)!);
    expect(finding).toMatchObject({ state: 'wrong', detail: `xsl is not in ${computer.tools}` });
  });
});

describe('programs', () => {
  it('to build with', () => {
    expect(statesOf(checkBuildPrograms(computer.machine()))).toEqual({ 'build-programs': 'ok' });
    rmSync(`${computer.bin}/make`);
    expect(checkBuildPrograms(computer.machine())[0]).toMatchObject({
      state: 'missing',
      detail: 'not on PATH: make',
    });
    expect(findProgram(computer.machine(), 'bin')).toBeUndefined();
    chmodSync(`${computer.bin}/bash`, 0o644);
    expect(findProgram(computer.machine(), 'bash')).toBeUndefined();
  });

  it('the C compiler', async () => {
    expect((await checkCompiler(computer.machine()))[0]).toMatchObject({ state: 'missing' });
    computer.program('bin/clang', '');
    expect((await checkCompiler(computer.machine()))[0].fix).toEqual(['export CC=clang']);
    computer.env['CC'] = 'clang';
    const good = computer.machine({}, { clang: { stdout: 'clang version 19.1\nTarget: x\n' } });
    expect(await checkCompiler(good)).toEqual([
      { id: 'c-compiler', title: 'C compiler', state: 'ok', detail: 'clang version 19.1', fix: [] },
    ]);
    const bad = computer.machine({}, { clang: { status: 1, stderr: 'no licence\nmore' } });
    expect((await checkCompiler(bad))[0].detail).toBe('clang does not run: no licence');
  });

  it('GLib, on Linux alone', async () => {
    const linux = (answers = {}) => computer.machine({}, answers);
    expect(await checkGlib(computer.machine({ platform: 'darwin' }))).toEqual([]);
    expect(statesOf(await checkGlib(linux()))).toEqual({ glib: 'missing' });
    computer.addGlib();
    expect(statesOf(await checkGlib(linux({ 'pkg-config': { status: 1 } })))).toEqual({ glib: 'missing' });
    expect(statesOf(await checkGlib(linux({ 'pkg-config': { stdout: '2.74' } })))).toEqual({ glib: 'ok' });
  });
});

describe('ESP-IDF', () => {
  const check = (machine: Machine, chip = 'esp32'): readonly Finding[] => {
    const sdk = findSdk(machine);
    return checkEspIdf(machine, sdk, findEspIdf(machine, sdk), chip);
  };
  const ALL_OK = { 'esp-idf': 'ok', 'esp-toolchain': 'ok', 'esp-python': 'ok' };

  it('is found, with compiler and Python', () => {
    computer.addSdk().addIdf();
    expect(statesOf(check(computer.machine()))).toEqual(ALL_OK);
    computer.env['IDF_PATH'] = computer.idf;
    expect(check(computer.machine())[0].detail).toBe(`6.0.0 in ${computer.idf} (IDF_PATH)`);
  });

  it('is missing, and the version to get is the one that the SDK wants', () => {
    computer.addSdk();
    computer.write(
      `${computer.sdk}/build/devices/esp32/manifest.json`,
      '{"build":{"EXPECTED_ESP_IDF":"v6.1"}}',
    );
    const [finding] = check(computer.machine());
    expect(finding.state).toBe('missing');
    expect(finding.fix[0]).toContain('git clone -b v6.1 --recursive');
  });

  it('is not guessed when IDF_PATH is wrong', () => {
    computer.addSdk().addIdf();
    computer.env['IDF_PATH'] = '/nowhere';
    expect(statesOf(check(computer.machine()))).toEqual({ 'esp-idf': 'wrong' });
  });

  it.each([
    ['5.5.1', 'wrong'],
    ['6.1.0', 'wrong'],
    ['6.0.2', 'ok'],
  ])('of version %s is %s', (version, state) => {
    computer.addSdk().addIdf(version);
    expect(check(computer.machine())[0]).toMatchObject({ state });
  });

  it('of several is the one that the SDK wants', () => {
    computer.addSdk().addIdf();
    for (const place of ['esp32/esp-idf', 'esp/esp-idf']) {
      computer.write(`home/${place}/export.sh`);
      computer.write(`home/${place}/version.txt`, 'v5.3.1\n');
    }
    expect(findEspIdf(computer.machine(), findSdk(computer.machine()))?.folder).toBe(computer.idf);
    expect(findEspIdf(computer.machine(), undefined)).toMatchObject({ version: '5.3.1' });
  });

  it('must be a clone', () => {
    computer.addSdk().addIdf();
    rmSync(`${computer.idf}/.git`, { recursive: true });
    expect(check(computer.machine())[0]).toMatchObject({ state: 'wrong' });
    rmSync(`${computer.bin}/git`);
    expect(statesOf(check(computer.machine()))).toMatchObject({ git: 'missing' });
  });

  it('may lack the compiler for a chip, or Python', () => {
    computer.addSdk().addIdf();
    const findings = check(computer.machine(), 'esp32c3');
    expect(statesOf(findings)).toEqual({ ...ALL_OK, 'esp-toolchain': 'missing' });
    expect(findings[1].fix).toEqual([`${computer.idf}/install.sh esp32c3`]);
    computer.env['IDF_TOOLS_PATH'] = '/nowhere';
    expect(statesOf(check(computer.machine()))).toEqual({
      'esp-idf': 'ok',
      'esp-toolchain': 'missing',
      'esp-python': 'missing',
    });
    computer.program('bin/idf.py', '');
    computer.program('bin/xtensa-esp32-elf-gcc', '');
    expect(statesOf(check(computer.machine()))).toEqual(ALL_OK);
  });

  it.each([
    ['esp32', 'xtensa-esp32-elf-gcc'],
    ['esp32s3', 'xtensa-esp32s3-elf-gcc'],
    ['esp32c6', 'riscv32-esp-elf-gcc'],
    ['esp32h2', 'riscv32-esp-elf-gcc'],
  ])('compiles for %s with %s', (chip, name) => expect(compilerFor(chip)).toBe(name));
});

describe('serial ports', () => {
  const linux = (parts: Partial<Machine> = {}): Machine => computer.machine({ platform: 'linux', ...parts });

  it('are those that a board may be on', () => {
    for (const name of ['ttyUSB1', 'ttyUSB0', 'ttyACM0', 'ttyS0', 'tty1', 'cu.usbmodem1', 'cu.Bluetooth']) {
      computer.write(`dev/${name}`);
    }
    const byId = `${computer.folder}/dev/serial/by-id`;
    mkdirSync(byId, { recursive: true });
    symlinkSync('../../ttyUSB0', `${byId}/usb-Silicon_Labs_CP2102_0001-if00-port0`);
    expect(listSerialPorts(linux()).map(({ path, description }) => [path, description])).toEqual([
      ['/dev/ttyACM0', undefined],
      ['/dev/ttyUSB0', 'Silicon Labs CP2102 0001'],
      ['/dev/ttyUSB1', undefined],
    ]);
    expect(listSerialPorts(linux({ platform: 'darwin' })).map(({ path }) => path)).toEqual([
      '/dev/cu.usbmodem1',
    ]);
    expect(listSerialPorts(linux({ platform: 'win32' }))).toEqual([]);
  });

  it('are none', () => {
    expect(statesOf(checkSerialPorts(linux(), []))).toEqual({ 'serial-port': 'missing' });
    const onMac = checkSerialPorts(linux({ platform: 'darwin' }), [])[0].fix;
    expect(onMac.join()).toContain('driver');
    expect(findSerialPort(linux(), '/dev/ttyUSB7')).toBeUndefined();
  });

  /** What is advised for a port of a group, whose members are these, when this process is in those groups. */
  function advice(members: string, groups: number[], name = 'dialout'): string {
    const id = statSync(computer.addPort()).gid;
    // The file belongs to whoever runs the tests; root's group is not given away.
    const given = id === 0 ? 20 : id;
    computer.write('etc/group', `root:x:0:\n${name}:x:${given}:${members}\n`);
    const machine = linux({ groups: groups.map((one) => (one < 0 ? given : one)), mayUse: () => false });
    const port = { ...findSerialPort(machine, '/dev/ttyUSB0')!, group: name, groupId: given };
    const [finding] = checkSerialPorts(machine, [port]);
    expect(finding.state).toBe('wrong');
    return finding.fix.join('\n');
  }

  it('may be forbidden: to somebody outside their group', () => {
    expect(advice('', [])).toBe('sudo usermod -aG dialout ada   then log in again');
    expect(advice('bob', [1, 2], 'uucp')).toBe('sudo usermod -aG uucp ada   then log in again');
  });

  it('may be forbidden: to somebody who has not logged in since', () => {
    expect(advice('bob,ada', [])).toContain('from your next login on');
  });

  it('may be forbidden: to their whole group', () => {
    expect(advice('ada', [-1])).toBe('sudo chmod g+rw /dev/ttyUSB0');
  });

  it('may be forbidden: to all but root, whose group is not for joining', () => {
    computer.addPort();
    const machine = linux({ mayUse: () => false });
    const port = { ...findSerialPort(machine, '/dev/ttyUSB0')!, group: 'root', groupId: 0 };
    expect(checkSerialPorts(machine, [port])[0].fix.join()).not.toContain('usermod');
  });

  it('that can be used are ok', () => {
    computer.addPort();
    expect(statesOf(checkSerialPorts(linux(), listSerialPorts(linux())))).toEqual({ 'serial-port': 'ok' });
  });
});

describe('a program that is run', () => {
  it('tells what it says and how it ends', async () => {
    const script = 'process.stdout.write("out"); process.stderr.write("err"); process.exitCode = 3';
    expect(await runProgram(process.execPath, ['-e', script])).toEqual({
      status: 3,
      stdout: 'out',
      stderr: 'err',
      failure: undefined,
    });
  });

  it('may not be there, or not be for this computer', async () => {
    expect(await runProgram('/nowhere/x', [])).toMatchObject({ status: null, failure: 'ENOENT' });
    const folder = computer.write('data', 'x');
    expect(await runProgram(folder, [])).toMatchObject({ status: null, failure: 'EACCES' });
  });

  it('is not waited for when it hangs, nor what it has started', async () => {
    const script = `
      const { spawn } = require('node:child_process');
      const started = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
      console.log(started.pid);
      setInterval(() => {}, 1000);`;
    // Long enough for the number to be printed on a busy computer.
    const result = await runProgram(process.execPath, ['-e', script], { timeoutMs: 2000 });
    expect(result).toMatchObject({ status: null, failure: 'TIMEOUT' });
    const started = Number(result.stdout);
    expect(started).toBeGreaterThan(0);
    await eventually(() => !isAlive(started), { what: 'what it has started to end' });
  });

  it('is one of this computer', () => {
    const machine = thisMachine();
    expect(machine.nodeVersion).toBe(process.versions.node);
    expect(machine.mayUse(process.execPath + '-not')).toBe(false);
    expect(machine.mayUse(computer.write('mine'))).toBe(true);
  });
});

/** Everything that flashing takes, and a computer that compiles. */
function completeMachine(): Machine {
  computer.addSdk().addIdf().addPort();
  for (const name of ['cc', 'npm', 'tar', 'tsc', 'mosquitto', 'mosquitto_pub', 'mosquitto_sub']) {
    computer.program(`bin/${name}`, '');
  }
  computer.write(
    'proc/self/limits',
    'Limit  Soft  Hard\nMax open files            4096      4096      files\n',
  );
  const answers = {
    xsc: { status: 22 },
    cc: { stdout: 'cc 12\n' },
    tsc: { stdout: 'Version 6.0.3\n' },
    mosquitto: { status: 3, stdout: 'mosquitto version 2.0.11\n' },
  };
  return computer.machine({}, answers);
}

describe('the report', () => {
  it('is good when all is there', async () => {
    const report = await examine(completeMachine(), ESP32, undefined);
    expect(report.checks.filter(({ state }) => state !== 'ok')).toEqual([]);
    expect(report.ready).toEqual({ flash: true, fleet: true, xs: true });
    expect(isWell(report, undefined)).toBe(true);
    const ids = report.checks.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('says for each purpose what is needed for it', async () => {
    const machine = completeMachine();
    rmSync(computer.sdk, { recursive: true });
    rmSync(`${computer.bin}/cc`);
    const report = await examine(machine, ESP32, undefined);
    expect(report.ready).toEqual({ flash: false, fleet: true, xs: false });
    // Missing, which may be as wanted; but nothing is wrong.
    expect(isWell(report, undefined)).toBe(true);
    expect(isWell(report, 'flash')).toBe(false);
    expect(isWell(report, 'fleet')).toBe(true);
  });

  it('is bad for everything with an old Node', async () => {
    const report = await examine({ ...completeMachine(), nodeVersion: '18.20.0' }, ESP32, undefined);
    expect(report.ready).toEqual({ flash: false, fleet: false, xs: false });
    expect(isWell(report, undefined)).toBe(false);
  });

  it('does without what is only good to have', async () => {
    const machine = completeMachine();
    for (const name of ['tsc', 'mosquitto', 'mosquitto_pub', 'mosquitto_sub'])
      rmSync(`${computer.bin}/${name}`);
    const report = await examine(machine, ESP32, undefined);
    expect(report.ready.flash).toBe(true);
    const missing = report.checks.filter(({ state }) => state === 'missing').map(({ id }) => id);
    expect(missing).toEqual(['typescript', 'mosquitto']);
  });

  it('is content with one port of several', async () => {
    const machine = completeMachine();
    computer.write('dev/ttyUSB1');
    const mayUse = (path: string): boolean => !path.endsWith('ttyUSB1');
    expect((await examine({ ...machine, mayUse }, ESP32, undefined)).ready.flash).toBe(true);
    expect((await examine({ ...machine, mayUse: () => false }, ESP32, undefined)).ready.flash).toBe(false);
  });

  it('for the simulator asks for other things', async () => {
    const machine = completeMachine();
    rmSync(computer.idf, { recursive: true });
    rmSync(`${computer.folder}/dev`, { recursive: true });
    const report = await examine(machine, parseTarget('lin', 'lin'), undefined);
    const ids = report.checks.map(({ id }) => id);
    expect(ids).not.toContain('esp-idf');
    expect(ids).not.toContain('serial-port');
    // There is no pkg-config.
    expect(report.checks.filter(({ state }) => state !== 'ok').map(({ id }) => id)).toEqual(['glib']);
  });

  it('knows when a fleet has too few sockets', async () => {
    const machine = completeMachine();
    computer.write('proc/self/limits', 'Max open files            256      4096      files\n');
    const report = await examine(machine, ESP32, undefined);
    expect(report.ready).toEqual({ flash: true, fleet: false, xs: true });
  });

  it('needs the broker for whatever is asked', async () => {
    const broker: Finding = { id: 'broker', title: 'broker', state: 'wrong', detail: 'no', fix: ['yes'] };
    const report = await examine(completeMachine(), ESP32, broker);
    expect(report.ready).toEqual({ flash: false, fleet: false, xs: false });
  });

  it('is told a line each, with what to do below', async () => {
    const machine = completeMachine();
    rmSync(`${computer.bin}/tsc`);
    rmSync(`${computer.folder}/dev`, { recursive: true });
    const report = await examine(machine, ESP32, undefined);
    const lines = renderReport(report, 'flash', ESP32, false);
    expect(lines).toContain('ok       Node                 20.19.0');
    expect(lines).toContain('missing  TypeScript           no tsc on PATH (optional)');
    const at = lines.findIndex((line) => line.includes('serial port'));
    expect(lines[at]).toMatch(/^missing {2}serial port/);
    expect(lines[at + 1]).toMatch(/^ {9}→ connect the board/);
    expect(lines.at(-1)).toBe('flash --target esp32: not ready: serial port');
    // Other purposes are not looked at.
    expect(lines.join('\n')).not.toContain('C compiler');
    expect(renderReport(report, undefined, ESP32, false).slice(-3)).toEqual([
      'flash --target esp32: not ready: serial port',
      'fleet: ready',
      'xs: ready',
    ]);
    expect(renderReport(report, 'flash', ESP32, true).join('\n')).toContain('\u001b[32mok');
  });

  it('is not well for a purpose that is not ready, and only that', () => {
    const report: Report = { checks: [], ready: { flash: false, fleet: true, xs: true } };
    expect(isWell(report, 'flash')).toBe(false);
    expect(isWell(report, 'xs')).toBe(true);
  });
});
