/**
 * `motemq sub`: subscribes to topics and prints what comes, as mosquitto_sub does.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { PAUSED_BY_BUFFERS } from '../../src/client/driver.ts';
import { subscriptionOptions } from '../../src/session/filter-list.ts';
import { findFilterError, isMatch } from '../../src/topic.ts';
import { encodeUtf8 } from '../../src/wire/utf8.ts';
import type { ConnectOptions, Message } from '../node/index.ts';
import { reasonCodeName } from '../node/index.ts';
import { ClientCommand, collect, complain, fail } from './client-command.ts';
import { CommandClient } from './command-client.ts';
import {
  addConnectionOptions,
  integerFrom,
  planConnection,
  type ConnectionFlags,
  type ConnectionPlan,
} from './connection-flags.ts';
import { CommandError, EXIT_TIMEOUT, NOWHERE, UsageError, describeFailure } from './exit-status.ts';
import { now } from './message-json.ts';
import { makePrinter, type PrintFlags, type Printer } from './message-printer.ts';

/** The options as commander gives them. */
export interface SubFlags extends ConnectionFlags, PrintFlags {
  topic?: string[];
  filterOut?: string[];
  unsubscribe?: string[];
  C?: number;
  W?: number;
  E?: true;
  R?: true;
  retainedOnly?: true;
  removeRetained?: true;
  retainAsPublished?: true;
  retainHandling?: keyof typeof RETAIN_HANDLING;
  /** Percent. */
  randomFilter?: number;
}

const RETAIN_HANDLING = { always: 0, new: 1, never: 2 };
/** The most there is: Mosquitto up to 2.0.11 keeps no lower one, and what is behind the last of -C is kept anyway. */
const RECEIVE_MAXIMUM = 65535;
const RECONNECT = { firstMs: 1000, maximumMs: 1000 };

function parsePercentage(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0.1 && value <= 100) return value;
  throw new InvalidArgumentError('It must be a number from 0.1 to 100.');
}

function encodeFilter(topicFilter: string, flag: string): Uint8Array {
  const bytes = encodeUtf8(topicFilter);
  if (bytes !== undefined && findFilterError(bytes, 0, bytes.length, true) < 0) return bytes;
  throw new UsageError(`${flag}: invalid topic filter '${topicFilter}': are all + and # where they may be?`);
}

/** All that subscribing takes. */
interface Job {
  readonly plan: ConnectionPlan;
  readonly flags: SubFlags;
  readonly topicFilters: readonly string[];
  readonly topicFiltersOut: readonly Uint8Array[];
  /** The Subscription Options byte. */
  readonly subscriptionOptions: number;
  readonly printer: Printer;
}

function makeSubscriptionOptions(flags: SubFlags): number {
  const { qos, R, retainAsPublished, retainHandling } = flags;
  if (flags.protocolVersion === '3.1.1') {
    if (retainAsPublished || retainHandling !== undefined) {
      throw new UsageError(
        '--retain-as-published and --retain-handling need MQTT 5.0, and -V asks for 3.1.1',
      );
    }
    return subscriptionOptions(qos, false, false, 0);
  }
  // -R need not be sent what it does not print.
  const handling = RETAIN_HANDLING[retainHandling ?? (R ? 'never' : 'always')];
  return subscriptionOptions(qos, false, retainAsPublished === true, handling);
}

function makeJob(flags: SubFlags): Job {
  const plan = planConnection(flags);
  const topicFilters = [...(plan.topic === undefined ? [] : [plan.topic]), ...(flags.topic ?? [])];
  const unsubscribed = flags.unsubscribe ?? [];
  if (topicFilters.length === 0 && unsubscribed.length === 0) {
    throw new UsageError('a topic must be given, with -t or in the URL of -L');
  }
  for (const topicFilter of topicFilters) encodeFilter(topicFilter, '-t');
  for (const topicFilter of unsubscribed) encodeFilter(topicFilter, '-U');
  if (flags.R && flags.retainedOnly) throw new UsageError('-R and --retained-only leave nothing to print');
  const warn = (line: string): void => {
    if (!flags.quiet) complain('sub', line);
  };
  const printer = makePrinter(flags, warn);
  const options: ConnectOptions = {
    ...plan.options,
    receiveMaximum: plan.properties.connect.receiveMaximum ?? RECEIVE_MAXIMUM,
    // Acknowledged is what was printed: what comes behind the last of -C is kept for the next time.
    manualAcknowledgement: true,
    reconnect: RECONNECT,
  };
  return {
    plan: { ...plan, options },
    flags,
    topicFilters,
    topicFiltersOut: (flags.filterOut ?? []).map((topicFilter) => encodeFilter(topicFilter, '-T')),
    subscriptionOptions: makeSubscriptionOptions(flags),
    printer,
  };
}

