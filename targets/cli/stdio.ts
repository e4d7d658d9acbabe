/**
 * Standard input and output as the sub-commands use them: lines out with back-pressure, text in piece by piece, and
 * a reader that goes away early (`| head -1`) ends the program quietly.
 */
import { once } from 'node:events';

/** Ends the program without a word when whoever reads its output has gone. */
export function endQuietlyOnEpipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    // Nobody reads on: what is still to be done can help nobody.
    process.exit();
  });
}

/** Prints a line, and waits while the reader is slower than the writer. */
export async function printLine(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
}

/** Prints `{ "error": … }`, the last line there is, and lets the program end with exit status 1. */
export async function printError(error: object): Promise<void> {
  process.exitCode = 1;
  await printLine(JSON.stringify({ error }));
}

/** Standard input as text, in pieces as they come. */
export function readStandardInput(): AsyncIterable<string> {
  process.stdin.setEncoding('utf8');
  return process.stdin as AsyncIterable<string>;
}

/** Standard input line by line, without the line ends. */
export async function* readLines(): AsyncGenerator<string> {
  let pieces: string[] = [];
  for await (const text of readStandardInput()) {
    const lines = text.split('\n');
    pieces.push(lines[0]);
    for (const next of lines.slice(1)) {
      yield pieces.join('').replace(/\r$/, '');
      pieces = [next];
    }
  }
  const last = pieces.join('');
  if (last !== '') yield last;
}
