/**
 * `motemq broker`: an MQTT 5.0 and 3.1.1 broker, until it is told to end.
 */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { hostAndPort } from '../../sim/broker/addresses.ts';
import { AccessFileError, Broker, type BrokerOptions } from '../../sim/broker/index.ts';
import { SHARE_STRATEGIES } from '../../sim/broker/options.ts';
import { brokerOptions, isOpenToAll, limitsText, type BrokerFlags } from './broker-options.ts';
import { collect, complain } from './client-command.ts';
import { integerFrom } from './connection-flags.ts';
import { CommandError, UsageError } from './exit-status.ts';
import { printLine } from './stdio.ts';

const port = integerFrom(0, 65535);

type TlsFlag = 'cert' | 'key' | 'ca';

function portOrNone(text: string): number | null {
  if (text === 'none') return null;
  if (/^\d+$/.test(text) && Number(text) <= 65535) return Number(text);
  throw new InvalidArgumentError('It must be a port from 0 to 65535, or none.');
}

/** Says in a line what made the start fail, and sets the exit status; throws on what is a mistake of ours. */
function fail(error: unknown, flags: BrokerFlags): void {
  const isKnown =
    error instanceof CommandError ||
    error instanceof AccessFileError ||
    error instanceof RangeError ||
    error instanceof TypeError ||
    typeof (error as { code?: unknown }).code === 'string';
  if (!isKnown) throw error;
  // The library's name for what is a flag here, unless it comes from a file.
  const text = (error as Error).message.replace(/^tls\.(cert|key|ca)(?=:)/, (name, flag: TlsFlag) =>
    flags[flag] === undefined ? name : `--${flag}`,
  );
  complain('broker', text);
  if (error instanceof UsageError) process.stderr.write('(motemq broker --help says more)\n');
  process.exitCode = 1;
}

/** Lines with the time they were written at, errors always and the rest when it was asked for. */
function logTo(stream: NodeJS.WritableStream, isVerbose: boolean): BrokerOptions['log'] {
  return (level, line) => {
    if (level === 'error') stream.write(`${new Date().toISOString()} error: ${line}\n`);
    else if (isVerbose) stream.write(`${new Date().toISOString()} ${line}\n`);
  };
}

async function announce(started: Broker, options: BrokerOptions): Promise<void> {
  for (const { scheme, host, port: at } of started.listeners) {
    await printLine(`listening on ${scheme}://${hostAndPort(host, at)}`);
  }
  if (started.metricsUrl !== undefined) await printLine(`metrics at ${started.metricsUrl}`);
  if (options.host === undefined) {
    await printLine('only this machine can reach it: --host 0.0.0.0 opens it to the network');
  } else if (isOpenToAll(options)) {
    await printLine('whoever can reach it may use it: --users FILE asks who they are');
  }
}

/** The first signal ends it politely, a second one at once; SIGHUP has it read its files again. */
function endOnSignals(started: Broker): void {
  let isEnding = false;
  const handle = (): void => {
    if (isEnding) process.exit(130);
    isEnding = true;
    void started.stop();
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  process.on('SIGHUP', () => {
    // The terminal is gone.
    if (process.stdin.isTTY) handle();
    else reload(started);
  });
}

function reload(started: Broker): void {
  started.reload().then(
    () => complain('broker', 'users, rights and certificates were read again'),
    (error: unknown) => complain('broker', `all stays as it was: ${(error as Error).message}`),
  );
}

async function broker(flags: BrokerFlags): Promise<void> {
  if (flags.helpLimits) {
    process.stdout.write(limitsText());
    return;
  }
  try {
    const options = brokerOptions(flags);
    const log = logTo(process.stderr, flags.verbose === true);
    const started = await Broker.start({ ...options, log });
    endOnSignals(started);
    await announce(started, options);
    const failure = await started.ended;
    process.exit(failure === null ? 0 : 1);
  } catch (error) {
    fail(error, flags);
  }
}

/** Adds the sub-command. */
export function register(program: Command): void {
  program
    .command('broker')
    .summary('run a broker')
    .description(
      'Runs an MQTT 5.0 and 3.1.1 broker until it gets SIGINT or SIGTERM. On SIGHUP it reads users, rights and ' +
        'certificates again.',
    )
    .optionsGroup('Listeners (port 0 takes a free one):')
    .option('--host <address>', 'where to listen; 0.0.0.0 or :: is everywhere (default: 127.0.0.1)')
    .option('-p, --port <port>', 'MQTT over TCP, or none (default: 1883)', portOrNone)
    .option('--tls-port <port>', 'MQTT over TLS', port)
    .option('--ws-port <port>', 'MQTT over WebSocket', port)
    .option('--wss-port <port>', 'MQTT over WebSocket over TLS', port)
    .option('--ws-path <path>', 'the only path that WebSocket clients may ask for (default: any)')
    .option('--cert <file>', "the server's certificate and what it is signed with (PEM)")
    .option('--key <file>', "the server's private key (PEM)")
    .option('--ca <file>', "CA certificates that vouch for clients' (PEM); their common name is the user's")
    .option('--require-client-certificate', 'let in nobody without one')
    .optionsGroup('Who may do what:')
    .option('--users <file>', 'users and passwords, as `motemq passwd` writes them')
    .option('--acl <file>', 'who may publish and subscribe what')
    .option('--no-anonymous', 'let in nobody without a user name; so it is with --users, too')
    .optionsGroup('Running:')
    .option('--persist <dir>', 'keep sessions and messages in this directory')
    .option('--set <limit=value>', 'set a limit; may be given several times', collect)
    .option('--help-limits', 'list the limits')
    .addOption(
      new Option(
        '--share-strategy <name>',
        'who of a shared subscription gets a message (default: round-robin)',
      ).choices(SHARE_STRATEGIES),
    )
    .option('--metrics-port <port>', "Prometheus' metrics over HTTP, at /metrics", port)
    .option('--config <file>', 'options of the library as JSON; flags go before it')
    .option('-v, --verbose', 'a line for each client that comes, goes or is refused')
    .addHelpText(
      'after',
      `
Examples:
  $ motemq broker
  $ motemq broker --host 0.0.0.0 --users users --acl rights --persist /var/lib/motemq
  $ motemq broker --tls-port 8883 --cert server.crt --key server.key --ws-port 8080 --metrics-port 9100
  $ motemq broker --set connectionsMax=50000 --set queuedMessagesMax=1000 -v`,
    )
    .action(broker);
}