/** From the connection to the reason to end. */
class Subscriber {
  private readonly job: Job;
  private readonly client: CommandClient;
  wasConnected = false;
  private count = 0;
  private isOver = false;
  private isLost = false;
  private settle: (error?: Error) => void = () => undefined;
  /** Resolves when there is nothing more to do; rejects with what went wrong. */
  readonly over: Promise<void>;

  constructor(job: Job, client: CommandClient) {
    this.job = job;
    this.client = client;
    this.over = new Promise((resolve, reject) => {
      this.settle = (error) => {
        if (error) reject(error);
        else resolve();
      };
    });
    this.over.catch(() => undefined);
    client.on('message', (message) => {
      this.handleMessage(message);
    });
    client.on('disconnect', ({ error, reconnectInMs }) => {
      if (error === undefined) return;
      if (reconnectInMs === undefined) {
        this.end(error);
        return;
      }
      if (!this.isLost && !job.flags.quiet) {
        const { text } = describeFailure(error, { ...job.plan, wasConnected: true });
        complain('sub', `${text}; connecting again`);
      }
      this.isLost = true;
    });
    client.on('connect', () => {
      this.wasConnected = true;
      this.isLost = false;
    });
  }

  /** There is nothing more to do, or no way to do it. */
  end(error?: Error): void {
    this.isOver = true;
    this.settle(error);
  }

  /** Subscribes and unsubscribes, once connected. */
  async start(): Promise<void> {
    const { flags, topicFilters, plan } = this.job;
    const { subscribe, unsubscribe } = plan.properties;
    const done: Promise<unknown>[] = [];
    if (topicFilters.length > 0) {
      const codes = this.client.subscribeAll({
        topicFilters,
        options: this.job.subscriptionOptions,
        identifier: subscribe.subscriptionIdentifier ?? 0,
        userProperties: subscribe.userProperties,
      });
      done.push(codes.then((all) => this.handleCodes(all)));
    }
    if (flags.unsubscribe !== undefined) {
      const options = { userProperties: unsubscribe.userProperties };
      done.push(this.client.unsubscribe(flags.unsubscribe, options));
    }
    await Promise.all(done);
    if (flags.E) this.end();
  }

  private handleCodes(codes: readonly number[]): void {
    if (codes.every((code) => code >= 0x80)) {
      const [code] = codes;
      throw new CommandError(`all subscriptions were refused: ${describeCode(code)}`, code);
    }
    codes.forEach((code, i) => {
      if (code < 0x80 || this.job.flags.quiet) return;
      complain('sub', `the subscription to ${this.job.topicFilters[i]} was refused: ${describeCode(code)}`);
    });
  }

  private handleMessage(message: Message): void {
    if (this.isOver) return;
    const { flags } = this.job;
    if (flags.retainedOnly && !message.retain) {
      this.end();
      return;
    }
    if (!(flags.R && message.retain) && !this.isFilteredOut(message.topicName)) this.take(message);
    message.acknowledge();
  }

  private isFilteredOut(topicName: string): boolean {
    if (this.job.topicFiltersOut.length === 0) return false;
    const name = Buffer.from(topicName);
    return this.job.topicFiltersOut.some((filter) => isMatch(filter, 0, filter.length, name, 0, name.length));
  }

  private take(message: Message): void {
    const { flags } = this.job;
    if (flags.removeRetained && message.retain) {
      // That it is done is waited for before the goodbye.
      const cleared = this.client.publish(message.topicName, null, { qos: 1, retain: true });
      cleared.catch((error: unknown) => {
        if (!this.isOver) this.end(error as Error);
      });
    }
    if (flags.randomFilter === undefined || Math.random() * 100 < flags.randomFilter) this.print(message);
    this.count++;
    if (this.count === flags.C) this.end();
  }

