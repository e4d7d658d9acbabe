/**
 * Our broker, killed again and again while clients publish, its state in a directory: nothing that it acknowledged is
 * lost, QoS 2 comes exactly once and in order, sessions and retained messages are there, and in the end nothing else is.
 * It dies at random moments, in the middle of a commit, and between a commit and what that lets it say. A seed says when.
 * MOTEMQ_POWER_CUTS=50 kills it fifty times.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openLmdbStore } from '../../sim/broker/lmdb-store.ts';
import { createClient, type Client } from '../../targets/node/index.ts';
import { Random, SEED } from '../seed.ts';
import { bundleForNode, type NodeBundle } from '../support/node-bundle.ts';
import { eventually, freePort, withDeadline } from '../support/wait.ts';

const SCRIPT = fileURLToPath(new URL('broker-process.mjs', import.meta.url));
const CUTS = Number(process.env['MOTEMQ_POWER_CUTS'] ?? 6);
const ACKNOWLEDGEMENTS_A_LIFE_MAX = 400;
const COMMITS_A_LIFE_MAX = 200;
/** How many publishes of a client are under way. */
const UNDER_WAY = 10;
const PATIENCE_MS = 20_000;

/** When a broker kills itself: see broker-process.mjs. */
type Death = [] | [moment: 'during' | 'after', commit: number];

type Protocol = '5.0' | '3.1.1';

/** A broker's process. */
class BrokerProcess {
  port = 0;
  private child: ChildProcess | undefined = undefined;
  private ended: Promise<unknown> = Promise.resolve();
  private readonly url: string;
  private readonly directory: string;
  /** What it said was wrong. */
  complaints = '';

  constructor(url: string, directory: string) {
    this.url = url;
    this.directory = directory;
  }

  /** Resolves when it listens, or is dead already: it dies at a moment of one of its commits, if one is given. */
  async start(death: Death = []): Promise<void> {
    if (this.port === 0) this.port = await freePort();
    const args = [SCRIPT, this.url, this.port, this.directory, ...death].map(String);
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    this.ended = new Promise((resolve) => child.on('close', resolve));
    child.stderr.on('data', (chunk: Buffer) => (this.complaints += chunk.toString()));
    const isReady = new Promise((resolve, reject) => {
      child.stdout.once('data', resolve);
      child.once('error', reject);
      child.once('exit', (_code, signal) => {
        if (signal === 'SIGKILL') resolve(undefined);
        else reject(new Error(`the broker did not start: ${this.complaints}`));
      });
    });
    await withDeadline(isReady, PATIENCE_MS, 'the broker to listen');
  }

  /** Resolves when it has died. */
  async die(): Promise<void> {
    await withDeadline(this.ended, PATIENCE_MS, 'the broker to die');
  }

  async kill(): Promise<void> {
    this.child?.kill('SIGKILL');
    await this.die();
  }

  /** Lets everything reach whom it is for, and stops it. */
  async stop(): Promise<void> {
    this.child?.kill('SIGTERM');
    await withDeadline(this.ended, PATIENCE_MS, 'the broker to stop');
  }
}

let bundle: NodeBundle;
let folder = '';
let broker: BrokerProcess;
const clients: Client[] = [];

beforeAll(async () => {
  bundle = await bundleForNode('test/brokers/broker-process-entry.ts');
});

afterAll(() => bundle.remove());

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'motemq-broker-power-'));
  broker = new BrokerProcess(bundle.url, join(folder, 'state'));
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await broker.kill();
  rmSync(folder, { recursive: true, force: true });
});

/** Clients whose session was not there when they came back. */
const lost: string[] = [];

interface Lasting {
  /** Whether it has been here before. */
  hasSession?: boolean;
  received?: Received | undefined;
}

