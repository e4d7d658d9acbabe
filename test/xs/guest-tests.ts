/**
 * Runs test files that were written for vitest and Node inside an XS machine, as they are, and makes each of their tests
 * one of vitest's here. A bundle takes the place of modules, guest/vitest.ts that of vitest, guest/surroundings.ts that
 * of what Node has; files that a test reads are read here and put into the bundle.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'esbuild';
import { afterAll, describe, it } from 'vitest';
import { prepareXsEngine } from '../../sim/xs/engine.ts';
import { XsMachine } from '../../sim/xs/machine.ts';
import { ROOT, bundle } from './bundle.ts';
import { SHARE, TESTS_LEFT_OUT } from './core-files.ts';
import type { ListedTest, Verdict } from './guest/vitest.ts';

const GUEST = join(ROOT, 'test/xs/guest');
const VECTORS = join(ROOT, 'test/vectors');
/** An interpreter on a busy machine. */
const TEST_MS_MAX = 60_000;

/** In place of node:fs: the only files that tests read. */
function vectorFiles(): string {
  const names = readdirSync(VECTORS).filter((name) => name.endsWith('.md'));
  const texts = Object.fromEntries(names.map((name) => [name, readFileSync(join(VECTORS, name), 'utf8')]));
  return `
    const texts = ${JSON.stringify(texts)};
    export const readdirSync = () => Object.keys(texts);
    export const readFileSync = ({ href }) => texts[href.slice(href.lastIndexOf('/') + 1)];
  `;
}

/** What stands in for what is not there. */
const standIns: Plugin = {
  name: 'stand-ins',
  setup(host) {
    host.onResolve({ filter: /^vitest$/ }, () => ({ path: join(GUEST, 'vitest.ts') }));
    host.onResolve({ filter: /\/wasm-codecs\.ts$/ }, () => ({ path: join(GUEST, 'no-wasm-codecs.ts') }));
    host.onResolve({ filter: /^node:crypto$/ }, () => ({ path: join(GUEST, 'node-crypto.ts') }));
    // For those that import what they do not call here.
    host.onResolve({ filter: /^node:util$/ }, ({ path }) => ({ path, namespace: 'stand-in' }));
    host.onLoad({ filter: /^node:util$/, namespace: 'stand-in' }, () => ({
      contents: 'export const promisify = (call) => call;',
    }));
    host.onResolve({ filter: /^node:fs$/ }, ({ path }) => ({ path, namespace: 'stand-in' }));
    host.onLoad({ filter: /^node:fs$/, namespace: 'stand-in' }, () => ({ contents: vectorFiles() }));
    // Says which file the tests that follow are from.
    host.onResolve({ filter: /^begin:/ }, ({ path }) => ({ path: path.slice(6), namespace: 'begin' }));
    host.onLoad({ filter: /./, namespace: 'begin' }, ({ path }) => ({
      contents: `import { beginFile } from './vitest.ts'; beginFile(${JSON.stringify(path)});`,
      resolveDir: GUEST,
    }));
  },
};

/** Answers guest/node-crypto.ts. */
function answerCrypto(question: Uint8Array): Uint8Array {
  const end = question.indexOf(0x0a);
  const [what, ...values] = JSON.parse(Buffer.from(question.subarray(0, end)).toString()) as [
    string,
    ...never[],
  ];
  const data = question.subarray(end + 1);
  const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');
  switch (what) {
    case 'hash':
      return createHash(values[0]).update(data).digest();
    case 'hmac':
      return createHmac(values[0], bytes(values[1])).update(data).digest();
    case 'pbkdf2': {
      const [algorithm, password, salt] = values as string[];
      const [, , , iterations, byteLength] = values as number[];
      return pbkdf2Sync(bytes(password), bytes(salt), iterations, byteLength, algorithm);
    }
    case 'random':
      return randomBytes(values[0]);
    default:
      throw new Error(`nobody knows "${what}"`);
  }
}

/** One module with all tests of `files`, paths from the root. */
async function bundleTests(name: string, files: readonly string[]): Promise<string> {
  const imports = files.map((file) => `import 'begin:${file}';\nimport './${file}';\n`);
  const env = { MOTEMQ_SHARE: String(SHARE), MOTEMQ_SEED: process.env['MOTEMQ_SEED'] };
  return bundle(name, {
    stdin: {
      contents: `${imports.join('')}import { serve } from './test/xs/guest/vitest.ts';\nserve();\n`,
      resolveDir: ROOT,
      sourcefile: `${name}.ts`,
    },
    inject: [join(GUEST, 'surroundings.ts')],
    define: { 'process.env': JSON.stringify(env), 'import.meta.url': '"test/support/a.ts"' },
    plugins: [standIns],
    mainFields: ['module', 'main'],
    minifySyntax: false,
  });
}

/** A machine with tests loaded; started again after it ended. */
export class Guest {
  tests: readonly ListedTest[] = [];
  private readonly path: string;
  private machine: XsMachine | undefined;
  private handleMessage: (text: string) => void = () => undefined;

  private constructor(path: string) {
    this.path = path;
  }

  /** With the tests of `files`, paths from the root. `name` is the bundle's. */
  static async start(name: string, files: readonly string[]): Promise<Guest> {
    const guest = new Guest(await bundleTests(name, files));
    await guest.startMachine();
    return guest;
  }

  private async startMachine(): Promise<XsMachine> {
    const machine = await XsMachine.start({
      worker: await prepareXsEngine(),
      onAsk: answerCrypto,
      onMessage: (bytes) => {
        this.handleMessage(Buffer.from(bytes).toString());
      },
    });
    this.machine = machine;
    void machine.ended.then(() => {
      if (this.machine === machine) this.machine = undefined;
    });
    const [list] = await Promise.all([this.message(machine), machine.import(this.path)]);
    this.tests = JSON.parse(list) as ListedTest[];
    return machine;
  }

  /** Settles with the next message, or rejects when the machine ends before. */
  private message(machine: XsMachine): Promise<string> {
    return new Promise((resolve, reject) => {
      this.handleMessage = resolve;
      void machine.ended.then((error) => {
        reject(error ?? new Error('the machine was ended'));
      });
    });
  }

  /** Runs one of `tests`. Rejects when the machine ends over it; `signal` ends the machine. */
  async run(index: number, signal: AbortSignal): Promise<Verdict> {
    const machine = this.machine ?? (await this.startMachine());
    const kill = (): void => void machine.kill();
    signal.addEventListener('abort', kill);
    try {
      const verdict = this.message(machine);
      // Rejects as the verdict does.
      machine.post(Buffer.from(String(index))).catch(() => undefined);
      return JSON.parse(await verdict) as Verdict;
    } finally {
      signal.removeEventListener('abort', kill);
    }
  }

  async stop(): Promise<void> {
    await this.machine?.stop();
  }
}

/** Makes a vitest test of each test of `files` (paths from the root), run in one XS machine. */
export async function runInXs(name: string, files: readonly string[]): Promise<void> {
  const guest = await Guest.start(name, files);
  afterAll(() => guest.stop());
  for (const file of files) {
    describe(`XS: ${file}`, () => {
      guest.tests.forEach((test, index) => {
        if (test.file !== file || test.name in TESTS_LEFT_OUT) return;
        it(test.name, { timeout: TEST_MS_MAX }, async ({ signal }) => {
          const { failure, stack } = await guest.run(index, signal);
          if (failure === undefined) return;
          const error = new Error(`${failure}\nin ${file}, on XS`);
          error.stack = `${error.message}\n${stack ?? ''}`;
          throw error;
        });
      });
    });
  }
}