  private print(message: Message): void {
    const { topicName, payload, qos, retain, dup, properties } = message;
    const { packetId, driver } = this.client;
    const bytes = this.job.printer({ topicName, payload, qos, retain, dup, properties, packetId }, now());
    if (bytes.length === 0 || process.stdout.write(bytes)) return;
    // Whoever reads is slower than the broker: let the broker wait.
    driver.pause(PAUSED_BY_BUFFERS);
    process.stdout.once('drain', () => {
      driver.resume(PAUSED_BY_BUFFERS);
    });
  }
}

/** Interrupted before it is connected it ends as the signal would have, later as if nothing was. */
function handleSignals(subscriber: Subscriber): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      if (subscriber.wasConnected) subscriber.end();
      else process.kill(process.pid, signal);
    });
  }
}

function describeCode(code: number): string {
  return `${reasonCodeName(code)} (0x${code.toString(16)})`;
}

async function listen(job: Job): Promise<void> {
  const { plan, flags } = job;
  const isQuiet = flags.quiet === true;
  const client = new CommandClient(plan, flags.debug === true && !isQuiet);
  const subscriber = new Subscriber(job, client);
  handleSignals(subscriber);
  let timer: NodeJS.Timeout | undefined;
  if (flags.W !== undefined) {
    const error = new CommandError('timed out', EXIT_TIMEOUT);
    timer = setTimeout(() => subscriber.end(error), flags.W * 1000);
  }
  try {
    await Promise.race([client.firstConnect, subscriber.over]);
    if (subscriber.wasConnected) {
      subscriber.start().catch((error: unknown) => subscriber.end(error as Error));
    }
    await subscriber.over;
  } catch (error) {
    fail('sub', error, { ...plan, wasConnected: subscriber.wasConnected }, isQuiet);
  }
  clearTimeout(timer);
  // What was acknowledged last goes out first.
  await nextTurn();
  const { sessionExpiryInterval: sessionExpirySeconds } = plan.properties.disconnect;
  await client.disconnect(sessionExpirySeconds === undefined ? {} : { sessionExpirySeconds });
}

async function subscribe(flags: SubFlags): Promise<void> {
  try {
    await listen(makeJob(flags));
  } catch (error) {
    fail('sub', error, NOWHERE, flags.quiet === true);
  }
}

/** Adds the sub-command. */
export function register(program: Command): void {
  const command = new ClientCommand('sub', program);
  program.addCommand(command);
  command
    .summary('subscribe to topics and print what comes, as mosquitto_sub does')
    .description(
      'Subscribes and prints a line for each message until it is interrupted. Flags and exit statuses are those of ' +
        'mosquitto_sub; only the protocol is 5.0 unless -V says otherwise.',
    )
    .optionsGroup('Subscriptions:')
    .option('-t, --topic <filter>', 'topic filter to subscribe to; may be given several times', collect)
    .option('-T, --filter-out <filter>', 'leave out topics that match; may be given several times', collect)
    .option('-U, --unsubscribe <filter>', 'unsubscribe; may be given several times', collect)
    .option('-R', 'print no retained messages')
    .option('--retained-only', 'print retained messages, and end at the first that is not')
    .option('--remove-retained', 'clear each retained message that comes, but for what -T leaves out')
    .option('--retain-as-published', '5.0: have the retain flag as the publisher set it')
    .addOption(
      new Option('--retain-handling <when>', '5.0: when to send retained messages').choices(
        Object.keys(RETAIN_HANDLING),
      ),
    )
    .option('-C <count>', 'end after so many messages', integerFrom(1, Infinity))
    .option('-W <seconds>', 'end after so many seconds, with exit status 27', integerFrom(1, 2147483))
    .option('-E', 'end once subscribed')
    .optionsGroup('Output:')
    .option('-v, --verbose', 'print the topic, too')
    .option('-N', 'print no line end')
    .option('-F <format>', "print what this format says: mosquitto_sub's % and @ sequences and \\ escapes")
    .option('--pretty', 'with %j and %J: over several lines')
    .option('--json', 'print a JSON object a line, whatever the payload is')
    .addOption(
      new Option('--random-filter <percent>', 'print only so many of the messages').argParser(
        parsePercentage,
      ),
    );
  addConnectionOptions(command, 'QoS to subscribe with: 0, 1 or 2');
  command
    .addHelpText(
      'after',
      `
Examples:
  $ motemq sub -t 'sensors/#' -v
  $ motemq sub -h broker.example -t door -C 1 -W 10
  $ motemq sub -t '#' -F '@H:@M:@S %t %l bytes: %x'`,
    )
    .action(subscribe);
}
