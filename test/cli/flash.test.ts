/**
 * `motemq flash` and `motemq doctor` as people run them: the real command, built, with an SDK made of scripts that write
 * down how they were called, print what the real ones print, and fail in the ways of the real ones.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startScriptedServer } from '../support/scripted-server.ts';
import { eventually, withDeadline } from '../support/wait.ts';
import { FakeComputer, HOST, isAlive } from './fake-moddable.ts';

const BIN = fileURLToPath(new URL('../../bin/motemq.js', import.meta.url));
const BUILT = fileURLToPath(new URL('../../dist/targets/cli/flash.js', import.meta.url));
const RUN_MS_MAX = 20_000;

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

let computer: FakeComputer;
let children: ChildProcess[] = [];

beforeAll(() => {
  if (!existsSync(BUILT)) throw new Error('the command is not built: npm run build');
});
beforeEach(() => {
  computer = new FakeComputer(HOST);
  children = [];
});
afterEach(() => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  computer.remove();
});

function start(
  words: string[],
  env: NodeJS.ProcessEnv = {},
): { child: ChildProcess; outcome: Promise<Outcome> } {
  const child = spawn(process.execPath, [BIN, ...words], { env: { ...computer.env, ...env } });
  children.push(child);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve({ status, stdout, stderr }));
  });
  return { child, outcome: withDeadline(ended, RUN_MS_MAX, `motemq ${words.join(' ')} to end`) };
}

function run(words: string[], env: NodeJS.ProcessEnv = {}, input = ''): Promise<Outcome> {
  const { child, outcome } = start(words, env);
  child.stdin?.on('error', () => {}); // it may have ended before it has read all
  child.stdin?.end(input);
  return outcome;
}

/** Flags that flash to a port which is there, into the computer's own folder. */
function onBoard(): string[] {
  return ['--port', computer.addPort(), '--output', computer.output];
}

const PASSWORD = 'it\'s "my" $ecret\\';

const GOOD = {
  build: {
    say: [
      '>/usr/bin/idf.py\n',
      '># xsc main.xsb\n# xsl modules\n',
      '>[1/2] x.c\n[2/2] y.c\n',
      '!### 12 keys\n',
    ],
  },
  deploy: {
    say: [
      '># uploading to esp32\n',
      '!Using <env> UPLOAD_PORT\n',
      '>Connecting...',
      '>.\nWriting at 0x00010000... (50 %)\rWriting at 0x00010000... (100 %)\r\nWrote 1 bytes\n',
    ],
  },
};

