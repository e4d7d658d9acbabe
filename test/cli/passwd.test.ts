/**
 * `motemq passwd`: what it makes of a file of users, where it takes passwords from, and what it says.
 */
import { chmod, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isPassword } from '../../sim/broker/access/password-hash.ts';
import { loadUsers } from '../../sim/broker/access/users-file.ts';
import { deriveKeys } from '../../src/scram/keys.ts';
import { UsageError } from '../../targets/cli/exit-status.ts';
import {
  changeUsers,
  findNewPassword,
  register,
  type PasswdFlags,
  type PasswordInput,
} from '../../targets/cli/passwd.ts';
import { NodeScramCrypto } from '../../targets/node/scram.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'motemq-passwd-'));
  file = join(folder, 'users');
});
afterEach(() => rm(folder, { recursive: true }));

/** Standard input that holds one line. */
const piped = (line: string): PasswordInput => ({ ask: undefined, readLine: () => Promise.resolve(line) });

/** Somebody at a terminal, who was asked what is in `asked`. */
function terminal(...answers: string[]): PasswordInput & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    ask: (question) => {
      asked.push(question);
      return Promise.resolve(answers.shift()!);
    },
    readLine: () => Promise.reject(new Error('standard input is a terminal')),
  };
}

const change = (user: string, password: string, flags: Partial<PasswdFlags> = {}) =>
  changeUsers(file, user, { scram: true, ...flags }, piped(password));

/** Whether the file lets the user in by this password, and by SCRAM with it. */
async function fits(user: string, password: string): Promise<{ byPassword: boolean; byScram: boolean }> {
  const users = await loadUsers(file);
  const expected = users.passwordOf(user);
  const { credentials } = users.scramOf(user);
  const crypto = new NodeScramCrypto();
  const salted = crypto.pbkdf2(Buffer.from(password), credentials.salt, credentials.iterations);
  const { storedKey, serverKey } = deriveKeys(crypto, salted);
  return {
    byPassword:
      expected !== null && !expected.isDecoy && (await isPassword(Buffer.from(password), expected.hash)),
    byScram:
      Buffer.from(storedKey).equals(credentials.storedKey) &&
      Buffer.from(serverKey).equals(credentials.serverKey),
  };
}

const namesInFolder = async () => (await readdir(folder)).sort();

describe('the file', () => {
  it('is made, for its owner alone, with both kinds of hashes', async () => {
    expect(await change('alice', 'secret')).toBe(`alice: added in ${file}`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await fits('alice', 'secret')).toEqual({ byPassword: true, byScram: true });
    expect(await fits('alice', 'Secret')).toEqual({ byPassword: false, byScram: false });
    expect(await readFile(file, 'utf8')).toMatch(
      /^alice:\$scrypt\$ln=14,r=8,p=1\$[^:$]+\$[^:$]+:\$scram-sha-256\$4096\$[^:$]+\$[^:$]+\$[^:$]+\n$/,
    );
    expect(await namesInFolder()).toEqual(['users']);
  });

  it('keeps all other lines, without an end of the last one as well', async () => {
    await change('alice', 'secret');
    const [line] = (await readFile(file, 'utf8')).split('\n');
    const before = `# the plant\r\n\n  bob: ${line.slice(6)}\n${line}`;
    await writeFile(file, before);
    await chmod(file, 0o644);
    expect(await change('carl', 'x')).toBe(`carl: added in ${file}`);
    expect(await change('bob', 'y')).toBe(`bob: changed in ${file}`);
    const lines = (await readFile(file, 'utf8')).split('\n');
    expect(lines.slice(0, 2)).toEqual(['# the plant\r', '']);
    expect(lines[2]).toMatch(/^bob:\$scrypt\$/);
    expect(lines[3]).toBe(line);
    expect(lines[4]).toMatch(/^carl:\$scrypt\$/);
    expect(lines.slice(5)).toEqual(['']);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await fits('bob', 'y')).byPassword).toBe(true);
    expect(await changeUsers(file, 'alice', { delete: true, scram: true })).toBe(
      `alice: deleted from ${file}`,
    );
    expect((await readFile(file, 'utf8')).split('\n').map((one) => one.split(':')[0])).toEqual([
      '# the plant\r',
      '',
      'bob',
      'carl',
      '',
    ]);
  });

  it('may be behind a link, which stays one', async () => {
    const link = join(folder, 'link');
    await change('alice', 'secret');
    await symlink('users', link);
    await changeUsers(link, 'bob', { scram: false }, piped('x'));
    expect(await fits('bob', 'x')).toEqual({ byPassword: true, byScram: false });
    expect(await namesInFolder()).toEqual(['link', 'users']);
  });

  it('of Mosquitto can be changed', async () => {
    const bob =
      'bob:$7$101$h8IWL7wXFvn6eaEK$bkyBg0M8t9W43sGqH/TzsM8rBRxLgUxK1g13gqsAm6/AiLJOJZTcJOgnGCQNJPHIj10q6vAHBeVt2Tb0zxY1ug==';
    await writeFile(file, `${bob}\nold:$6$u90FWvXYWEiW8A1h$Js7Kc/j1huxIcaWI\n`);
    await expect(change('alice', 'x')).rejects.toThrow(`${file}:2: not a password hash`);
    await change('old', 'new');
    expect(await fits('old', 'new')).toEqual({ byPassword: true, byScram: true });
    expect((await readFile(file, 'utf8')).split('\n')[0]).toBe(bob);
  });

  it('stays as it is when something is wrong', async () => {
    await change('alice', 'secret');
    const before = await readFile(file, 'utf8');
    await expect(changeUsers(file, 'bob', { delete: true, scram: true })).rejects.toThrow('no such user');
    for (const name of ['', 'a:b', '#a', ' a']) {
      await expect(change(name, 'x')).rejects.toThrow('user name');
    }
    await expect(change('bob', '')).rejects.toThrow('there is no password');
    await expect(change('bob', 'x'.repeat(65_536))).rejects.toThrow('65535 bytes');
    await expect(change('bob', 'bell\u0007')).rejects.toThrow('the password must be text');
    await writeFile(`${file}.new`, '');
    await expect(change('bob', 'x')).rejects.toThrow('users.new: is there already');
    expect(await readFile(file, 'utf8')).toBe(before);
    expect(await namesInFolder()).toEqual(['users', 'users.new']);
    await expect(changeUsers(join(folder, 'no/users'), 'a', { scram: false }, piped('x'))).rejects.toThrow(
      'is needed: ENOENT',
    );
  });

  it('has as many iterations as are asked for, or no credentials of SCRAM', async () => {
    await change('alice', 'a', { iterations: 5000 });
    expect(await readFile(file, 'utf8')).toContain(':$scram-sha-256$5000$');
    await change('alice', 'bell\u0007', { scram: false });
    expect(await readFile(file, 'utf8')).not.toContain('scram');
    expect(await fits('alice', 'bell\u0007')).toEqual({ byPassword: true, byScram: false });
  });
});