/** A client that keeps its session, and comes back at once. */
async function connectLasting(
  clientId: string,
  protocol: Protocol,
  { hasSession = false, received }: Lasting = {},
): Promise<Client> {
  const client = createClient(`mqtt://127.0.0.1:${broker.port}`, {
    clientId,
    protocol,
    cleanStart: false,
    reconnect: { firstMs: 10, maximumMs: 50 },
    ...(protocol === '5.0' && { sessionExpirySeconds: 3600 }),
  });
  clients.push(client);
  received?.listenTo(client);
  client.on('connect', ({ sessionPresent }) => {
    if (hasSession && !sessionPresent) lost.push(clientId);
    hasSession = true;
  });
  await withDeadline(client.firstConnect, PATIENCE_MS, `${clientId} to connect`);
  return client;
}

/** Texts by topic, in the order in which they came. */
class Received {
  readonly texts = new Map<string, string[]>();

  listenTo(client: Client): void {
    client.on('message', (message) => {
      const texts = this.texts.get(message.topicName) ?? [];
      if (texts.length === 0) this.texts.set(message.topicName, texts);
      texts.push(message.text());
    });
  }
}

/** Publishes 1, 2, 3 … to a topic of its own, and counts what was acknowledged. */
class Publisher {
  readonly topicName: string;
  readonly qos: 1 | 2;
  acknowledged = 0;
  count = 0;
  private readonly client: Client;

  constructor(client: Client, qos: 1 | 2) {
    this.client = client;
    this.qos = qos;
    this.topicName = `load/${client.clientId}`;
  }

  async run(isOver: () => boolean): Promise<void> {
    const underWay: Promise<void>[] = [];
    while (!isOver()) {
      this.count++;
      const published = this.client.publish(this.topicName, String(this.count), { qos: this.qos });
      underWay.push(
        published.then(() => {
          this.acknowledged++;
        }),
      );
      if (underWay.length === UNDER_WAY) await underWay.shift();
    }
    await Promise.all(underWay);
  }
}

/** Publishes retained messages one after the other, some without payload, which remove one. */
async function retain(client: Client, random: Random, isOver: () => boolean): Promise<Map<string, string>> {
  const retained = new Map<string, string>();
  for (let number = 1; !isOver(); number++) {
    const topicName = `retained/${random.below(20)}`;
    const text = random.below(4) === 0 ? '' : String(number);
    await client.publish(topicName, text, { qos: number % 2 === 0 ? 1 : 2, retain: true });
    if (text === '') retained.delete(topicName);
    else retained.set(topicName, text);
  }
  return retained;
}

/** What is wrong with what came of 1, 2, 3 … up to `count`; nothing if nothing is. */
function faultOf(texts: readonly string[], qos: number, count: number): string | undefined {
  const seen = new Set<number>();
  let newest = 0;
  for (const number of texts.map(Number)) {
    if (seen.has(number)) {
      if (qos === 2) return `${number} came twice`;
      continue;
    }
    if (number !== newest + 1) return `${number} came after ${newest}`;
    seen.add(number);
    newest = number;
  }
  return newest === count ? undefined : `${newest} came last, of ${count}`;
}

