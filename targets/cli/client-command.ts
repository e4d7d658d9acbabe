/**
 * A sub-command that talks to a broker: commander's Command with `-D`, which takes three or four words, `-h` for the
 * host, errors in our own name, and an end as exit-status.ts describes it.
 */
import { Command } from 'commander';
import { UsageError, describeFailure, type Circumstances } from './exit-status.ts';
import { valueCount } from './property-flags.ts';

export class ClientCommand extends Command {
  constructor(name: string, program: Command) {
    super(name);
    this.copyInheritedSettings(program);
    this.helpOption('--help', 'print this');
    this.showHelpAfterError(helpHint(name));
    this.configureOutput({
      outputError: (text, write) => {
        write(text.replace(/^error: /, `motemq ${name}: `));
      },
    });
  }

  /** Makes one word of each `-D`'s, which commander could not. */
  override parseOptions(argv: string[]): ReturnType<Command['parseOptions']> {
    const words: string[] = [];
    for (let at = 0; at < argv.length; at++) {
      const word = argv[at];
      words.push(word);
      const option = this.options.find((one) => one.short === word || one.long === word);
      if (option?.long === '--property') {
        const end = at + 3 + valueCount(argv[at + 2]);
        words.push(JSON.stringify(argv.slice(at + 1, end)));
        at = end - 1;
      } else if (option?.required && at + 1 < argv.length) {
        words.push(argv[++at]);
      }
    }
    return super.parseOptions(words);
  }
}

function helpHint(name: string): string {
  return `(motemq ${name} --help says more)`;
}

/** Gathers the words of each `-D`. */
export function collectProperty(group: string, before: string[][] | undefined): string[][] {
  return [...(before ?? []), JSON.parse(group) as string[]];
}

/** Gathers an option that may be given several times. */
export function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** One line on stderr in the command's name. */
export function complain(name: string, text: string): void {
  process.stderr.write(`motemq ${name}: ${text}\n`);
}

/** Says what went wrong, except with `isQuiet`, and sets the exit status; usage is talked about in any case. */
export function fail(name: string, error: unknown, circumstances: Circumstances, isQuiet: boolean): void {
  const { text, status } = describeFailure(error, circumstances);
  const isUsage = error instanceof UsageError;
  if (isUsage || !isQuiet) complain(name, text);
  if (isUsage) process.stderr.write(`${helpHint(name)}\n`);
  process.exitCode = status;
}
