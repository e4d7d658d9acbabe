/**
 * The file of users: `name:hash`, `name:hash:SCRAM credentials` or `name:SCRAM credentials`, a line each. A password file
 * of Mosquitto is one. Knows no client; what comes of a name that is not there, decoys.ts says.
 */
import { SCRAM_ITERATIONS_MIN } from '../../../src/scram/messages.ts';
import { prepareText } from '../../../src/scram/prepare.ts';
import type { ScramCredentials } from '../../../src/scram/server.ts';
import { utf8ByteLength } from '../../../src/wire/utf8.ts';
import { AccessFileError, meaningfulLines, readAccessFile } from './access-file.ts';
import { decoyCredentials, decoyIndex } from './decoys.ts';
import {
  decodeCount,
  decodeField,
  encodeField,
  parsePasswordHash,
  type PasswordHash,
} from './password-hash.ts';

const SCRAM_PREFIX = '$scram-sha-256$';
const SCRAM_ITERATIONS_MAX = 10_000_000;
/** As long as decoys.ts can make it. */
const SCRAM_SALT_BYTES_MAX = 64;
const SCRAM_KEY_BYTES = 32;
/** A User Name has a length of two bytes in CONNECT. */
const NAME_BYTES_MAX = 65_535;

export interface User {
  readonly name: string;
  /** null: the user cannot give a password. */
  readonly password: PasswordHash | null;
  /** null: the user cannot use SCRAM. */
  readonly scram: ScramCredentials | null;
}

/** What decoys look like where no user has SCRAM credentials. */
const USUAL_CREDENTIALS: ScramCredentials = {
  salt: new Uint8Array(16),
  iterations: SCRAM_ITERATIONS_MIN,
  storedKey: new Uint8Array(SCRAM_KEY_BYTES),
  serverKey: new Uint8Array(SCRAM_KEY_BYTES),
};

/** All users of a file. */
export class Users {
  private readonly withPassword: readonly User[];
  private readonly withScram: readonly User[];
  private readonly byName: ReadonlyMap<string, User>;
  private readonly byPreparedName: ReadonlyMap<string, User>;

  /** Names are different, those with SCRAM credentials also in the form that SCRAM compares. */
  constructor(users: readonly User[]) {
    this.withPassword = users.filter(({ password }) => password !== null);
    this.withScram = users.filter(({ scram }) => scram !== null);
    this.byName = new Map(users.map((user) => [user.name, user]));
    this.byPreparedName = new Map(this.withScram.map((user) => [preparedName(user.name), user]));
  }

  /**
   * The hash that a password of this user is checked against. For a name that nobody has it is somebody else's, so that
   * checking takes as long; the outcome does not count then. null when no user at all has one.
   */
  passwordOf(name: string): { hash: PasswordHash; isDecoy: boolean } | null {
    const hash = this.byName.get(name)?.password ?? null;
    if (hash !== null) return { hash, isDecoy: false };
    if (this.withPassword.length === 0) return null;
    const other = this.withPassword[decoyIndex(name, this.withPassword.length)];
    return { hash: other.password as PasswordHash, isDecoy: true };
  }

  /** Credentials for a name as a client of SCRAM gives it, and whose they are; for an unknown name such as fit nothing. */
  scramOf(preparedUserName: string): { userName: string; credentials: ScramCredentials } {
    const { withScram } = this;
    const like =
      withScram.length === 0 ? null : withScram[decoyIndex(preparedUserName, withScram.length)].scram;
    // Made in any case: it takes time.
    const decoy = decoyCredentials(preparedUserName, like ?? USUAL_CREDENTIALS);
    const user = this.byPreparedName.get(preparedUserName);
    return { userName: user?.name ?? preparedUserName, credentials: user?.scram ?? decoy };
  }
}

function preparedName(name: string): string {
  return prepareText(name, 'the user name', (text) => text.normalize('NFKC'));
}

