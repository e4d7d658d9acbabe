/**
 * `motemq doctor`: says what is there and what is missing for flashing boards, running fleets, and the XS engine, and
 * whether a broker can be reached. Here are the flags and the printing.
 */
import pc from 'picocolors';
import { Option, type Command } from 'commander';
import { wantsColour } from '../../sim/fleet/progress.ts';
import { ClientCommand, fail } from './client-command.ts';
import { parseProtocol, type ConnectionFlags } from './connection-flags.ts';
import { PURPOSES, examine, isWell, type Check, type Purpose, type Report } from './doctor-checks.ts';
import { NOWHERE } from './exit-status.ts';
import type { Finding, FindingState } from './findings.ts';
import { thisMachine } from './machine.ts';
import { hostPlatformOf } from './moddable-sdk.ts';
import { parseTarget, type Target } from './moddable-target.ts';
import { printLine } from './stdio.ts';
import { addTlsOptions, type TlsFlags } from './tls-flags.ts';

/** The options as commander gives them. */
export interface DoctorFlags extends TlsFlags {
  for?: Purpose;
  target: string;
  url?: string;
  username?: string;
  pw?: string;
  id?: string;
  protocolVersion?: '5.0' | '3.1.1';
  json?: true;
}

const TITLE_COLUMNS = 19;
const STATE_COLUMNS = 7;
const LEAVE_MS_MAX = 250;

/** The report for people, a line each. */
export function renderReport(
  report: Report,
  purpose: Purpose | undefined,
  target: Target,
  colour: boolean,
): string[] {
  const paint = pc.createColors(colour);
  const paints: Record<FindingState, (text: string) => string> = {
    ok: paint.green,
    missing: paint.yellow,
    wrong: paint.red,
  };
  const isShown = (check: Check): boolean =>
    purpose === undefined || check.neededFor.includes(purpose) || isOptionalFor(check, purpose);
  const lines: string[] = [];
  for (const check of report.checks.filter(isShown)) {
    const { state, title, detail, fix } = check;
    const optional = state === 'missing' && check.neededFor.length === 0 ? ' (optional)' : '';
    lines.push(
      `${paints[state](state.padEnd(STATE_COLUMNS))}  ${title.padEnd(TITLE_COLUMNS)}  ${detail}${optional}`,
    );
    if (state === 'ok') continue;
    for (const line of fix) lines.push(`${' '.repeat(STATE_COLUMNS)}  ${paint.dim('→')} ${line}`);
  }
  lines.push('');
  for (const one of purpose === undefined ? PURPOSES : [purpose]) {
    const name = one === 'flash' ? `flash --target ${target.name}` : one;
    const lacking = report.checks
      .filter((check) => check.state !== 'ok' && check.neededFor.includes(one))
      .map(({ title }) => title);
    lines.push(
      lacking.length === 0
        ? `${name}: ${paint.green('ready')}`
        : `${name}: ${paint.yellow('not ready')}: ${[...new Set(lacking)].join(', ')}`,
    );
  }
  return lines;
}

/** What is good to have for flashing is TypeScript; for fleets it is Mosquitto. */
function isOptionalFor({ id, neededFor }: Check, purpose: Purpose): boolean {
  if (neededFor.length > 0) return false;
  return purpose === 'flash' ? id === 'typescript' || id === 'serial-port' : id === 'mosquitto';
}

async function tryBroker(flags: DoctorFlags): Promise<Finding | undefined> {
  if (flags.url === undefined) return undefined;
  // Loaded only when it is wanted.
  const { checkBroker } = await import('./doctor-broker.ts');
  const connection: ConnectionFlags = { ...flags, keepalive: 60, qos: 0 };
  return checkBroker(connection);
}

async function doctor(flags: DoctorFlags): Promise<void> {
  // A password may stand on our command line, where other users would see it.
  process.title = 'motemq doctor';
  const machine = thisMachine();
  try {
    const target = parseTarget(flags.target, hostPlatformOf(machine.platform) ?? 'lin');
    const report = await examine(machine, target, await tryBroker(flags));
    const isOk = isWell(report, flags.for);
    if (flags.json) {
      const { checks, ready } = report;
      await printLine(
        JSON.stringify({ ok: isOk, for: flags.for ?? null, target: target.name, ready, checks }),
      );
    } else {
      const colour = wantsColour(process.stdout);
      for (const line of renderReport(report, flags.for, target, colour)) await printLine(line);
    }
    if (!isOk) process.exitCode = 1;
  } catch (error) {
    fail('doctor', error, NOWHERE, false);
  }
  // A resolver may still be waiting for an answer that nobody wants any more.
  setTimeout(() => process.exit(), LEAVE_MS_MAX).unref();
}

/** Adds the sub-command. */
export function register(program: Command): void {
  const command = new ClientCommand('doctor', program);
  program.addCommand(command);
  command
    .summary('say what is there and what is missing, and how to get it')
    .description(
      'Looks at everything that flashing a board, running a fleet and the XS engine take: each line says ok, missing or ' +
        'wrong, and what to do. Needs no network, except to try the broker of -L.',
    )
    .addOption(new Option('--for <purpose>', 'look only at what this needs').choices(PURPOSES))
    .option('--target <target>', 'what would be flashed: esp32, esp32/BOARD, lin …', 'esp32')
    .addOption(new Option('--json', 'print one JSON object on standard output'))
    .optionsGroup('Broker:')
    .option('-L, --url <url>', 'try this broker, too: mqtt(s)://[user[:password]@]host[:port] or ws(s)://…')
    .option('-u, --username <name>', 'user name')
    .option('-P, --pw <password>', 'password')
    .option('-i, --id <id>', 'client identifier (default: the broker assigns one)')
    .addOption(
      new Option(
        '-V, --protocol-version <version>',
        '5 (or mqttv5) or 311 (or mqttv311); default: 5, or 3.1.1 where the broker does not speak 5',
      ).argParser(parseProtocol),
    );
  addTlsOptions(command);
  command
    .addHelpText(
      'after',
      `
Exit status: with --for, 0 when everything needed for it is ok. Without, 0 when nothing is wrong: what is missing may
not be wanted. A broker that cannot be used is 1 in both cases.

Examples:
  $ motemq doctor
  $ motemq doctor --for flash --target esp32/m5stick_c
  $ motemq doctor --for fleet -L mqtts://broker.example --cafile ca.pem
  $ motemq doctor --json | jq '.checks[] | select(.state != "ok")'`,
    )
    .action(doctor);
}
