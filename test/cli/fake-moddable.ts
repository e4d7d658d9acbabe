/**
 * A computer with a Moddable SDK and an ESP-IDF that are only folders: their programs are scripts which write down how they
 * were called and print what they are told to. Nothing of the real computer is in its PATH but Node.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { hostPlatformOf } from '../../targets/cli/moddable-sdk.ts';
import type { Machine, RunResult } from '../../targets/cli/machine.ts';

/** What the SDK calls the computer that the tests run on. */
export const HOST = hostPlatformOf(process.platform) ?? 'lin';

/** How mcconfig is to behave for one goal (`build` or `deploy`). */
export interface Behaviour {
  /** Printed in pieces, the first letter saying where to: `>` standard output, `!` standard error. */
  readonly say?: readonly string[];
  readonly status?: number;
  /** Writes its process id into this file, waits for a signal, and writes that into the file with `-ended` behind. */
  readonly waitAt?: string;
  /** Prints its configuration in every way it can think of. */
  readonly echoConfig?: boolean;
}

/** Whether there is such a process, and it is more than a remainder that nobody has asked for. */
export function isAlive(processId: number): boolean {
  try {
    process.kill(processId, 0);
  } catch {
    return false;
  }
  const path = `/proc/${processId}/stat`;
  return !(existsSync(path) && readFileSync(path, 'utf8').includes(') Z '));
}

/** One call of the fake mcconfig. */
export interface Call {
  readonly args: string[];
  readonly env: Record<string, string | undefined>;
  readonly manifest: { include: string[]; config: Record<string, string> };
  readonly manifestMode: number;
  readonly umask: number;
}

const MCCONFIG = `#!/usr/bin/env node
const fs = require('node:fs');
const path = require('node:path');
const folder = process.env.FAKE_FOLDER;
const args = process.argv.slice(2);
const manifestPath = args.at(-1);
const manifest = JSON.parse(fs.readFileSync(manifestPath, 'utf8'));
const call = {
  args,
  env: { ...process.env },
  manifest,
  manifestMode: fs.statSync(manifestPath).mode & 0o777,
  umask: process.umask(),
};
fs.appendFileSync(path.join(folder, 'calls'), JSON.stringify(call) + '\\n');
const behaviours = JSON.parse(fs.readFileSync(path.join(folder, 'behaviour.json'), 'utf8'));
const goal = args[args.indexOf('-t') + 1];
const { say = [], status = 0, waitAt, echoConfig } = behaviours[goal] ?? {};
const write = (fd, text) => fs.writeSync(fd, text);
for (const line of say) write(line[0] === '!' ? 2 : 1, line.slice(1));
if (echoConfig) {
  for (const value of Object.values(manifest.config)) {
    write(1, 'plain ' + value + '\\n');
    write(2, 'json ' + JSON.stringify({ value }) + '\\n');
    write(1, "quoted '" + value.replaceAll("'", "'\\\\''") + "'\\n");
    write(1, 'make ' + value.replaceAll('$', '$$$$') + '\\n');
    write(1, 'url ' + encodeURIComponent(value) + '\\n');
    write(1, 'error: cut ' + value.slice(0, 5));
    write(1, value.slice(5) + ' in two\\n');
    write(1, 'Writing ' + value + '\\r' + value + '\\n');
    write(2, value);
  }
}
if (waitAt) {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      fs.writeFileSync(waitAt + '-ended', signal);
      process.exit(1);
    });
  }
  fs.writeFileSync(waitAt, String(process.pid));
  setInterval(() => {}, 1000);
} else {
  process.exitCode = status;
}
`;

const PRINT_ARGS = `#!/usr/bin/env node
console.log(process.argv.slice(2).join(' '));
`;

export class FakeComputer {
  readonly folder = mkdtempSync(join(tmpdir(), 'motemq-fake-'));
  readonly home = join(this.folder, 'home');
  readonly sdk = join(this.home, '.local', 'share', 'moddable');
  readonly tools: string;
  readonly idf = join(this.home, 'esp32', 'esp-idf-v6.0');
  readonly bin = join(this.folder, 'bin');
  readonly output = join(this.folder, 'output');
  env: NodeJS.ProcessEnv;
  private readonly platform: NodeJS.Platform;