describe('the password', () => {
  it('is asked for twice', async () => {
    const input = terminal('correct horse', 'correct horse');
    expect(await findNewPassword('alice', undefined, input)).toBe('correct horse');
    expect(input.asked).toEqual(['New password of "alice": ', 'The same again: ']);
    await expect(findNewPassword('alice', undefined, terminal('a', 'b'))).rejects.toThrow('different');
    await expect(findNewPassword('alice', undefined, terminal(''))).rejects.toThrow('no password');
  });

  it('is a line of standard input where nobody can be asked, or of a file', async () => {
    expect(await findNewPassword('alice', undefined, piped('from a pipe'))).toBe('from a pipe');
    expect(await findNewPassword('alice', '-', { ...terminal(), readLine: piped('x').readLine })).toBe('x');
    const secret = join(folder, 'secret');
    await writeFile(secret, 'first line \r\nsecond\n');
    expect(await findNewPassword('alice', secret, terminal())).toBe('first line ');
    await expect(findNewPassword('alice', join(folder, 'none'), terminal())).rejects.toThrow(
      /--password-file: cannot read .*none: ENOENT/,
    );
  });
});

describe('the flags', () => {
  it.each([
    { delete: true, passwordFile: 'x', scram: true },
    { delete: true, iterations: 5000, scram: true },
    { delete: true, scram: false },
    { iterations: 5000, scram: false },
  ] as PasswdFlags[])('do not go together: %j', async (flags) => {
    await expect(changeUsers(file, 'alice', flags, piped('x'))).rejects.toThrow(UsageError);
    expect(await namesInFolder()).toEqual([]);
  });

  /** The sub-command as `motemq` has it; rejects where it would end with commander's status. */
  async function run(...words: string[]): Promise<void> {
    const program = new Command('motemq').exitOverride().configureOutput({ writeErr: () => {} });
    register(program);
    await program.parseAsync(['passwd', ...words], { from: 'user' });
  }

  it('are read from the command line', async () => {
    const secret = join(folder, 'secret');
    await writeFile(secret, 'x\n');
    await run(file, 'alice', '--password-file', secret, '--iterations', '4097');
    expect(await fits('alice', 'x')).toEqual({ byPassword: true, byScram: true });
    expect(await readFile(file, 'utf8')).toContain('$4097$');
    await run(file, 'bob', '--password-file', secret, '--no-scram');
    expect(await fits('bob', 'x')).toEqual({ byPassword: true, byScram: false });
    await run(file, 'alice', '--delete');
    expect((await loadUsers(file)).passwordOf('alice')).toMatchObject({ isDecoy: true });
  });

  it.each([['4095'], ['1000001'], ['x'], ['-5'], ['5e3']])('refuse %s iterations', async (word) => {
    await expect(run(file, 'alice', `--iterations=${word}`)).rejects.toThrow('from 4096 to 1000000');
  });
});
