/**
 * Access by files, as a broker's core asks for it: who is let in, what that costs who guesses, and files that change.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadAccess, type AccessHooks, type AccessOptions } from '../../../sim/broker/access/access.ts';
import { setUser } from '../../../sim/broker/access/edit-users.ts';
import { PasswordCheck } from '../../../sim/broker/access/password-check.ts';
import { parseUsers } from '../../../sim/broker/access/users-file.ts';
import type { ClientView, ConnectAttempt, Verdict } from '../../../sim/broker/hooks.ts';
import type { Origin } from '../../../sim/broker/link.ts';
import { ScramClient } from '../../../src/scram/client.ts';
import { NodeScramCrypto } from '../../../targets/node/scram.ts';

/** mosquitto_passwd 2.0.11 with the passwords "secret" and "pässword": quickly checked. */
const FILE = `alice:$7$101$/Gzt3EoaBXouCRRO$iLRmKcdRir4gzjr/3Ubaq2XG/6R4AfobTb+cDSJUhEYFL/Vq5vgIylWDy4W9K+T+pvqVbOwxcIXRbZUGW77PxA==
bob:$7$101$h8IWL7wXFvn6eaEK$bkyBg0M8t9W43sGqH/TzsM8rBRxLgUxK1g13gqsAm6/AiLJOJZTcJOgnGCQNJPHIj10q6vAHBeVt2Tb0zxY1ug==
`;
const NOW_MS = 1_700_000_000_000;

let folder: string;
let usersFile: string;
let aclFile: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'motemq-access-'));
  usersFile = join(folder, 'users');
  aclFile = join(folder, 'acl');
  await writeFile(usersFile, FILE);
  await writeFile(aclFile, 'user alice\ntopic #\npattern read own/%u/%c\n');
});
afterEach(() => rm(folder, { recursive: true }));

function load(options: Partial<AccessOptions>, authenticationFailuresMax = 3): Promise<AccessHooks> {
  return loadAccess({ limits: { authenticationFailuresMax }, ...options });
}

interface Claim extends Partial<Origin> {
  user?: string;
  password?: string;
  nowMs?: number;
}

function attemptOf({ user, password, nowMs = NOW_MS, ...origin }: Claim): ConnectAttempt {
  return {
    clientId: 'c',
    userName: user ?? null,
    password: password === undefined ? null : Buffer.from(password),
    protocolVersion: 5,
    cleanStart: true,
    origin: { transport: 'tcp', remoteAddress: '192.0.2.1', certificateName: null, ...origin },
    nowMs,
  };
}

/** Connects as the core does it, which tells how it ended. */
async function connect(hooks: AccessHooks, claim: Claim): Promise<Verdict> {
  const attempt = attemptOf(claim);
  const verdict = await hooks.authenticate!(attempt);
  hooks.authenticated!(attempt, verdict.reasonCode === 0);
  return verdict;
}

const client = (userName: string | null, clientId = 'c'): ClientView => ({
  clientId,
  userName,
  protocolVersion: 5,
  origin: attemptOf({}).origin,
});