  /** @param host what the SDK calls the computer: Linux, unless the real one is to run things */
  constructor(host: 'lin' | 'mac' = 'lin') {
    this.platform = host === 'lin' ? 'linux' : 'darwin';
    this.tools = join(this.sdk, 'build', 'bin', host, 'release');
    this.env = {
      HOME: this.home,
      PATH: this.bin,
      FAKE_FOLDER: this.folder,
      XDG_CACHE_HOME: join(this.folder, 'cache'),
    };
    mkdirSync(this.bin, { recursive: true });
    symlinkSync(process.execPath, join(this.bin, 'node'));
    // The scripts are started by it.
    this.program(join(this.bin, 'make'), '#!/bin/sh\n');
    this.program(join(this.bin, 'bash'), '#!/bin/sh\n');
    this.program(join(this.bin, 'git'), '#!/bin/sh\n');
    this.behave({});
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  write(path: string, text = ''): string {
    const file = path.startsWith('/') ? path : join(this.folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  }

  program(path: string, text: string): string {
    const file = this.write(path, text);
    chmodSync(file, 0o755);
    return file;
  }

  /** An SDK at its usual place, with its tools. */
  addSdk(version = '8.2.3'): this {
    this.write(join(this.sdk, 'tools', 'VERSION'), `${version}\n`);
    for (const platform of ['esp32', 'lin', 'mac', 'pico', 'x-cli-lin']) {
      this.write(join(this.sdk, 'tools', 'mcconfig', `make.${platform}.mk`));
    }
    const esp32 = join(this.sdk, 'build', 'devices', 'esp32');
    this.write(join(esp32, 'manifest.json'), '{"build": {"EXPECTED_ESP_IDF": "v6.0"}}');
    this.write(
      join(esp32, 'targets', 'c3_board', 'manifest.json'),
      '{"build": {"ESP32_SUBCLASS": "esp32c3"}}',
    );
    this.write(
      join(esp32, 'targets', 'usb_board', 'manifest.json'),
      JSON.stringify({
        build: {
          ESP32_SUBCLASS: 'esp32s3',
          PROGRAMMING_MODE_MESSAGE: 'INSTRUCTIONS: Hold the BOOT button.',
          BEFORE_DEBUGGING_MESSAGE: 'Press the RESET button.',
        },
      }),
    );
    this.write(join(this.sdk, 'build', 'simulators', 'm5paper', 'manifest.json'), '{}');
    this.program(join(this.tools, 'mcconfig'), MCCONFIG);
    this.program(join(this.tools, 'xsc'), '#!/bin/sh\nexit 22\n');
    this.program(join(this.tools, 'xsl'), '#!/bin/sh\n');
    return this;
  }

  /** An ESP-IDF at a usual place, installed for an ESP32. */
  addIdf(version = '6.0.0'): this {
    const [major, minor, patch] = version.split('.');
    this.write(join(this.idf, 'export.sh'));
    this.write(join(this.idf, '.git', 'HEAD'));
    this.write(
      join(this.idf, 'tools', 'cmake', 'version.cmake'),
      `set(IDF_VERSION_MAJOR ${major})\nset(IDF_VERSION_MINOR ${minor})\nset(IDF_VERSION_PATCH ${patch})\n`,
    );
    const espressif = join(this.home, '.espressif');
    const compilers = join(espressif, 'tools', 'xtensa-esp-elf', 'esp-15', 'xtensa-esp-elf', 'bin');
    for (const chip of ['esp32', 'esp32s3']) {
      this.program(join(compilers, `xtensa-${chip}-elf-gcc`), '#!/bin/sh\n');
    }
    const python = join(espressif, 'python_env', `idf${major}.${minor}_py3.11_env`, 'bin', 'python');
    this.program(python, '#!/bin/sh\n');
    return this;
  }

  /** pkg-config, which knows GLib. */
  addGlib(): this {
    this.program(join(this.bin, 'pkg-config'), '#!/bin/sh\necho 2.74.6\n');
    return this;
  }

  /** The simulator, which prints how it was called. */
  addSimulator(): this {
    this.program(join(this.tools, 'mcsim'), PRINT_ARGS);
    return this;
  }

  /** An app; returns its folder. */
  addApp(name: string, files: Record<string, string> = {}): string {
    const folder = join(this.folder, 'apps', name);
    const all = { 'manifest.json': '{"modules": {"*": "./main"}}', 'main.js': '', ...files };
    for (const [file, text] of Object.entries(all)) this.write(join(folder, file), text);
    return folder;
  }

  /** A file that stands for a serial port; returns its path. */
  addPort(): string {
    return this.write('dev/ttyUSB0');
  }

  /** What mcconfig will do, by goal. */
  behave(behaviours: Record<string, Behaviour>): void {
    this.write('behaviour.json', JSON.stringify(behaviours));
  }

  /** How mcconfig was called so far. */
  calls(): Call[] {
    const file = join(this.folder, 'calls');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    return lines.map((line) => JSON.parse(line) as Call);
  }

  /** This computer as the checks see it. */
  machine(parts: Partial<Machine> = {}, answers: Record<string, Partial<RunResult>> = {}): Machine {
    return {
      env: this.env,
      platform: this.platform,
      home: this.home,
      root: this.folder,
      nodeVersion: '20.19.0',
      groups: [],
      userName: 'ada',
      mayUse: () => true,
      run: (program) => {
        const name = program.split('/').at(-1) ?? program;
        const found = answers[program] ?? answers[name] ?? { failure: 'ENOENT', status: null };
        return Promise.resolve({ status: 0, stdout: '', stderr: '', failure: undefined, ...found });
      },
      ...parts,
    };
  }

  /** Puts a folder in front of PATH. */
  addToPath(folder: string): void {
    this.env = { ...this.env, PATH: `${folder}${delimiter}${this.env['PATH'] ?? ''}` };
  }
}
