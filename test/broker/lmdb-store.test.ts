/**
 * What only a store in files can have: a process that is killed in the middle of it, two that want the same, and files
 * that are not what they should be.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { open } from 'lmdb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openLmdbStore } from '../../sim/broker/lmdb-store.ts';
import { LmdbWriter } from '../../sim/broker/lmdb-writer.ts';
import { aboutKey, deliveryKey, numberedKey, KIND_MESSAGE } from '../../sim/broker/store-records.ts';
import type { BrokerStore, StoredState } from '../../sim/broker/store.ts';
import { Random, SEED, shareOf } from '../seed.ts';
import { bundleForNode, type NodeBundle } from '../support/node-bundle.ts';
import { deliveryOf, messageOf, onlySession, sessionOf, stateValues } from './store-stage.ts';

const SCRIPT = fileURLToPath(new URL('store-process.mjs', import.meta.url));
const WINDOW = 100;

let bundle: NodeBundle;
let folder = '';
let directory = '';
const stores: BrokerStore[] = [];
const children: ChildProcess[] = [];

beforeAll(async () => {
  bundle = await bundleForNode('test/broker/store-process-entry.ts');
});

afterAll(() => bundle.remove());

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'motemq-lmdb-'));
  directory = join(folder, 'store');
});

afterEach(async () => {
  vi.restoreAllMocks();
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const store of stores.splice(0)) await store.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

async function openStore(where = directory): Promise<BrokerStore> {
  const store = await openLmdbStore(where);
  stores.push(store);
  return store;
}

/** A store in its own process. Its lines are read as they come; `ended` resolves with its exit code, or signal. */
interface StoreProcess {
  child: ChildProcess;
  lines: Interface;
  ended: Promise<number | string>;
}

function start(mode: string, directories: string[], command = [process.execPath]): StoreProcess {
  const [program, ...first] = command;
  const child = spawn(program, [...first, SCRIPT, bundle.url, mode, ...directories], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  children.push(child);
  const ended = new Promise<number | string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? signal ?? ''));
  });
  return { child, lines: createInterface(child.stdout), ended };
}

/** Runs one until it ends of itself; its lines, and how it ended. */
async function run(mode: string, directories: string[], command?: string[]): Promise<[string[], unknown]> {
  const { lines, ended } = start(mode, directories, command);
  const said: string[] = [];
  lines.on('line', (line) => said.push(line));
  const code = await ended;
  return [said, code];
}

/** The first line of a process, which goes on. */
function firstLine({ lines }: StoreProcess): Promise<string> {
  return new Promise((resolve) => lines.once('line', resolve));
}

function textOf(state: StoredState, id: number): string {
  return (state.messages.get(id)?.text() ?? 'nothing').replace(/\0+$/, '');
}

describe('a process that is killed', () => {
  it('loses nothing of what it said was committed, and leaves whole commits', async () => {
    const random = new Random(SEED);
    let newest = 0;
    for (let round = 0; round < Math.max(2, shareOf(6)); round++) {
      const { child, lines, ended } = start('write', [directory]);
      const lifetime = 1 + random.below(250);
      let printed = newest;
      let count = 0;
      lines.on('line', (line) => {
        printed = Number(line);
        if (++count === lifetime) child.kill('SIGKILL');
      });
      expect(await ended).toBe('SIGKILL');

      const store = await openLmdbStore(directory);
      const state = await store.load();
      await store.close();
      const about = `MOTEMQ_SEED=${SEED}, round ${round}`;
      newest = state.retained.get('newest') ?? 0;
      expect(newest, about).toBeGreaterThanOrEqual(printed);
      expect(printed, about).toBeGreaterThanOrEqual(lifetime);
      const numbers = Array.from({ length: Math.min(newest, WINDOW) }, (_, i) => newest - i).reverse();
      expect([...state.messages.keys()], about).toEqual(numbers);
      expect(
        state.sessions.map(({ deliveries }) => deliveries.map(({ sequence }) => sequence)),
        about,
      ).toEqual([numbers]);
      for (const number of numbers) expect(textOf(state, number)).toBe(`message ${number}`);
    }
  });

  it('leaves the store to the next', async () => {
    const holder = start('hold', [directory]);
    expect(await firstLine(holder)).toBe('open');
    await expect(openLmdbStore(directory)).rejects.toMatchObject({ code: 'ERR_STORE_IN_USE' });
    holder.child.kill('SIGKILL');
    await holder.ended;
    const store = await openStore();
    expect((await store.load()).sessions).toEqual([]);
    expect(fs.readdirSync(directory).filter((name) => name.endsWith('.sock'))).toHaveLength(1);
    await store.close();
    expect(fs.readdirSync(directory).sort()).toEqual(['data.mdb', 'lock.mdb']);
  });

  it('leaves it to one, if many come at once', async () => {
    const holder = start('hold', [directory]);
    await firstLine(holder);
    holder.child.kill('SIGKILL');
    await holder.ended;
    const said = await Promise.all(Array.from({ length: 5 }, () => firstLine(start('hold', [directory]))));
    expect(said.sort()).toEqual([...Array<string>(4).fill('ERR_STORE_IN_USE'), 'open']);
  });
});