describe('a client', () => {
  it('is let in by its password, and not by another', async () => {
    const hooks = await load({ users: usersFile });
    expect(await connect(hooks, { user: 'alice', password: 'secret' })).toMatchObject({
      reasonCode: 0,
      userName: 'alice',
    });
    expect(await connect(hooks, { user: 'bob', password: 'pässword' })).toMatchObject({ reasonCode: 0 });
    const addresses = ['192.0.2.2', '192.0.2.3', '192.0.2.4', '192.0.2.5', '192.0.2.6'];
    const wrong = [
      { user: 'alice', password: 'Secret' },
      { user: 'alice', password: '' },
      { user: 'alice' },
      { user: 'nobody', password: 'secret' },
      { password: 'secret' },
    ];
    for (const [index, claim] of wrong.entries()) {
      const remoteAddress = addresses[index];
      expect(await connect(hooks, { ...claim, remoteAddress })).toEqual({
        reasonCode: 0x86,
        reasonString: 'wrong user name or password',
      });
    }
  });

  it('is not let in by the password of whoever an unknown name is treated like', async () => {
    await writeFile(usersFile, FILE.split('\n')[0]);
    const hooks = await load({ users: usersFile });
    expect(await connect(hooks, { user: 'alice', password: 'secret' })).toMatchObject({ reasonCode: 0 });
    expect(await connect(hooks, { user: 'nobody', password: 'secret' })).toMatchObject({ reasonCode: 0x86 });
  });

  it.each([
    { given: {}, code: 0 },
    { given: { anonymous: true }, code: 0 },
    { given: { anonymous: false }, code: 0x87 },
    { given: { anonymous: undefined }, code: 0x87 },
  ])('without credentials hears $code with users and $given', async ({ given, code }) => {
    const isDefault = Object.keys(given).length === 0;
    const hooks = await load(isDefault ? { anonymous: true } : { users: usersFile, ...given });
    const verdict = await connect(hooks, {});
    expect(verdict.reasonCode).toBe(code);
    if (code === 0) expect(verdict.userName).toBeNull();
  });

  it('cannot name itself where nobody can check that', async () => {
    const hooks = await load({ anonymous: true, acl: aclFile });
    expect(await connect(hooks, { user: 'alice', password: 'x' })).toMatchObject({ reasonCode: 0x86 });
    expect(await connect(hooks, { user: 'alice' })).toMatchObject({ reasonCode: 0x86 });
    expect(hooks.methods).toBeUndefined();
  });

  it('with a certificate has its name, unless it gives credentials', async () => {
    const hooks = await load({ users: usersFile });
    const certificateName = 'meter-7';
    const named = { reasonCode: 0, userName: 'meter-7' };
    expect(await connect(hooks, { certificateName })).toEqual(named);
    expect(await connect(hooks, { certificateName, user: 'meter-7' })).toEqual(named);
    expect(await connect(hooks, { certificateName, user: 'alice', password: 'secret' })).toEqual({
      reasonCode: 0,
      userName: 'alice',
    });
    expect(await connect(hooks, { certificateName, user: 'alice' })).toMatchObject({ reasonCode: 0x86 });
    expect(await connect(hooks, { certificateName, user: 'meter-7', password: '' })).toMatchObject({
      reasonCode: 0x86,
    });
  });
});

describe('hooks', () => {
  it('are those of the files that are given', async () => {
    const names = async (options: Partial<AccessOptions>) => Object.keys(await load(options)).sort();
    expect(await names({ users: usersFile })).toEqual(['authenticate', 'authenticated', 'methods', 'reload']);
    expect(await names({ acl: aclFile })).toEqual(['authorise', 'reload']);
    expect(await names({ anonymous: false })).toEqual(['authenticate', 'authenticated', 'reload']);
  });

  it('authorise by user and client', async () => {
    const { authorise } = await load({ acl: aclFile });
    expect(authorise!(client('alice'), 'publish', 'a/b')).toBe(true);
    expect(authorise!(client('bob'), 'publish', 'a/b')).toBe(false);
    expect(authorise!(client('bob', 'd'), 'subscribe', 'own/bob/d')).toBe(true);
    expect(authorise!(client(null, 'd'), 'subscribe', 'own/+/d')).toBe(false);
  });
});

