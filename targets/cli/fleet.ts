/**
 * `motemq fleet`: thousands of simulated devices against a broker, made up or running a firmware file, with a live view,
 * a summary, and a report.
 */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { readFileSync } from 'node:fs';
import { access, constants, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
  FleetError,
  ProgressView,
  renderHtmlReport,
  renderSummary,
  runFleet,
  wantsColour,
  type FleetOptions,
  type FleetResult,
} from '../../sim/fleet/index.ts';
import { printLine } from './stdio.ts';

/** The options as commander gives them. */
export interface FleetFlags {
  url?: string;
  devices: number;
  interval: number;
  duration: number;
  qos: number;
  topic: string;
  ramp: number;
  seed?: number;
  mqtt?: '5' | '5.0' | '3.1.1';
  username?: string;
  pw?: string;
  cafile?: string;
  insecure?: boolean;
  drain: number;
  firmware?: string;
  engine?: 'node' | 'xs';
  id?: string;
  json?: boolean;
  report?: string;
}

function number(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError('It must be a number.');
  return Number(text);
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

/** The library's options by the flags that set them, where the names differ. */
const FLAG_OF_OPTION: Record<string, string> = {
  intervalMs: 'interval',
  durationSeconds: 'duration',
  rampPerSecond: 'ramp',
  drainSeconds: 'drain',
  mqttVersion: 'mqtt',
  password: 'pw',
};

function complain(error: Error): void {
  let text = error.message;
  if (error instanceof FleetError && error.option !== undefined) {
    text = `--${FLAG_OF_OPTION[error.option] ?? error.option}: ${error.reason}`;
  }
  process.stderr.write(`motemq fleet: ${text}\n`);
  process.exitCode = 1;
}

/** What was asked for, and not only not denied: with firmware other things are usual. */
function givenOf(
  flags: FleetFlags,
  command: Command,
): Pick<FleetOptions, 'devices' | 'intervalMs' | 'qos' | 'topic'> {
  const given = <Name extends keyof FleetFlags>(name: Name): FleetFlags[Name] | undefined =>
    command.getOptionValueSource(name) === 'default' ? undefined : flags[name];
  return {
    devices: given('devices'),
    intervalMs: given('interval'),
    qos: given('qos'),
    topic: given('topic'),
  };
}

function optionsOf(flags: FleetFlags, command: Command, signal: AbortSignal): FleetOptions {
  let ca: string | undefined;
  try {
    ca = flags.cafile === undefined ? undefined : readFileSync(flags.cafile, 'utf8');
  } catch (error) {
    throw new FleetError((error as Error).message, 'cafile');
  }
  return {
    url: flags.url,
    ...givenOf(flags, command),
    durationSeconds: flags.duration,
    rampPerSecond: flags.ramp,
    seed: flags.seed,
    mqttVersion: flags.mqtt === '5' ? '5.0' : flags.mqtt,
    userName: flags.username,
    password: flags.pw,
    ca,
    insecure: flags.insecure,
    drainSeconds: flags.drain,
    firmware: flags.firmware,
    engine: flags.engine,
    id: flags.id,
    signal,
  };
}

/** Ctrl-C once stops sending and gives the report all the same, twice ends at once. */
function stopOnSignal(controller: AbortController): () => void {
  const handle = (): void => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return () => {
    process.off('SIGINT', handle);
    process.off('SIGTERM', handle);
  };
}

async function show(result: FleetResult, flags: FleetFlags): Promise<void> {
  if (flags.json === true) {
    await printLine(JSON.stringify(result));
  } else {
    const { columns } = process.stdout;
    const colour = wantsColour(process.stdout);
    process.stdout.write(renderSummary(result, columns === undefined ? { colour } : { columns, colour }));
  }
  if (flags.report !== undefined) {
    await writeFile(flags.report, renderHtmlReport(result));
    process.stderr.write(`report: ${flags.report}\n`);
  }
}

async function fleet(flags: FleetFlags, command: Command): Promise<void> {
  const controller = new AbortController();
  const forgetSignals = stopOnSignal(controller);
  const view = new ProgressView(process.stderr);
  try {
    // A run of hours must not find out at its end.
    if (flags.report !== undefined) await access(dirname(resolve(flags.report)), constants.W_OK);
    const result = await runFleet(optionsOf(flags, command, controller.signal), {
      handleProgress: (snapshot) => view.update(snapshot),
      handleEvent: (event) => view.note(`${(event.atMs / 1000).toFixed(1).padStart(6)} s  ${event.text}`),
    });
    view.finish();
    if (!result.verdict.ok) process.exitCode = 1;
    await show(result, flags);
  } catch (error) {
    view.finish();
    // The operating system's errors are about files: the report's.
    const isOurs = error instanceof FleetError || typeof (error as { code?: unknown }).code === 'string';
    if (!isOurs) throw error;
    complain(error as Error);
  } finally {
    forgetSignals();
  }
}

/** Adds the sub-command. */
export function register(program: Command): void {
  program
    .command('fleet')
    .summary('run thousands of simulated devices and account for every message')
    .description(
      'Connects devices, each a session of its own with a will, a birth message, telemetry and commands, and a ' +
        'collector that checks every message: what was lost, duplicated or out of order, and how long it took. Ends ' +
        'with exit status 1 when QoS 1 or 2 lost a message, or QoS 2 delivered one twice.',
    )
    .option('-L, --url <url>', 'the broker: mqtt://, mqtts://, ws://, wss:// (default: an embedded one)')
    .addOption(
      new Option('-c, --devices <count>', 'how many')
        .argParser(wholeNumber)
        .default(1000, '1000, with --engine xs 20'),
    )
    .option('-I, --interval <ms>', 'between two messages of a device', wholeNumber, 1000)
    .option('-d, --duration <seconds>', 'how long they send', number, 10)
    .option('-q, --qos <level>', '0, 1 or 2', wholeNumber, 1)
    .option(
      '-t, --topic <pattern>',
      '%c: client id, %i: index of the device, %u: user name',
      'fleet/%c/telemetry',
    )
    .option('--ramp <rate>', 'connections begun a second, 0 for no limit', number, 1000)
    .option('--seed <number>', 'decides what the devices measure (default: drawn, and told)', wholeNumber)
    .option('--drain <seconds>', 'how long to wait at the end while nothing arrives', number, 10)
    .addOption(
      new Option('-V, --mqtt <version>', 'default: 5, or 3.1.1 where the broker does not speak 5').choices([
        '5',
        '5.0',
        '3.1.1',
      ]),
    )
    .option('--firmware <file>', 'what every device runs: a definition, as docs/device.md has it')
    .addOption(
      new Option(
        '--engine <engine>',
        'node: in this process, thousands of them; xs: each in a machine of an ESP32’s size, on its engine',
      ).choices(['node', 'xs']),
    )
    .option('--id <name>', 'what ids of devices with firmware begin with (default: the firmware’s id)')
    .option('-u, --username <name>', 'user name of every device')
    .option('-P, --pw <password>', 'password of every device')
    .option('--cafile <file>', 'CA certificates to trust instead of the system’s, PEM')
    .option('--insecure', 'take any certificate')
    .addOption(new Option('--json', 'print the result as JSON, and nothing else, on standard output'))
    .option('--report <file>', 'write the result as an HTML page')
    .addHelpText(
      'after',
      `
With --firmware the file says how often devices send, at which QoS and where; --engine alone takes a climate sensor's.
The engine xs is compiled at its first use, which takes a C compiler and half a minute.

Ctrl-C stops sending, drains, and gives the report all the same; twice ends at once.

Examples:
  $ motemq fleet
  $ motemq fleet -L mqtt://broker.local -c 2000 -I 500 -d 60 -q 2 --report fleet.html
  $ motemq fleet --firmware greenhouse.js -L mqtt://broker.local -c 500 -d 120
  $ motemq fleet --firmware greenhouse.js --engine xs -c 20 -d 60
  $ motemq fleet -L mqtts://broker.local -u device -P secret -t 'plant/%u/%c/data' --json | jq .totals`,
    )
    .action(fleet);
}
