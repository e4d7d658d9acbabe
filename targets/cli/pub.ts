/**
 * `motemq pub`: publishes messages on one topic and ends, as mosquitto_pub does.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { InvalidArgumentError, type Command } from 'commander';
import { PublishError, type ConnectOptions, type PublishOptions } from '../node/index.ts';
import { ClientCommand, complain, fail } from './client-command.ts';
import { CommandClient } from './command-client.ts';
import {
  addConnectionOptions,
  checkTopicName,
  integerFrom,
  planConnection,
  type ConnectionFlags,
  type ConnectionPlan,
} from './connection-flags.ts';
import { NOWHERE, UsageError, describeFailure } from './exit-status.ts';
import { choosePayload, splitLines, type PayloadFlags, type PayloadSource } from './payload-sources.ts';

/** The options as commander gives them. */
export interface PubFlags extends ConnectionFlags, PayloadFlags {
  topic?: string;
  retain?: true;
  repeat: number;
  repeatDelay: number;
}

/** Messages of -l that may be under way at a time, unless -M says otherwise. */
const PIPELINE = 256;
/** -l may run for long, and goes on when the connection was lost meanwhile, as mosquitto_pub does. */
const RECONNECT = { firstMs: 1000, maximumMs: 1000 };

function parseDelay(text: string): number {
  const seconds = /^\d*\.?\d+$|^\d+\.$/.test(text) ? Number(text) : NaN;
  if (seconds >= 0 && seconds * 1000 <= 0x7fffffff) return seconds;
  throw new InvalidArgumentError('It must be a number of seconds, 0 or more.');
}

/** All that publishing takes. */
interface Job {
  readonly plan: ConnectionPlan;
  readonly flags: PubFlags;
  readonly topicName: string;
  readonly options: PublishOptions;
  readonly source: PayloadSource;
}

function makeJob(flags: PubFlags): Job {
  const source = choosePayload(flags);
  const plan = planConnection(flags);
  const topicName = flags.topic ?? plan.topic;
  if (topicName === undefined) throw new UsageError('a topic must be given, with -t or in the URL of -L');
  checkTopicName(topicName, '-t');
  const given = plan.properties.publish;
  if (given.responseTopic !== undefined) checkTopicName(given.responseTopic, '-D publish response-topic');
  const options: PublishOptions = {
    qos: flags.qos,
    retain: flags.retain === true,
    messageExpirySeconds: given.messageExpiryInterval,
    payloadFormatIndicator: given.payloadFormatIndicator,
    contentType: given.contentType,
    responseTopic: given.responseTopic,
    correlationData: given.correlationData,
    userProperties: given.userProperties,
  };
  const connectOptions: ConnectOptions = {
    ...plan.options,
    reconnect: source.kind === 'lines' ? RECONNECT : false,
  };
  return { plan: { ...plan, options: connectOptions }, flags, topicName, options, source };
}

/** Publishes, and waits for what may go wrong on the way. */
class Publisher {
  private readonly job: Job;
  private readonly client: CommandClient;
  private readonly ended = new AbortController();
  private waiting = 0;
  private isLost = false;
  private wake: (() => void) | undefined;
  /** What ends it early: the connection is gone for good. */
  private failure: Error | undefined;
  /** The broker did not want a message. */
  private refusal: PublishError | undefined;

  constructor(job: Job, client: CommandClient) {
    this.job = job;
    this.client = client;
    client.on('disconnect', ({ error, reconnectInMs }) => {
      if (error === undefined) return;
      if (reconnectInMs !== undefined) {
        if (!this.isLost) this.complain(error, '; connecting again');
        this.isLost = true;
        return;
      }
      this.fail(error);
    });
    client.on('connect', () => {
      this.isLost = false;
    });
  }

  /** Resolves once everything is delivered; rejects with the first failure. */
  async run(payload: Uint8Array | undefined): Promise<void> {
    const { flags } = this.job;
    if (payload === undefined) {
      await this.publishLines();
    } else {
      for (let count = 0; count < flags.repeat && !this.failure; count++) {
        if (count > 0 && flags.repeatDelay > 0) {
          await pause(flags.repeatDelay * 1000, undefined, { signal: this.ended.signal }).catch(
            () => undefined,
          );
        }
        await this.publish(payload);
      }
    }
    const failure = this.failure ?? this.refusal;
    if (failure) throw failure;
  }