describe('a directory', () => {
  it('is made for its owner alone, with the directories above it', async () => {
    directory = join(folder, 'above', 'store.d');
    await openStore();
    const modeOf = (path: string): string => (fs.statSync(path).mode & 0o777).toString(8);
    expect(modeOf(directory)).toBe('700');
    expect(modeOf(join(directory, 'data.mdb'))).toBe('600');
  });

  it('has one store at a time in a process, and another after that', async () => {
    const store = await openStore();
    await store.load();
    await expect(openLmdbStore(directory)).rejects.toMatchObject({
      code: 'ERR_STORE_IN_USE',
      message: expect.stringContaining(directory) as string,
    });
    store.putSession(sessionOf('one'));
    await store.commit();
    await store.close();
    await store.close();
    await expect(store.commit()).rejects.toMatchObject({ code: 'ERR_STORE_CLOSED' });
    const after = await openStore();
    expect((await onlySession(after)).clientId).toBe('one');
  });

  it('may have a name too long for a socket', async () => {
    directory = join(folder, 'd'.repeat(120));
    const store = await openStore();
    await expect(openLmdbStore(directory)).rejects.toMatchObject({ code: 'ERR_STORE_IN_USE' });
    await store.close();
    const holder = start('hold', [directory]);
    expect(await firstLine(holder)).toBe('open');
    await expect(openLmdbStore(directory)).rejects.toMatchObject({ code: 'ERR_STORE_IN_USE' });
    holder.child.kill('SIGKILL');
    await holder.ended;
    await openStore();
  });

  it('is refused when it has other files', async () => {
    fs.mkdirSync(directory);
    fs.writeFileSync(join(directory, '.hidden'), '');
    await (await openStore()).close();
    fs.rmSync(join(directory, 'data.mdb'));
    fs.writeFileSync(join(directory, 'letter.txt'), '');
    await expect(openLmdbStore(directory)).rejects.toMatchObject({ code: 'ERR_STORE_FOREIGN' });
    expect(fs.existsSync(join(directory, 'data.mdb'))).toBe(false);
  });

  it('is refused when it is a file, or cannot be made', async () => {
    fs.writeFileSync(directory, 'text');
    for (const path of [directory, join(directory, 'below')]) {
      await expect(openLmdbStore(path)).rejects.toMatchObject({ code: 'ERR_STORE_OPEN' });
    }
  });
});

describe('files', () => {
  type Write = (put: (key: Buffer, value: Buffer) => void) => void;

  /** Writes into the database beside the store. */
  async function tamper(write: Write): Promise<void> {
    const database = open<Uint8Array, Uint8Array>(directory, {
      noSubdir: false,
      encoding: 'binary',
      keyEncoding: 'binary',
      overlappingSync: false,
    });
    write((key, value) => void database.put(key, value));
    await database.committed;
    await database.close();
  }

  it('of another version are refused', async () => {
    await (await openStore()).close();
    await tamper((put) => put(aboutKey('format'), Buffer.from('motemq broker store 2')));
    await expect(openLmdbStore(directory)).rejects.toMatchObject({
      code: 'ERR_STORE_VERSION',
      message: expect.stringMatching(/has version 2, this broker reads 1/) as string,
    });
  });

  it.each<[string, Write]>([
    ['any', (put) => put(Buffer.from([9]), Buffer.from('value'))],
    ['with a mark like ours', (put) => put(aboutKey('format'), Buffer.from('another'))],
  ])('of another database are refused: %s', async (_, write) => {
    await tamper(write);
    await expect(openLmdbStore(directory)).rejects.toMatchObject({ code: 'ERR_STORE_FOREIGN' });
    // And are not made ours by that.
    await expect(openLmdbStore(directory)).rejects.toMatchObject({ code: 'ERR_STORE_FOREIGN' });
  });

  it.each<[string, Write]>([
    ['of no kind', (put) => put(Buffer.from([99, 1]), Buffer.from([1]))],
    ['of no session', (put) => put(deliveryKey(1, 1), Buffer.alloc(9))],
    ['too short', (put) => put(numberedKey(KIND_MESSAGE, 1), Buffer.alloc(9))],
    ['shorter than it says', (put) => put(numberedKey(KIND_MESSAGE, 1), Buffer.alloc(20, 1))],
    ['with too short a key', (put) => put(Buffer.from([KIND_MESSAGE, 1]), Buffer.alloc(40))],
  ])('with a record %s are damaged', async (_, write) => {
    await (await openStore()).close();
    await tamper(write);
    const store = await openStore();
    await expect(store.load()).rejects.toMatchObject({ code: 'ERR_STORE_CORRUPT' });
  });

  it('that are cut short, or something else, are an error and not the end of the process', async () => {
    const store = await openStore();
    await store.load();
    store.putSession(sessionOf('one'));
    for (let id = 1; id <= 2000; id++) {
      store.putMessage(id, messageOf({ topicName: 'a', payload: Buffer.alloc(id * 2, 1) }));
      store.putDelivery('one', deliveryOf(id, id));
    }
    await store.commit();
    await store.close();
    const whole = fs.readFileSync(join(directory, 'data.mdb'));
    const pages = Math.floor(whole.length / 4096);
    const cuts = [
      1,
      100,
      4096,
      5000,
      8192,
      12_288,
      16_384,
      ...[1, 2, 3, 4].map((i) => 4096 * pages * (i / 5)),
    ];
    const make = (name: string, bytes: Uint8Array): string => {
      const path = join(folder, name);
      fs.mkdirSync(path);
      fs.writeFileSync(join(path, 'data.mdb'), bytes);
      return path;
    };
    const bad = [
      make('junk', Buffer.alloc(20_000, 65)),
      make('zeros', Buffer.alloc(20_000)),
      make('text', Buffer.from('This is no database.')),
      ...cuts.map((length) => make(`cut-${length}`, whole.subarray(0, Math.floor(length)))),
    ];
    const [said, code] = await run('load', [make('whole', whole), ...bad, make('empty', new Uint8Array(0))]);
    expect(code).toBe(0);
    expect(said).toEqual(['2000', ...bad.map(() => 'ERR_STORE_CORRUPT'), '0']);
  });
});