describe('guessing', () => {
  const guess = { user: 'alice', password: 'guess' };
  const right = { user: 'alice', password: 'secret' };

  it('has an address refused for a while, the right password as well', async () => {
    const hooks = await load({ users: usersFile });
    for (let n = 0; n < 3; n++) expect(await connect(hooks, guess)).toMatchObject({ reasonCode: 0x86 });
    const refusal = { reasonCode: 0x9f, reasonString: 'too many wrong credentials from this address' };
    expect(await connect(hooks, right)).toEqual(refusal);
    expect(await connect(hooks, {})).toEqual(refusal);
    expect(await connect(hooks, { ...right, remoteAddress: '192.0.2.2' })).toMatchObject({ reasonCode: 0 });
    // Refusals do not count: the address is free again in time.
    for (let n = 0; n < 5; n++) await connect(hooks, { ...guess, nowMs: NOW_MS + 9_999 });
    expect(await connect(hooks, { ...right, nowMs: NOW_MS + 10_000 })).toMatchObject({ reasonCode: 0 });
  });

  it('costs who does not wait for the answer as much', async () => {
    const hooks = await load({ users: usersFile });
    // The core tells nothing of an authentication whose client has gone.
    for (let n = 0; n < 3; n++) await hooks.authenticate!(attemptOf(guess));
    expect(await connect(hooks, right)).toMatchObject({ reasonCode: 0x9f });
  });

  it('counts once', async () => {
    const hooks = await load({ users: usersFile });
    for (let n = 0; n < 2; n++) await connect(hooks, guess);
    expect(await connect(hooks, right)).toMatchObject({ reasonCode: 0 });
  });

  it('is only what was wrong: refused strangers do not add up', async () => {
    const hooks = await load({ users: usersFile });
    for (let n = 0; n < 10; n++) expect(await connect(hooks, {})).toMatchObject({ reasonCode: 0x87 });
    expect(await connect(hooks, right)).toMatchObject({ reasonCode: 0 });
  });

  it('is stopped while it waits in the queue', async () => {
    const hooks = await load({ users: usersFile });
    const codes = await Promise.all(
      Array.from({ length: 40 }, async () => (await connect(hooks, guess)).reasonCode),
    );
    const wrong = codes.filter((code) => code === 0x86).length;
    // Two are checked at once, and the next one begins before the last is counted.
    expect([3, 4, 5]).toContain(wrong);
    expect(codes.filter((code) => code === 0x9f)).toHaveLength(40 - wrong);
  });

  it('by SCRAM counts as well, and is refused before it begins', async () => {
    await setUser(usersFile, 'carl', 'pencil', 4096);
    const hooks = await load({ users: usersFile });
    const [method] = hooks.methods!;
    for (let n = 0; n < 3; n++) {
      const attempt = attemptOf({});
      const exchange = method.begin(attempt);
      const scram = new ScramClient(new NodeScramCrypto(), 'carl', 'pen', 4096);
      const first = await exchange.step(scram.first());
      if (first.kind !== 'continue') throw new Error(first.kind);
      scram.handleServerFirst(first.data);
      scram.derive(1);
      expect(await exchange.step(scram.final())).toMatchObject({ kind: 'failure', reasonCode: 0x87 });
      hooks.authenticated!(attempt, false);
    }
    for (let n = 0; n < 5; n++) {
      const attempt = attemptOf({});
      expect(await method.begin(attempt).step(null)).toMatchObject({ kind: 'failure', reasonCode: 0x9f });
      hooks.authenticated!(attempt, false);
    }
    const later = attemptOf({ nowMs: NOW_MS + 10_000 });
    const scram = new ScramClient(new NodeScramCrypto(), 'carl', 'pencil', 4096);
    expect(await method.begin(later).step(scram.first())).toMatchObject({ kind: 'continue' });
  });
});