describe('motemq flash to a board', () => {
  beforeEach(() => {
    computer.addSdk().addIdf();
    computer.behave(GOOD);
  });

  it('builds, then flashes, and says what it does', async () => {
    const app = computer.addApp('sensor');
    const outcome = await run(['flash', app, ...onBoard(), '--ssid', 'home', '--broker', 'mqtt://10.0.0.1']);
    expect(outcome.stdout).toMatch(/^sensor is on esp32, .*\/dev\/ttyUSB0 \(\d+\.\d s\)\n$/);
    expect(outcome.stderr).toBe(
      'compile modules\nlink\nbuild 50 %\nbuild 100 %\nflash\nflash 50 % at 0x00010000\nflash 100 % at 0x00010000\n',
    );
    expect(outcome.status).toBe(0);

    const [build, deploy] = computer.calls();
    const manifest = build.args.at(-1)!;
    const common = ['-m', '-p', 'esp32', '-o', computer.output, '-t'];
    expect(build.args).toEqual([...common, 'build', manifest]);
    expect(deploy.args).toEqual([...common, 'deploy', manifest]);
    expect(build.manifest).toEqual({
      include: [`${app}/manifest.json`],
      config: { ssid: 'home', broker: 'mqtt://10.0.0.1' },
    });
    expect(deploy.env).toMatchObject({
      MODDABLE: computer.sdk,
      IDF_PATH: computer.idf,
      UPLOAD_PORT: `${computer.folder}/dev/ttyUSB0`,
      PATH: `${computer.tools}:${computer.bin}`,
    });
  });

  it('hands over the password in a file that nobody else can read, and that is gone afterwards', async () => {
    const words = ['flash', computer.addApp('sensor'), ...onBoard(), '--ssid', 'home'];
    const { status } = await run(words, { MOTEMQ_WIFI_PASSWORD: PASSWORD });
    expect(status).toBe(0);
    for (const call of computer.calls()) {
      expect(call.manifest.config).toEqual({ ssid: 'home', password: PASSWORD });
      expect(call.manifestMode).toBe(0o600);
      expect(call.umask).toBe(0o077);
      expect(JSON.stringify([call.args, call.env])).not.toContain('ecret');
    }
    expect(computer.calls()).toHaveLength(2);
    expect(readdirSync(computer.output)).toEqual([]);
  });

  it.each([
    ['a file', ['--password-file', 'FILE'], {}, ''],
    ['standard input', ['--password-file', '-'], {}, `${PASSWORD}\n`],
    ['its flag', ['--password', PASSWORD], {}, ''],
    ['the environment', [], { MOTEMQ_WIFI_PASSWORD: PASSWORD }, ''],
  ])('takes the password from %s', async (_where, flags, env, input) => {
    const file = computer.write('password', `${PASSWORD}\n`);
    const words = flags.map((word) => (word === 'FILE' ? file : word));
    const app = computer.addApp('sensor');
    const outcome = await run(['flash', app, ...onBoard(), '--ssid', 'home', ...words], env, input);
    expect(outcome.status).toBe(0);
    expect(computer.calls()[0].manifest.config['password']).toBe(PASSWORD);
    expect(outcome.stderr.includes("shell's history")).toBe(flags[0] === '--password');
  });

  it.each([[[]], [['-v']]])('never shows a secret that the SDK prints, with %j', async (flags) => {
    const broker = 'mqtt://ada:br0ker%20word@10.0.0.1';
    for (const failing of [0, 2]) {
      computer.behave({ build: { echoConfig: true, status: failing }, deploy: { echoConfig: true } });
      const words = ['flash', computer.addApp('sensor'), ...onBoard(), '--ssid', 'home', '--broker', broker];
      words.push('--config', 'apiToken=t0ken-of-mine', ...flags);
      const { stdout, stderr, status } = await run(words, { MOTEMQ_WIFI_PASSWORD: PASSWORD });
      expect(status).toBe(failing === 0 ? 0 : 1);
      const all = stdout + stderr;
      for (const word of ['ecret', 'my', 'br0ker', 't0ken']) expect(all).not.toContain(word);
      if (flags.length > 0 || failing > 0) expect(all).toContain('error: cut ********');
    }
  });

  it('prints everything with -v', async () => {
    const { stdout } = await run(['flash', computer.addApp('sensor'), ...onBoard(), '-v']);
    const lines = stdout.split('\n');
    for (const line of [
      '# xsc main.xsb',
      '### 12 keys',
      'Writing at 0x00010000... (50 %)',
      'Connecting....',
    ]) {
      expect(lines).toContain(line);
    }
  });

  it('shows why a build failed, and flashes nothing', async () => {
    computer.behave({
      build: {
        say: [
          '># xsc main.xsb\n',
          '!/a/main.js:1: error: missing expression!\n### 1 error(s)\n',
          '!make: *** [/a/makefile:322: /a/main.xsb] Error 22\n',
        ],
        status: 2,
      },
    });
    const { status, stdout, stderr } = await run(['flash', computer.addApp('sensor'), ...onBoard()]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(
      'motemq flash: the build failed (mcconfig: status 2)\n  /a/main.js:1: error: missing expression!\n  (-v prints everything)\n',
    );
    expect(computer.calls()).toHaveLength(1);
    expect(readdirSync(computer.output)).toEqual([]);
  });

  it('shows why flashing failed, and what helps', async () => {
    const complaint = 'A fatal error occurred: Failed to connect to ESP32: No serial data received.';
    computer.behave({ ...GOOD, deploy: { say: [`!${complaint}\n`], status: 2 } });
    const { status, stderr } = await run(['flash', computer.addApp('sensor'), ...onBoard()]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      `the flash failed (mcconfig: status 2)\n  ${complaint}\n  → hold the board’s BOOT button`,
    );
  });

  it('passes a warning of mcconfig on, once', async () => {
    const warning = '!# warning: no modules match: /a/b!\n';
    computer.behave({ build: { say: [warning, warning] }, deploy: {} });
    const { stderr } = await run(['flash', computer.addApp('sensor'), ...onBoard()]);
    expect(stderr.match(/warning: no modules match: \/a\/b\n/g)).toHaveLength(1);
  });

  it('says what to do by hand', async () => {
    const words = ['flash', computer.addApp('sensor'), ...onBoard(), '--target', 'esp32/usb_board'];
    const { status, stdout, stderr } = await run(words);
    expect(status).toBe(0);
    expect(stderr).toContain('no --ssid');
    expect(stderr).toContain('this board: Hold the BOOT button.');
    expect(stderr).toContain('this board: Press the RESET button.');
    expect(stdout).toContain('sensor is on esp32/usb_board');
    expect(computer.calls()[0].args).toContain('esp32/usb_board');
  });

  it('only builds with --build-only, which takes no port', async () => {
    const app = computer.addApp('sensor');
    const outcome = await run(['flash', app, '--output', computer.output, '--build-only', '--debug']);
    expect(outcome.status).toBe(0);
    expect(outcome.stdout).toMatch(/^built .*\/output\/bin\/esp32\/debug\/sensor-[0-9a-f]{6} \(/);
    expect(computer.calls().map(({ args }) => args[0])).toEqual(['-dn']);
  });

  it.each<[NodeJS.Signals]>([['SIGINT'], ['SIGTERM']])(
    'ends what runs at %s, and leaves nothing',
    async (signal) => {
      const marker = join(computer.folder, 'waiting');
      computer.behave({ build: { waitAt: marker } });
      const words = ['flash', computer.addApp('sensor'), ...onBoard(), '--ssid', 'home'];
      const { child, outcome } = start(words, { MOTEMQ_WIFI_PASSWORD: PASSWORD });
      await eventually(() => existsSync(marker) && readFileSync(marker, 'utf8'), {
        what: 'the build to run',
      });
      child.kill(signal);
      const { status, stderr } = await outcome;
      expect(status).toBe(130);
      expect(stderr).toContain('motemq flash: interrupted\n');
      const builder = Number(readFileSync(marker, 'utf8'));
      await eventually(() => !isAlive(builder), { what: 'the build to end' });
      expect(readdirSync(computer.output)).toEqual([]);
    },
  );

  it('removes what a flash left that was killed', async () => {
    const marker = join(computer.folder, 'waiting');
    computer.behave({ build: { waitAt: marker } });
    const words = ['flash', computer.addApp('sensor'), ...onBoard()];
    const { child, outcome } = start(words);
    await eventually(() => existsSync(marker) && readFileSync(marker, 'utf8'), { what: 'the build to run' });
    child.kill('SIGKILL');
    await outcome;
    process.kill(Number(readFileSync(marker, 'utf8')), 'SIGKILL');
    expect(readdirSync(computer.output)).toHaveLength(1);
    computer.behave(GOOD);
    expect((await run(words)).status).toBe(0);
    expect(readdirSync(computer.output)).toEqual([]);
  });

  it('prints with --dry-run what it would run, and runs nothing', async () => {
    const app = computer.addApp('sensor');
    const words = ['flash', app, ...onBoard(), '--ssid', 'home', '--dry-run'];
    const { status, stdout, stderr } = await run(words, { MOTEMQ_WIFI_PASSWORD: PASSWORD });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^# +"password": "\*{8}"$/m);
    const commands = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(commands).toHaveLength(2);
    expect(commands[1]).toMatch(
      /UPLOAD_PORT=\S+\/dev\/ttyUSB0 \S+\/mcconfig -m -p esp32 -o \S+ -t deploy \S+\/manifest.json$/,
    );
    expect(stdout).not.toContain('ecret');
    expect(computer.calls()).toEqual([]);
    expect(existsSync(computer.output)).toBe(false);
  });
});

describe('motemq flash, when something is missing,', () => {
  it('says all of it, with what to do', async () => {
    const { status, stdout, stderr } = await run([
      'flash',
      computer.addApp('sensor'),
      '--port',
      '/nowhere/tty',
    ]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^motemq flash: sensor for esp32 cannot be flashed yet:\n/);
    expect(stderr).toContain(
      '  missing  Moddable SDK: neither MODDABLE nor a usual place has it\n           → git clone',
    );
    expect(stderr).toContain(
      '  missing  ESP-IDF: neither IDF_PATH nor a usual place has it\n           → git clone',
    );
    expect(stderr).toContain('  wrong    serial port: there is no /nowhere/tty\n           → ');
  });

  it('says so with --dry-run, too, which shows what could be', async () => {
    const app = computer.addApp('sensor');
    const { status, stdout, stderr } = await run(['flash', app, '--dry-run', '--target', 'esp32']);
    expect(status).toBe(1);
    expect(stdout).toContain('mcconfig -m -p esp32 -o ');
    expect(stderr).toContain('motemq flash: sensor for esp32 would fail:\n');
  });

  it('does not look for TypeScript unless the app is in it', async () => {
    computer.addSdk().addIdf();
    computer.behave(GOOD);
    const app = computer.addApp('typed', { 'main.ts': '' });
    const without = await run(['flash', app, ...onBoard()]);
    expect(without.status).toBe(1);
    expect(without.stderr).toContain(`missing  TypeScript: no tsc on PATH, which ${app}/main.ts needs`);
    const tsc = computer.program('apps/node_modules/.bin/tsc', '#!/bin/sh\necho Version 6.0.3\n');
    expect((await run(['flash', app, ...onBoard()])).status).toBe(0);
    expect(computer.calls()[0].env['PATH']).toMatch(new RegExp(`:${tsc.replace(/\/tsc$/, '')}$`));
    computer.program(tsc, '#!/bin/sh\necho Version 5.9.3\n');
    expect((await run(['flash', app, ...onBoard()])).stderr).toContain('wrong    TypeScript: 5.9.3');
  });

  it.each([
    [['nothing-of-that-name'], 'there is no app "nothing-of-that-name"'],
    [[], 'which app? a folder with a manifest.json'],
    [['APP', '--target', 'esp32/toaster'], 'has no esp32/toaster; boards of esp32 are c3_board, usb_board'],
    [['APP', '--password', 'correct horse'], 'a Wi-Fi password is given, but no --ssid'],
    [['APP', '--broker', 'mqtt://localhost'], 'localhost is the board itself'],
    [['APP', '--debug', '--release'], 'cannot be used together'],
    [['APP', '--ssid', 'home', '--password-file', '/nowhere/x'], 'cannot read /nowhere/x: ENOENT'],
    [['APP', '--output', '/tmp/my out'], 'make cannot cope with'],
  ])('or wrong: %j', async (words, message) => {
    computer.addSdk().addIdf();
    const app = computer.addApp('sensor');
    const { status, stderr } = await run(['flash', ...words.map((word) => (word === 'APP' ? app : word))]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^motemq flash: /);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('horse');
  });
});

describe('motemq flash to the simulator', () => {
  beforeEach(() => computer.addSdk().addGlib());

  it('builds, and starts it', async () => {
    computer.addSimulator();
    const words = ['flash', computer.addApp('sensor'), '--target', HOST, '--output', computer.output];
    const { status, stdout, stderr } = await run(words, { DISPLAY: ':7' });
    expect(status).toBe(0);
    const file = /^built (\S+)/.exec(stdout)?.[1] ?? '';
    expect(file).toMatch(new RegExp(`/bin/${HOST}/mc/release/sensor-[0-9a-f]{6}/mc.so$`));
    // The fake one prints how it was called.
    expect(stdout.split('\n')[1]).toBe(file);
    expect(stderr).toContain('in the simulator');
    expect(computer.calls().map(({ args }) => args.at(-2))).toEqual(['build']);
  });

  it('tells it where the boards are', async () => {
    computer.addSimulator();
    const words = [
      'flash',
      computer.addApp('sensor'),
      '--target',
      'sim/m5paper',
      '--output',
      computer.output,
    ];
    const { stdout } = await run(words, { DISPLAY: ':7' });
    expect(stdout.split('\n')[1]).toMatch(
      /^\S+\/build\/simulators \S+\/m5paper\/release\/sensor-\w+\/mc\.so$/,
    );
  });

  it('builds, and says why it is not started', async () => {
    const words = ['flash', computer.addApp('sensor'), '--target', HOST, '--output', computer.output];
    const notBuilt = await run(words, { DISPLAY: ':7' });
    expect(notBuilt.status).toBe(0);
    expect(notBuilt.stderr).toContain('the simulator is not built; make -C');
    expect((await run([...words, '--build-only'])).stderr).not.toContain('simulator');
  });

  it('fails when the simulator does', async () => {
    computer.program(join(computer.tools, 'mcsim'), '#!/bin/sh\necho no licence >&2\nexit 4\n');
    const words = ['flash', computer.addApp('sensor'), '--target', HOST, '--output', computer.output];
    const { status, stdout, stderr } = await run(words, { DISPLAY: ':7' });
    expect(status).toBe(1);
    expect(stdout).toContain('no licence\n');
    expect(stderr).toContain('motemq flash: the simulator ended with status 4\n');
  });
});

describe('motemq doctor', () => {
  it('prints a line each, and ends with 0 unless something is wrong', async () => {
    const first = await run(['doctor']);
    expect(first.stdout).toMatch(/^ok {7}Node {17}\d+\.\d+/);
    expect(first.stdout).toContain('\nmissing  Moddable SDK         neither MODDABLE');
    expect(first.stdout).toMatch(/\nflash --target esp32: not ready: Moddable SDK, /);
    expect(first).toMatchObject({ status: 0, stderr: '' });
    const second = await run(['doctor'], { MODDABLE: '/nowhere' });
    expect(second.stdout).toContain('\nwrong    Moddable SDK         MODDABLE is wrong');
    expect(second.status).toBe(1);
  });

  it('ends with 0 for a purpose only when all is there for that', async () => {
    computer.addSdk().addGlib();
    expect((await run(['doctor', '--for', 'flash'])).status).toBe(1);
    const words = ['doctor', '--for', 'flash', '--target', HOST];
    const missing = await run(words);
    expect(missing.stdout).toMatch(/\nflash --target \w+: not ready: C compiler\n$/);
    expect(missing.status).toBe(1);
    computer.program('bin/cc', '#!/bin/sh\necho cc 12\n');
    const complete = await run(words);
    expect(complete.stdout).toMatch(/\nflash --target \w+: ready\n$/);
    expect(complete.status).toBe(0);
    expect((await run(['doctor', '--for', 'everything'])).status).toBe(1);
  });

  it('prints JSON', async () => {
    const { stdout, stderr, status } = await run(['doctor', '--json', '--for', 'flash']);
    expect({ stderr, status }).toEqual({ stderr: '', status: 1 });
    const report = JSON.parse(stdout) as Record<string, any>;
    expect(report).toMatchObject({ ok: false, for: 'flash', target: 'esp32', ready: { flash: false } });
    expect(report['checks'][0]).toEqual({
      id: 'node',
      title: 'Node',
      state: 'ok',
      detail: process.versions.node,
      fix: [],
      neededFor: ['flash', 'fleet', 'xs'],
    });
  });

  it('tries a broker', async () => {
    const connack = (version: number) => (version === 5 ? '20 03 00 00 00' : '20 02 00 00');
    const versions: number[] = [];
    const server = await startScriptedServer(async (connection) => {
      const version = (await connection.nextPacket())[8];
      versions.push(version);
      await connection.send(connack(version));
    });
    try {
      const url = `mqtt://ada:s3cret@${server.host}:${server.port}`;
      const { stdout, status } = await run(['doctor', '--for', 'fleet', '-L', url]);
      expect(stdout).toContain(
        `ok       broker               ${server.host}:${server.port} accepts MQTT 5.0 (`,
      );
      expect(stdout).not.toContain('s3cret');
      expect(status).toBe(0);
      await run(['doctor', '-L', url, '-V', '311']);
      expect(versions).toEqual([5, 4]);
    } finally {
      await server.close();
    }
  });

  it('tries 3.1.1 where 5.0 is refused', async () => {
    const server = await startScriptedServer(async (connection) => {
      const version = (await connection.nextPacket())[8];
      await connection.send(version === 5 ? '20 02 00 01' : '20 02 00 00');
      if (version === 5) connection.end();
    });
    try {
      const url = `mqtt://${server.host}:${server.port}`;
      expect((await run(['doctor', '-L', url])).stdout).toContain('accepts MQTT 3.1.1 (');
      const asked = await run(['doctor', '-L', url, '-V', '5']);
      expect(asked.stdout).toMatch(/\nwrong {4}broker .*refused/);
      expect(asked.status).toBe(1);
    } finally {
      await server.close();
    }
  });

  it('says why a broker cannot be used', async () => {
    const server = await startScriptedServer((connection) => connection.end());
    const closed = `${server.host}:${server.port}`;
    const { stdout, status } = await run(['doctor', '--for', 'fleet', '-L', `mqtt://${closed}`]);
    expect(stdout).toContain(
      `wrong    broker               ${closed} closed the connection without an answer`,
    );
    expect(status).toBe(1);
    await server.close();
    const refused = await run(['doctor', '--for', 'fleet', '-L', `mqtt://${closed}`]);
    expect(refused.stdout).toContain(`${closed}: nothing listens on that port (ECONNREFUSED)\n         → `);
    const wrong = await run(['doctor', '-L', 'mqtt://ada:s3cret@']);
    expect(wrong).toMatchObject({ status: 1, stdout: '' });
    expect(wrong.stderr).not.toContain('s3cret');
  });
});