/** Throws an Error unless `name` can stand in the file. */
export function checkUserName(name: string): void {
  if (name === '') throw new Error('there is no user name');
  if (name.trim() !== name) throw new Error('a user name cannot begin or end with a blank');
  if (name.startsWith('#')) throw new Error('a user name cannot begin with "#": that is a comment');
  if (name.includes(':')) throw new Error('a user name cannot contain ":"');
  const byteLength = utf8ByteLength(name);
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  if (byteLength < 0 || /[\0-\x1f\x7f]/.test(name)) throw new Error('a user name cannot contain that');
  if (byteLength > NAME_BYTES_MAX) throw new Error(`a user name has at most ${NAME_BYTES_MAX} bytes`);
}

/** The name in a line of the file; null for a comment or a blank line. */
export function nameInLine(line: string): string | null {
  const [meaningful] = meaningfulLines(line);
  return meaningful === undefined ? null : meaningful.text.split(':', 1)[0].trim();
}

/** What the file says of a user, without a line end. */
export function formatUser(name: string, passwordHash: string, scram: ScramCredentials | null): string {
  const fields = [name, passwordHash];
  if (scram !== null) {
    const { iterations, salt, storedKey, serverKey } = scram;
    fields.push(
      `${SCRAM_PREFIX}${iterations}$${encodeField(salt)}$${encodeField(storedKey)}$${encodeField(serverKey)}`,
    );
  }
  return fields.join(':');
}

/** Throws an Error in words that do not repeat `text`. */
function parseScram(text: string): ScramCredentials {
  const fields = text.slice(SCRAM_PREFIX.length).split('$');
  if (fields.length !== 4) {
    throw new Error(`SCRAM credentials must be ${SCRAM_PREFIX}iterations$salt$storedKey$serverKey`);
  }
  const iterations = decodeCount(fields[0], SCRAM_ITERATIONS_MAX, 'the iterations of SCRAM');
  if (iterations < SCRAM_ITERATIONS_MIN) {
    // RFC 7677, 4
    throw new Error(`the iterations of SCRAM must be at least ${SCRAM_ITERATIONS_MIN}`);
  }
  return {
    iterations,
    salt: decodeField(fields[1], 1, SCRAM_SALT_BYTES_MAX, 'salt of SCRAM'),
    storedKey: decodeField(fields[2], SCRAM_KEY_BYTES, SCRAM_KEY_BYTES, 'stored key of SCRAM'),
    serverKey: decodeField(fields[3], SCRAM_KEY_BYTES, SCRAM_KEY_BYTES, 'server key of SCRAM'),
  };
}

function parseUser(text: string): User {
  const [name, ...fields] = text.split(':').map((field) => field.trim());
  checkUserName(name);
  let password: PasswordHash | null = null;
  let scram: ScramCredentials | null = null;
  for (const field of fields) {
    if (field.startsWith(SCRAM_PREFIX)) {
      if (scram !== null) throw new Error('SCRAM credentials are there twice');
      scram = parseScram(field);
      preparedName(name);
    } else {
      if (password !== null) throw new Error('a password hash is there twice');
      password = parsePasswordHash(field);
    }
  }
  if (fields.length === 0) throw new Error('there is no ":" with a password hash behind it');
  return { name, password, scram };
}

/** The users that `text` names. Throws an AccessFileError that names `file` and the line. */
export function parseUsers(text: string, file: string): Users {
  const users: User[] = [];
  const lineOf = new Map<string, number>();
  for (const line of meaningfulLines(text)) {
    try {
      const user = parseUser(line.text);
      const names = new Set([user.name, user.scram === null ? user.name : preparedName(user.name)]);
      for (const name of names) {
        const before = lineOf.get(name);
        if (before !== undefined) throw new Error(`this user is there already, in line ${before}`);
        lineOf.set(name, line.number);
      }
      users.push(user);
    } catch (error) {
      throw new AccessFileError(file, line.number, (error as Error).message);
    }
  }
  return new Users(users);
}

/** The users of a file. Rejects with an AccessFileError. */
export async function loadUsers(file: string): Promise<Users> {
  return parseUsers(await readAccessFile(file), file);
}