describe('checking passwords', () => {
  const users = parseUsers(FILE, 'users');
  const check = (passwords: PasswordCheck, user: string, password: string) =>
    passwords.check(users, user, Buffer.from(password), () => true);

  it('is refused when too many wait', async () => {
    const passwords = new PasswordCheck(5);
    const results = await Promise.all(Array.from({ length: 20 }, () => check(passwords, 'alice', 'guess')));
    expect(results.filter((result) => result === 'wrong')).toHaveLength(7);
    expect(results.filter((result) => result === 'busy')).toHaveLength(13);
  });

  it('is done once for a password that is right', async () => {
    const passwords = new PasswordCheck(0);
    expect(await check(passwords, 'alice', 'secret')).toBe('right');
    const guesses = [check(passwords, 'alice', 'a'), check(passwords, 'alice', 'b')];
    // No thread is free, and no place to wait for one.
    expect(await check(passwords, 'alice', 'c')).toBe('busy');
    expect(await check(passwords, 'alice', 'secret')).toBe('right');
    expect(await check(passwords, 'bob', 'secret')).toBe('busy');
    expect(await check(passwords, 'nobody', 'secret')).toBe('busy');
    expect(await Promise.all(guesses)).toEqual(['wrong', 'wrong']);
    const changed = parseUsers(FILE.replace('alice', 'bob').replace('\nbob', '\nalice'), 'users');
    expect(await passwords.check(changed, 'alice', Buffer.from('secret'), () => true)).toBe('wrong');
  });

  it('tells a core that is busy', async () => {
    const hooks = await load({ users: usersFile }, 1000);
    const attempts = Array.from({ length: 300 }, () => connect(hooks, { user: 'alice', password: 'guess' }));
    const codes = (await Promise.all(attempts)).map(({ reasonCode }) => reasonCode);
    expect(codes.filter((code) => code === 0x86)).toHaveLength(258);
    expect(codes.filter((code) => code === 0x89)).toHaveLength(42);
  });
});

describe('files that change', () => {
  it('count once they are read again', async () => {
    const hooks = await load({ users: usersFile, acl: aclFile });
    const [alice] = [client('alice')];
    expect(hooks.authorise!(alice, 'publish', 'a')).toBe(true);
    await connect(hooks, { user: 'alice', password: 'secret' });
    await setUser(usersFile, 'alice', 'new', 4096);
    await writeFile(aclFile, 'user alice\ntopic deny a\n');
    expect(await connect(hooks, { user: 'alice', password: 'secret' })).toMatchObject({ reasonCode: 0 });
    await hooks.reload();
    expect(hooks.authorise!(alice, 'publish', 'a')).toBe(false);
    expect(await connect(hooks, { user: 'alice', password: 'secret' })).toMatchObject({ reasonCode: 0x86 });
    expect(await connect(hooks, { user: 'alice', password: 'new' })).toMatchObject({ reasonCode: 0 });
    const scram = new ScramClient(new NodeScramCrypto(), 'alice', 'new', 4096);
    const exchange = hooks.methods![0].begin(attemptOf({}));
    const first = await exchange.step(scram.first());
    if (first.kind !== 'continue') throw new Error(first.kind);
    scram.handleServerFirst(first.data);
    scram.derive(1);
    expect(await exchange.step(scram.final())).toMatchObject({ kind: 'success', userName: 'alice' });
  });

  it('count both or neither', async () => {
    const hooks = await load({ users: usersFile, acl: aclFile });
    await writeFile(usersFile, '');
    await writeFile(aclFile, 'user bob\nnonsense\n');
    await expect(hooks.reload()).rejects.toThrow(`${aclFile}:2: "nonsense" is not one of`);
    expect(await connect(hooks, { user: 'alice', password: 'secret' })).toMatchObject({ reasonCode: 0 });
    expect(hooks.authorise!(client('alice'), 'publish', 'a')).toBe(true);
    await rm(aclFile);
    await expect(hooks.reload()).rejects.toThrow('cannot be read: ENOENT');
    await writeFile(aclFile, '');
    await Promise.all([hooks.reload(), hooks.reload()]);
    expect(await connect(hooks, { user: 'alice', password: 'secret' })).toMatchObject({ reasonCode: 0x86 });
    expect(hooks.authorise!(client('alice'), 'publish', 'a')).toBe(false);
  });

  it('that cannot be used let no broker begin', async () => {
    await expect(load({ users: join(folder, 'none') })).rejects.toThrow('none: cannot be read: ENOENT');
    await writeFile(usersFile, 'alice:secret\n');
    await expect(load({ users: usersFile })).rejects.toThrow(`${usersFile}:1: not a password hash`);
  });
});
