/**
 * `motemq passwd`: sets the password of a user in the file that `motemq broker --users` reads, or takes a user out.
 */
import { readFileSync } from 'node:fs';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { SCRAM_ITERATIONS_DEFAULT, deleteUser, setUser } from '../../sim/broker/access/edit-users.ts';
import { complain, fail } from './client-command.ts';
import { CommandError, NOWHERE, UsageError } from './exit-status.ts';
import { printLine, readLines } from './stdio.ts';
import { askPassword } from './wifi-password.ts';

/** More than that, and a client of this library refuses to compute them. */
const ITERATIONS_MAX = 1_000_000;

/** The options as commander gives them. */
export interface PasswdFlags {
  delete?: true;
  passwordFile?: string;
  iterations?: number;
  scram: boolean;
}

/** Where a password comes from that no file holds. */
export interface PasswordInput {
  /** Asks somebody, and shows nothing of the answer; undefined when there is nobody to ask. */
  ask: ((question: string) => Promise<string>) | undefined;
  /** The first line of standard input. */
  readLine(): Promise<string>;
}

function standardInput(): PasswordInput {
  return {
    ask: process.stdin.isTTY ? (question) => askPassword(question) : undefined,
    async readLine() {
      for await (const line of readLines()) return line;
      return '';
    },
  };
}

/** The new password: of the file that the flags name, asked for twice, or the first line of standard input. */
export async function findNewPassword(
  user: string,
  file: string | undefined,
  input: PasswordInput,
): Promise<string> {
  if (file !== undefined && file !== '-') {
    try {
      return readFileSync(file, 'utf8').split(/\r?\n/, 1)[0];
    } catch (error) {
      throw new CommandError(
        `--password-file: cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`,
      );
    }
  }
  if (file === '-' || input.ask === undefined) return input.readLine();
  const password = await input.ask(`New password of "${user}": `);
  if (password === '') throw new CommandError('no password was given');
  if ((await input.ask('The same again: ')) !== password) {
    throw new CommandError('these are two different passwords: nothing was changed');
  }
  return password;
}

/** What the sub-command does; resolves to what it says. Rejects with what went wrong. */
export async function changeUsers(
  file: string,
  user: string,
  flags: PasswdFlags,
  input: PasswordInput = standardInput(),
): Promise<string> {
  if (flags.delete) {
    if (flags.passwordFile !== undefined || flags.iterations !== undefined || !flags.scram) {
      throw new UsageError('--delete needs nothing but the file and the user');
    }
    await deleteUser(file, user);
    return `${user}: deleted from ${file}`;
  }
  if (!flags.scram && flags.iterations !== undefined) {
    throw new UsageError('--iterations and --no-scram cannot be used together');
  }
  const password = await findNewPassword(user, flags.passwordFile, input);
  const iterations = flags.scram ? (flags.iterations ?? SCRAM_ITERATIONS_DEFAULT) : null;
  return `${user}: ${await setUser(file, user, password, iterations)} in ${file}`;
}

async function passwd(file: string, user: string, flags: PasswdFlags): Promise<void> {
  try {
    await printLine(await changeUsers(file, user, flags));
  } catch (error) {
    if (error instanceof CommandError) {
      fail('passwd', error, NOWHERE, false);
    } else {
      complain('passwd', (error as Error).message);
      process.exitCode = 1;
    }
  }
}

function parseIterations(word: string): number {
  const iterations = /^\d{1,9}$/.test(word) ? Number(word) : 0;
  if (iterations >= SCRAM_ITERATIONS_DEFAULT && iterations <= ITERATIONS_MAX) return iterations;
  throw new InvalidArgumentError(`It is a number from ${SCRAM_ITERATIONS_DEFAULT} to ${ITERATIONS_MAX}.`);
}

/** Adds the sub-command. */
export function register(program: Command): void {
  program
    .command('passwd')
    .argument('<file>', 'the file of users; made when it is not there')
    .argument('<user>', 'the user’s name')
    .summary('set the password of a user of motemq broker')
    .description(
      'Sets the password of a user in the file that motemq broker --users reads, or takes the user out of it. The ' +
        'password is asked for twice, or taken from the first line of standard input when that is no terminal.',
    )
    .option('--delete', 'take the user out of the file')
    .option('--password-file <file>', 'the password is the first line of this file; - is standard input')
    .addOption(
      new Option(
        '--iterations <count>',
        `rounds of PBKDF2 for SCRAM-SHA-256, ${SCRAM_ITERATIONS_DEFAULT} to ${ITERATIONS_MAX}; clients compute them too`,
      ).argParser(parseIterations),
    )
    .option('--no-scram', 'the password only as scrypt: for users who never authenticate by SCRAM-SHA-256')
    .addHelpText(
      'after',
      `
The file holds no password, but hashes of it: scrypt for clients that send their password, and SCRAM-SHA-256
credentials for those that prove that they know it. The latter are weaker against whoever steals the file. Only the
file's owner may read it. A running broker reads it again on SIGHUP.

Exit status: 0 when it is done, 1 when not.

Examples:
  $ motemq passwd users.txt alice
  $ openssl rand -base64 18 | tee alice.secret | motemq passwd users.txt alice
  $ motemq passwd users.txt alice --delete`,
    )
    .action(passwd);
}