describe('a commit', () => {
  it('writes nothing of what came and went', async () => {
    const store = await openStore();
    await store.load();
    store.putSession(sessionOf('one'));
    await store.commit();
    const before = fs.readFileSync(join(directory, 'data.mdb'));
    store.putMessage(1, messageOf('a'));
    store.putDelivery('one', deliveryOf(1, 1));
    store.putSession(sessionOf('two'));
    store.putReceived('two', 1);
    store.removeSession('two');
    store.removeDelivery('one', 1);
    store.removeMessage(1);
    await store.commit();
    expect(fs.readFileSync(join(directory, 'data.mdb')).equals(before)).toBe(true);
  });

  it('that fails leaves what it was for to the next', async () => {
    const store = await openStore();
    await store.load();
    for (const clientId of ['one', 'two', 'three']) {
      store.putSession(sessionOf(clientId));
      store.putDelivery(clientId, deliveryOf(1, 1));
    }
    store.putRetained('a', 1);
    await store.commit();
    vi.spyOn(LmdbWriter.prototype, 'write').mockRejectedValueOnce(new Error('full'));
    store.removeSession('two');
    store.putSession(sessionOf('one', { endedAtMs: 5 }));
    store.putSession(sessionOf('four'));
    store.putDelivery('one', deliveryOf(2, 2));
    store.removeDelivery('one', 1);
    store.putMessage(1, messageOf('a'));
    store.putMessage(2, messageOf('b'));
    store.putRetained('a', 2);
    store.putRetained('b', 2);
    const commit = store.commit();
    store.putDelivery('one', deliveryOf(2, 2, { packetId: 9 }));
    store.removeSession('four');
    store.removeRetained('a');
    store.removeMessage(1);
    await expect(commit).rejects.toThrow('full');
    expect(store.hasChanges()).toBe(true);
    await store.commit();
    expect(stateValues(await store.load())).toMatchObject({
      sessions: [
        { clientId: 'one', endedAtMs: 5, deliveries: [{ sequence: 2, packetId: 9 }] },
        { clientId: 'three', deliveries: [{ sequence: 1 }] },
      ],
      messages: [[2, {}]],
      retained: [['b', 2]],
    });
  });

  it('fails when the disk is full, and what was committed before is there', async () => {
    // A file may have 4 MB: blocks of 512 bytes, or in some shells 1024.
    const command = ['sh', '-c', 'ulimit -f 8192; exec "$0" "$@"', process.execPath];
    const [said, code] = await run('fill', [directory], command);
    expect(said.pop()).toBe('ERR_STORE_WRITE');
    expect(code).toBe(0);
    expect(said.length).toBeGreaterThan(10);
    const state = await (await openStore()).load();
    for (const number of said) expect(textOf(state, Number(number))).toBe(`message ${number}`);
    expect(state.messages.size).toBe(state.retained.get('newest'));
  });
});
