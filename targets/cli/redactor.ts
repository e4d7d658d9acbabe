/**
 * Keeps secrets out of what is printed. Knows how programs write a text down: as it is, in quotes, in JSON, in a URL,
 * in a makefile.
 */

/** What stands where a secret was. */
export const REDACTED = '********';

/** Every way in which programs may echo `secret`. */
function spellings(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const all = [
    secret,
    json,
    // In JSON in JSON, in single quotes, for bash's %q, for make, in a URL and in a form.
    JSON.stringify(json).slice(1, -1),
    secret.replaceAll("'", String.raw`'\''`),
    secret.replaceAll("'", String.raw`\'`),
    secret.replace(/[^\w./:@%+=-]/g, String.raw`\$&`),
    secret.replaceAll('$', '$$$$'),
    encodeURIComponent(secret),
    encodeURI(secret),
    encodeURIComponent(secret).replaceAll('%20', '+'),
  ];
  return [...new Set(all)];
}

export class Redactor {
  private readonly words: readonly string[];
  /** Length of the longest text that is looked for, in UTF-16 units; 0 when there is none. */
  readonly lengthMax: number;

  /** @param secrets empty ones are none */
  constructor(secrets: readonly string[]) {
    this.words = secrets
      .filter((secret) => secret !== '')
      .flatMap(spellings)
      // The longest first: a spelling may be contained in another.
      .sort((a, b) => b.length - a.length);
    this.lengthMax = this.words[0]?.length ?? 0;
  }

  /** `text` without secrets. A secret that is cut in two by the ends of `text` is not seen: give whole lines. */
  redact(text: string): string {
    let clean = text;
    for (const word of this.words) clean = clean.replaceAll(word, REDACTED);
    return clean;
  }
}

/** Longer lines are handed on in pieces. */
const LINE_LENGTH_MAX = 8192;
/** Colours and cursor movements; those that leave the line end it. */
// eslint-disable-next-line no-control-regex -- escape sequences are what is looked for
const ANSI_LINE_END = /\u001b\[\d*[AEF]/g;
// eslint-disable-next-line no-control-regex -- likewise
const ANSI = /\u001b(\[[\d;?]*[A-Za-z]|\][^\u0007]*\u0007|[()][A-Z0-9])/g;

/**
 * Makes whole lines, without secrets and escape sequences, of a program's output that comes in pieces. A carriage
 * return ends a line, too: progress is written over itself.
 */
export class LineReader {
  private rest = '';
  private readonly redactor: Redactor;
  private readonly take: (line: string) => void;

  constructor(redactor: Redactor, take: (line: string) => void) {
    this.redactor = redactor;
    this.take = take;
  }

  push(text: string): void {
    const lines = (this.rest + text).replace(ANSI_LINE_END, '\n').split(/\r\n|[\r\n]/);
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.hand(line);
    if (this.rest.length <= LINE_LENGTH_MAX) return;
    // What may be the beginning of a secret stays.
    const clean = this.redactor.redact(this.rest.replace(ANSI, ''));
    const kept = Math.min(clean.length, Math.max(0, this.redactor.lengthMax - 1));
    this.take(clean.slice(0, clean.length - kept));
    this.rest = clean.slice(clean.length - kept);
  }

  /** The last line may have no end. */
  finish(): void {
    if (this.rest !== '') this.hand(this.rest);
    this.rest = '';
  }

  private hand(line: string): void {
    const clean = this.redactor.redact(line.replace(ANSI, '')).trimEnd();
    if (clean !== '') this.take(clean);
  }
}
