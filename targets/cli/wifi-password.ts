/**
 * Where `motemq flash` takes the Wi-Fi password from, so that it need not stand on the command line, which other users
 * of the computer can read: a file, the environment, or a prompt without echo.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { CommandError } from './exit-status.ts';

/** As commander gives them. */
export interface PasswordFlags {
  ssid?: string;
  password?: string;
  passwordFile?: string;
}

export const PASSWORD_VARIABLE = 'MOTEMQ_WIFI_PASSWORD';

/** The first line of the file, or of standard input for `-`. */
function readPasswordFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8').split(/\r?\n/)[0];
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'why?';
    throw new CommandError(`--password-file: cannot read ${file}: ${why}`);
  }
}

/** Asks on the terminal, and shows nothing of what is typed. Rejects with CommandError on Ctrl-C. */
export function askPassword(
  question: string,
  input: NodeJS.ReadableStream = process.stdin,
  output: NodeJS.WritableStream = process.stderr,
): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: true, historySize: 0 });
  output.write(question);
  return new Promise<string>((resolve, reject) => {
    let answer: string | undefined;
    lines.once('line', (line) => {
      answer = line;
      lines.close();
    });
    lines.once('close', () => {
      output.write('\n');
      if (answer === undefined) reject(new CommandError('no password was given'));
      else resolve(answer);
    });
  });
}

/**
 * The password, or undefined for a network without. Asks only when a network is named and somebody can answer.
 * Throws CommandError for a file that cannot be read.
 */
export async function findPassword(
  flags: PasswordFlags,
  env: NodeJS.ProcessEnv,
  ask: ((question: string) => Promise<string>) | undefined,
): Promise<string | undefined> {
  if (flags.password !== undefined) return flags.password;
  if (flags.passwordFile !== undefined) return readPasswordFile(flags.passwordFile);
  if (flags.ssid === undefined) return undefined;
  const fromEnv = env[PASSWORD_VARIABLE];
  if (fromEnv !== undefined) return fromEnv;
  return ask?.(`Wi-Fi password of "${flags.ssid}" (none for an open network): `);
}
