/**
 * Changes a file of users: sets a user's password, or takes a user out. All other lines stay as they are. The file is
 * replaced as a whole, so that a broker that reads it just then sees the old one or the new one.
 */
import { pbkdf2, randomBytes } from 'node:crypto';
import { chmod, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { HASH_BYTES } from '../../../src/scram/crypto.ts';
import { SCRAM_ITERATIONS_MIN } from '../../../src/scram/messages.ts';
import { prepareText } from '../../../src/scram/prepare.ts';
import { createCredentials, type ScramCredentials } from '../../../src/scram/server.ts';
import { NodeScramCrypto } from '../../../targets/node/scram.ts';
import { AccessFileError, readAccessFile } from './access-file.ts';
import { hashPassword } from './password-hash.ts';
import { checkUserName, formatUser, nameInLine, parseUsers } from './users-file.ts';

const derivePbkdf2 = promisify(pbkdf2);
const SALT_BYTES = 16;
/** Of CONNECT's field. */
const PASSWORD_BYTES_MAX = 65_535;
/** Only the owner may read which passwords could be tried. */
const MODE = 0o600;

/** As many as RFC 7677 asks for: a board has to do them too. */
export const SCRAM_ITERATIONS_DEFAULT = SCRAM_ITERATIONS_MIN;

/** What happened to the user. */
export type UserChange = 'added' | 'changed';

/**
 * Gives a user a password, and SCRAM-SHA-256 credentials of that with so many iterations, unless they are null. The file
 * is made when it is not there. Rejects with an Error for a name or password that cannot be one, and for a file that
 * cannot be used.
 */
export async function setUser(
  file: string,
  name: string,
  password: string,
  scramIterations: number | null,
): Promise<UserChange> {
  checkUserName(name);
  const bytes = new TextEncoder().encode(password);
  if (bytes.length === 0) throw new Error('there is no password');
  if (bytes.length > PASSWORD_BYTES_MAX) {
    throw new Error(`a password has at most ${PASSWORD_BYTES_MAX} bytes`);
  }
  const scram = scramIterations === null ? null : await makeCredentials(name, password, scramIterations);
  const line = formatUser(name, await hashPassword(bytes), scram);
  let change: UserChange = 'added';
  await edit(file, (lines) => {
    const at = lines.findIndex((one) => nameInLine(one) === name);
    if (at < 0) return [...lines, line];
    change = 'changed';
    return lines.with(at, line);
  });
  return change;
}

/** Takes a user out. Rejects with an Error when there is none of this name. */
export async function deleteUser(file: string, name: string): Promise<void> {
  await edit(file, (lines) => {
    const left = lines.filter((line) => nameInLine(line) !== name);
    if (left.length === lines.length) throw new AccessFileError(file, 0, 'there is no such user');
    return left;
  });
}

async function makeCredentials(
  name: string,
  password: string,
  iterations: number,
): Promise<ScramCredentials> {
  const crypto = new NodeScramCrypto();
  const normalize = (text: string): string => crypto.normalize(text);
  // SCRAM compares names and passwords in this form, and takes no others (RFC 5802, 5.1).
  prepareText(name, 'the user name', normalize);
  const prepared = prepareText(password, 'the password', normalize);
  const salt = randomBytes(SALT_BYTES);
  const salted = await derivePbkdf2(prepared, salt, iterations, HASH_BYTES, 'sha256');
  return createCredentials(crypto, salted, salt, iterations);
}

/** Replaces the file by what `change` makes of its lines. Keeps its owner; who else may read it loses that. */
async function edit(file: string, change: (lines: string[]) => string[]): Promise<void> {
  const target = await realpath(file).catch(() => file);
  const replacement = `${target}.new`;
  const handle = await open(replacement, 'wx', MODE).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'EEXIST'
        ? 'is there already: is the file being changed? If not, delete it'
        : `is needed: ${code}`;
    throw new AccessFileError(replacement, 0, why, error);
  });
  try {
    const before = await stat(target).catch(() => null);
    const text = before === null ? '' : await readAccessFile(target);
    const lines = text.split('\n');
    if (lines.at(-1) === '') lines.pop();
    const changed = change(lines)
      .map((line) => `${line}\n`)
      .join('');
    // No file is left behind that a broker would not load; a line that it would not may be the one that is changed.
    parseUsers(changed, file);
    await handle.writeFile(changed);
    if (before !== null && (before.uid !== process.getuid?.() || before.gid !== process.getgid?.())) {
      await handle.chown(before.uid, before.gid);
    }
    await handle.sync();
    await handle.close();
    await chmod(replacement, MODE);
    await rename(replacement, target);
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(replacement, { force: true });
    throw error;
  }
}