  private async publishLines(): Promise<void> {
    const most = this.job.flags.M ?? PIPELINE;
    try {
      for await (const line of splitLines(process.stdin as AsyncIterable<Buffer>)) {
        this.waiting++;
        void this.publish(line).finally(() => {
          this.waiting--;
          this.wake?.();
        });
        if (this.waiting >= most) await this.room();
        if (this.failure) break;
      }
    } catch (error) {
      // Reading was ended in the middle.
      if (!this.failure) throw error;
    }
    while (this.waiting > 0 && !this.failure) await this.room();
  }

  private room(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.ended.abort();
    this.wake?.();
    // Nobody will publish the lines that are still to come.
    if (this.job.source.kind === 'lines') process.stdin.destroy();
  }

  private complain(error: Error, more = ''): void {
    const { flags, plan } = this.job;
    if (!flags.quiet) complain('pub', describeFailure(error, { ...plan, wasConnected: true }).text + more);
  }

  private async publish(payload: Uint8Array): Promise<void> {
    const { topicName, options } = this.job;
    try {
      await this.client.publish(topicName, payload, options);
    } catch (error) {
      if (!(error instanceof PublishError) || error.reasonCode === undefined) {
        this.fail(error as Error);
        return;
      }
      // The last one is told by whoever ends the program.
      if (this.refusal) this.complain(this.refusal);
      this.refusal = error;
    }
  }
}

/** Says goodbye when the user interrupts, and then ends as the signal would have. */
function handleSignals(client: CommandClient, onInterrupt: () => void): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      onInterrupt();
      void client.disconnect({ timeoutMs: 0 }).finally(() => {
        setImmediate(() => process.kill(process.pid, signal));
      });
    });
  }
}

async function deliver(job: Job): Promise<void> {
  const { plan, flags, source } = job;
  const isQuiet = flags.quiet === true;
  const payload = source.kind === 'lines' ? undefined : await source.load();
  const client = new CommandClient(plan, flags.debug === true && !isQuiet);
  let isInterrupted = false;
  handleSignals(client, () => {
    isInterrupted = true;
  });
  let wasConnected = false;
  try {
    const publisher = new Publisher(job, client);
    await client.firstConnect;
    wasConnected = true;
    await publisher.run(payload);
    const { sessionExpiryInterval: sessionExpirySeconds } = plan.properties.disconnect;
    await client.disconnect(sessionExpirySeconds === undefined ? {} : { sessionExpirySeconds });
  } catch (error) {
    if (isInterrupted) return;
    await client.disconnect({ timeoutMs: 0 });
    fail('pub', error, { ...plan, wasConnected }, isQuiet);
  }
}

async function publish(flags: PubFlags): Promise<void> {
  try {
    await deliver(makeJob(flags));
  } catch (error) {
    fail('pub', error, NOWHERE, flags.quiet === true);
  }
}

/** Adds the sub-command. */
export function register(program: Command): void {
  const command = new ClientCommand('pub', program);
  program.addCommand(command);
  command
    .summary('publish messages, as mosquitto_pub does')
    .description(
      'Publishes on one topic and ends once everything is delivered. Flags and exit statuses are those of ' +
        'mosquitto_pub; only the protocol is 5.0 unless -V says otherwise.',
    )
    .optionsGroup('Messages:')
    .option('-t, --topic <topic>', 'topic to publish to')
    .option('-m, --message <text>', 'the message')
    .option('-f, --file <file>', "the file's content is the message")
    .option('-l, --stdin-line', 'each line of standard input is a message')
    .option('-s, --stdin-file', 'standard input is the message')
    .option('-n, --null-message', 'an empty message')
    .option('-r, --retain', 'have it retained')
    .option('--repeat <count>', 'publish it so often', integerFrom(1, Infinity), 1)
    .option('--repeat-delay <seconds>', 'and wait so long in between', parseDelay, 0);
  addConnectionOptions(command, 'QoS of the messages: 0, 1 or 2');
  command
    .addHelpText(
      'after',
      `
Examples:
  $ motemq pub -t kitchen/temperature -m 21.5 -q 1
  $ motemq pub -h broker.example -t log -l < lines.txt
  $ motemq pub -L mqtts://alice:secret@broker.example/door -m open -D publish message-expiry-interval 60`,
    )
    .action(publish);
}
