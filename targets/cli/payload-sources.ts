/**
 * Where `motemq pub` gets its messages: the command line, a file, or standard input as one message or a message a
 * line. Bytes stay bytes: nothing is taken for text.
 */
import { readFile } from 'node:fs/promises';
import { CommandError, UsageError } from './exit-status.ts';

/** The flags that choose a source, as commander gives them. */
export interface PayloadFlags {
  message?: string;
  file?: string;
  stdinLine?: true;
  stdinFile?: true;
  nullMessage?: true;
}

/** One message, or a message for each line of standard input. */
export type PayloadSource =
  { readonly kind: 'message'; readonly load: () => Promise<Uint8Array> } | { readonly kind: 'lines' };

const LINE_END = 0x0a;

async function loadFile(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new CommandError(`-f: cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? 'why?'}`);
  }
}

async function loadStandardInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  const payload = Buffer.concat(chunks);
  if (payload.length === 0) throw new CommandError('-s: there is nothing on standard input');
  return payload;
}

/** The source that the flags choose; throws UsageError for none and for several. */
export function choosePayload(flags: PayloadFlags): PayloadSource {
  const { message, file, stdinLine, stdinFile, nullMessage } = flags;
  const chosen = [message, file, stdinLine, stdinFile, nullMessage].filter((flag) => flag !== undefined);
  if (chosen.length === 0) throw new UsageError('a message must be given, with -m, -f, -l, -s or -n');
  if (chosen.length > 1) throw new UsageError('only one of -m, -f, -l, -s and -n can be given');
  if (stdinLine) return { kind: 'lines' };
  if (file !== undefined) return { kind: 'message', load: () => loadFile(file) };
  if (stdinFile) return { kind: 'message', load: loadStandardInput };
  return { kind: 'message', load: () => Promise.resolve(new TextEncoder().encode(message ?? '')) };
}

/** The lines in `chunks`, without their ends; what follows the last end is a line if it is anything. */
export async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  for await (const chunk of chunks) {
    let at = 0;
    for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, at)) {
      const piece = chunk.subarray(at, end);
      yield pieces.length === 0 ? piece : Buffer.concat([...pieces, piece]);
      pieces = [];
      at = end + 1;
    }
    if (at < chunk.length) pieces.push(chunk.subarray(at));
  }
  if (pieces.length > 0) yield Buffer.concat(pieces);
}