describe('our broker, killed again and again, its state in a directory', () => {
  it(
    'loses nothing it acknowledged, and doubles nothing of QoS 2 [MQTT-4.1.0-1] [MQTT-4.3.3-8] [MQTT-4.4.0-1]',
    async () => {
      const random = new Random(SEED);
      const about = `MOTEMQ_SEED=${SEED} MOTEMQ_POWER_CUTS=${CUTS}`;
      lost.length = 0;
      let isOver = false;
      await broker.start();

      const subscribers: [string, Protocol][] = [
        ['awake', '5.0'],
        ['awake-3', '3.1.1'],
        ['asleep', '5.0'],
        ['asleep-3', '3.1.1'],
      ];
      const received = new Map(subscribers.map(([clientId]) => [clientId, new Received()]));
      for (const [clientId, protocol] of subscribers) {
        const client = await connectLasting(clientId, protocol, { received: received.get(clientId) });
        await client.subscribe('load/#', { qos: 2 }, () => {});
        if (clientId.startsWith('asleep')) await client.disconnect();
      }

      const publishers: Publisher[] = [];
      for (const qos of [1, 2] as const) {
        for (const protocol of ['5.0', '3.1.1'] as const) {
          const client = await connectLasting(`publisher-${qos}-${protocol}`, protocol);
          publishers.push(new Publisher(client, qos));
        }
      }
      const keeper = await connectLasting('keeper', '5.0');
      let failure: unknown;
      const publishing = Promise.all([
        retain(keeper, random, () => isOver),
        ...publishers.map((publisher) => publisher.run(() => isOver)),
      ]).catch((error: unknown) => {
        failure = error;
        return [new Map<string, string>()] as const;
      });

      const acknowledged = (): number => publishers.reduce((sum, one) => sum + one.acknowledged, 0);
      // The first life, in which clients came, is ended from outside, and then every third.
      const deaths = Array.from({ length: CUTS }, (_, cut): Death => {
        return cut % 3 === 0
          ? []
          : [cut % 3 === 1 ? 'during' : 'after', 1 + random.below(COMMITS_A_LIFE_MAX)];
      });
      for (let cut = 0; cut < CUTS; cut++) {
        if (deaths[cut].length === 0) {
          const target = acknowledged() + random.below(ACKNOWLEDGEMENTS_A_LIFE_MAX);
          await eventually(() => acknowledged() >= target || failure !== undefined, {
            what: `${target} acknowledgements in life ${cut}, ${about}`,
            withinMs: PATIENCE_MS,
          });
          for (let turns = random.below(30); turns > 0; turns--) await setImmediate();
          await broker.kill();
        } else await broker.die();
        await broker.start(deaths[cut + 1]);
      }
      isOver = true;
      const [retained] = await withDeadline(publishing, PATIENCE_MS, `what was published, ${about}`);
      expect(failure, about).toBeUndefined();

      for (const [clientId, protocol] of subscribers) {
        if (!clientId.startsWith('asleep')) continue;
        await connectLasting(clientId, protocol, { hasSession: true, received: received.get(clientId) });
      }
      for (const [clientId, { texts }] of received) {
        await eventually(
          () => publishers.every(({ topicName, count }) => texts.get(topicName)?.includes(String(count))),
          { what: `everything to reach ${clientId}, ${about}`, withinMs: PATIENCE_MS },
        );
      }
      for (const [clientId, { texts }] of received) {
        for (const { topicName, qos, count, acknowledged: done } of publishers) {
          expect(done).toBe(count);
          const fault = faultOf(texts.get(topicName) ?? [], qos, count);
          expect(fault, `${topicName} to ${clientId}, ${about}`).toBeUndefined();
        }
      }

      await broker.kill();
      await broker.start();
      const reader = await connectLasting('reader', '5.0');
      const found = new Map<string, string>();
      await reader.subscribe(
        'retained/#',
        {},
        (message) => void found.set(message.topicName, message.text()),
      );
      await reader.publish('load/end', '', { qos: 1 });
      expect(new Map([...found].sort()), about).toEqual(new Map([...retained].sort()));
      expect(lost, `sessions that were lost, ${about}`).toEqual([]);
      expect(broker.complaints, about).toBe('');

      await broker.stop();
      const store = await openLmdbStore(join(folder, 'state'));
      const { sessions, messages, retained: kept } = await store.load();
      await store.close();
      expect([...kept.keys()].sort(), about).toEqual([...retained.keys()].sort());
      const left = sessions.filter(
        ({ deliveries, receivedIds }) => deliveries.length + receivedIds.length > 0,
      );
      expect(left, `what is left in sessions, ${about}`).toEqual([]);
      const texts = [...messages.values()].map((message) => message.text());
      expect(texts.sort(), `messages that are left, ${about}`).toEqual([...retained.values()].sort());
      console.log(`${CUTS} power cuts, ${acknowledged()} messages acknowledged, ${about}`);
    },
    30_000 + CUTS * 3000,
  );
});
