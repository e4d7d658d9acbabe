/**
 * A device of a world: the shipped client on a board that loses power, publishing numbered messages and taking numbered
 * commands. What it is told goes to the ledger; what it remembers is in its store, or gone with the power.
 */
import { CallbackClient, type CallbackClientOptions } from '../../src/callbacks/callback-client.ts';
import type { ReceivedMessage } from '../../src/callbacks/received-message.ts';
import { IDLE } from '../../src/session/connection.ts';
import type { SessionEvent } from '../../src/session/event.ts';
import type { PersistentStore } from '../../src/session/store.ts';
import type { TopicHandle } from '../../src/session/topic-aliases.ts';
import { OK } from '../../src/status.ts';
import type { Entry, Ledger } from './ledger.ts';
import type { SimRandom } from './random.ts';
import type { DeviceBoard } from './sim-board.ts';
import type { Trace } from './trace.ts';

const SPACE = 0x20;
/** Of a thousand messages, how many are behind one that is retained. */
const STATE_PER_MILLE = 60;

/** A list of records, the board's store in flash, or Node's in a file. */
export type StoreKind = 'list' | 'flash' | 'log';

/** What a device does, the same in all of its lives. */
export interface DevicePlan {
  readonly clientId: string;
  readonly store: StoreKind;
  /** Milliseconds between messages, about. */
  readonly everyMs: number;
  /** Messages at once, at most. */
  readonly burstMax: number;
  /** Of a thousand messages, how many are of QoS 1, and of QoS 2; the rest is QoS 0. */
  readonly qos1PerMille: number;
  readonly qos2PerMille: number;
  /** Topics it publishes to, as handles. */
  readonly topicNames: readonly string[];
  /** Where its retained messages go, or null for none. */
  readonly stateTopicName: string | null;
  /** Bytes of a payload at most; at least 16. */
  readonly payloadBytesMax: number;
  /** Topic Filters of what it is sent. */
  readonly topicFilters: readonly string[];
  readonly driftPerMille: number;
  /** Milliseconds before the first attempt to connect again, and at most. */
  readonly reconnect: { readonly firstMs: number; readonly maximumMs: number };
  readonly options: CallbackClientOptions;
}

/** Where what survives its power cuts is. */
export interface DeviceStore extends PersistentStore {
  /** The power is back. */
  revive(): void;
  /** The power goes in the middle of an operation of whatever it is on: after so many others. */
  cutAfter(operations: number): void;
  /** Whether it refuses everything. */
  setFailing(isFailing: boolean): void;
}

/** What a device needs of its world. */
export interface DeviceSurroundings {
  readonly events: { readonly nowMs: number };
  readonly ledger: Ledger;
  readonly trace: Trace;
  /** Makes the hardware of one life; `onPowerLost`: the power went in the middle of something. */
  makeBoard: (random: SimRandom, driftPerMille: number, onPowerLost: () => void) => DeviceBoard;
  /** Its power went in the middle of something. */
  onPowerLost: (device: SimDevice) => void;
  /** Whether the broker knows of somebody who is to have messages to this topic, with payloads of this length. */
  isAwaited: (topicName: string, byteLength: number) => boolean;
  /** The application was told that this message is done. */
  handleDone: (name: string) => void;
  /** The client has accepted the message of this ticket. */
  handleAccepted: (ticket: number) => void;
  /** A message is offered that the broker is to retain; and then, unless the power goes meanwhile, accepted or refused. */
  handleStateOffered: (topicName: string, name: string) => void;
  handleStateAnswered: (topicName: string, isAccepted: boolean) => void;
  /** A retained message, which came because of a subscription. */
  handleRetained: (topicName: string, name: string) => void;
}

export class SimDevice {
  readonly plan: DevicePlan;
  readonly store: DeviceStore;
  board: DeviceBoard;
  client: CallbackClient | null = null;
  /** How often it was switched on. */
  life = 0;
  /** Whether the broker has granted its subscription at least once. */
  isSubscribed = false;
  isPublishing = true;
  private readonly surroundings: DeviceSurroundings;
  private readonly random: SimRandom;
  private topics: TopicHandle[] = [];
  /** Numbers are the world's: a device that lost its power goes on behind them. */
  private nextNumber = 0;
  /** The message that comes in fragments, up to now; later ones do not say their topic. */
  private fragments = '';
  private fragmentTopic = '';

  constructor(plan: DevicePlan, store: DeviceStore, random: SimRandom, surroundings: DeviceSurroundings) {
    this.plan = plan;
    this.store = store;
    this.random = random;
    this.surroundings = surroundings;
    this.board = this.makeBoard();
  }

  private makeBoard(): DeviceBoard {
    return this.surroundings.makeBoard(this.random.fork(1), this.plan.driftPerMille, () => {
      this.client = null;
      this.surroundings.onPowerLost(this);
    });
  }

  get isOn(): boolean {
    return this.client !== null;
  }

  /** Switches it on: its store has its power back. It may go again at once. */
  start(): void {
    this.life++;
    this.board = this.makeBoard();
    this.note(`on store=${this.plan.store}`);
    this.board.enter(() => {
      const client = new CallbackClient(this.board, {
        ...this.plan.options,
        reconnect: this.plan.reconnect,
        clientId: this.plan.clientId,
        store: this.store,
        onConnected: (event) => this.note(`connected present=${event.sessionPresent}`),
        onDisconnected: (event) =>
          this.note(`disconnected cause=${event.cause} again=${event.reconnectInMs}`),
        onMessage: (message) => this.handleMessage(message),
        onError: (event) => this.note(`error status=${event.status} code=${event.reasonCode}`),
      });
      this.client = client;
      this.topics = this.plan.topicNames.map((name) => client.createTopic(name));
      for (const topicFilter of this.plan.topicFilters) {
        client.subscribe(topicFilter, 2, (status) => {
          this.isSubscribed ||= status === OK;
        });
      }
      client.connect();
      this.publishLater();
    });
  }

  /** Its power goes. */
  cut(): void {
    if (!this.isOn) return;
    this.note('power gone');
    this.client = null;
    this.board.cut();
  }

  private publishLater(): void {
    const { everyMs } = this.plan;
    const { board } = this;
    board.setTimer(
      () => {
        if (this.board !== board || this.client === null) return;
        if (this.isPublishing) this.publish(this.client);
        this.publishLater();
      },
      this.random.between(everyMs >> 1, everyMs + (everyMs >> 1)),
    );
  }

  private publish(client: CallbackClient): void {
    const { qos1PerMille, qos2PerMille, payloadBytesMax, clientId, topicNames, burstMax } = this.plan;
    for (let left = this.random.isChance(200) ? this.random.between(1, burstMax) : 1; left > 0; left--) {
      if (this.random.isChance(STATE_PER_MILLE)) this.publishState(client);
      const drawn = this.random.below(1000);
      const qos = drawn < qos2PerMille ? 2 : drawn < qos2PerMille + qos1PerMille ? 1 : 0;
      const index = this.random.below(topicNames.length);
      const byteLength = this.random.between(16, payloadBytesMax);
      this.send(client, qos, topicNames[index], this.topics[index], byteLength, clientId);
    }
  }

  /** Publishes what the broker is to keep of it, if it has any such thing. Returns the message's entry. */
  publishState(client: CallbackClient): Entry | null {
    const { stateTopicName, clientId } = this.plan;
    if (stateTopicName === null) return null;
    this.surroundings.handleStateOffered(stateTopicName, `${clientId}.${this.nextNumber}`);
    const entry = this.send(client, 1, stateTopicName, undefined, 16, clientId, true);
    this.surroundings.handleStateAnswered(stateTopicName, entry.isAccepted);
    return entry;
  }

  /** Publishes the next number to a topic, by its handle or, if that is undefined, by its name. */
  send(
    client: CallbackClient,
    qos: number,
    topicName: string,
    topic: TopicHandle | undefined,
    byteLength: number,
    publisher: string,
    isRetain = false,
  ): Entry {
    const { ledger, events } = this.surroundings;
    const number = this.nextNumber++;
    const entry = ledger.offer(publisher, number, qos, topicName, events.nowMs);
    entry.isExcused = !this.surroundings.isAwaited(topicName, byteLength);
    const payload = payloadOf(`${publisher}.${number} `, byteLength);
    entry.byteLength = payload.length;
    const done = (status: number, reasonCode: number): void => {
      if (status === OK && reasonCode < 0x80) {
        entry.isAcknowledged = true;
        this.surroundings.handleDone(`${publisher}.${number}`);
      } else {
        entry.isAccepted = false;
      }
      this.note(`done ${publisher}.${number} status=${status} code=${reasonCode}`);
    };
    const callback = qos > 0 ? done : undefined;
    // While it is offered its power may go: then nobody knows whether it was accepted.
    const ticket =
      topic === undefined
        ? client.publishTo(topicName, payload, qos, isRetain, callback)
        : client.publishBytes(topic, payload, payload.length, qos, isRetain, null, callback);
    entry.isAccepted = ticket > 0 || (ticket === 0 && qos === 0);
    if (ticket > 0 && qos > 0) this.surroundings.handleAccepted(ticket);
    this.note(`publish ${number} qos=${qos} ticket=${ticket}`);
    return entry;
  }

  private handleMessage(message: ReceivedMessage): void {
    const { ledger, events } = this.surroundings;
    const { event } = message;
    if (event.fragmentOffset === 0) {
      this.fragments = '';
      this.fragmentTopic = message.topicName();
    }
    // The name is what counts: up to the first space.
    if (!this.fragments.includes(' ')) this.fragments += nameIn(event);
    if (!isFilled(event, this.fragments.length)) this.fragments = `torn ${this.fragments}`;
    if (!event.isLast) return;
    const [name] = this.fragments.split(' ');
    this.note(`received ${name} qos=${event.qos} dup=${event.dup}`);
    if (this.fragmentTopic.startsWith('will/')) return;
    if (event.retain === 1) {
      ledger.show(name);
      this.surroundings.handleRetained(this.fragmentTopic, name);
    } else {
      const byteLength = event.fragmentOffset + event.payloadByteLength;
      ledger.arrive(name, event.qos, this.fragmentTopic, byteLength, this.life, events.nowMs);
    }
  }

  /** Subscribes to a filter at QoS 2, or unsubscribes from it. */
  request(verb: 'subscribe' | 'unsubscribe', topicFilter: string, onDone: () => void): void {
    this.board.enter(() => {
      if (verb === 'subscribe') this.client?.subscribe(topicFilter, 2, onDone);
      else this.client?.unsubscribe(topicFilter, onDone);
    });
  }

  /** Says goodbye, and stays away until `comeBack`. */
  sayGoodbye(): void {
    this.board.enter(() => this.client?.disconnect());
  }

  /** Whether it is on, and wants no connection. */
  isAway(): boolean {
    return this.client?.session.state.connection === IDLE;
  }

  comeBack(): void {
    this.board.enter(() => this.client?.connect());
  }

  /** Connected, and with nothing left to send. */
  isSettled(): boolean {
    return this.client !== null && this.client.isConnected() && !this.client.session.isBusy();
  }

  /** Packet identifiers of QoS 2 messages that its client remembers. */
  receivedIds(): number[] {
    const incoming = this.client?.session.state.incoming;
    return Array.from({ length: incoming?.count ?? 0 }, (_, index) => incoming?.packetId(index) ?? 0);
  }

  note(text: string): void {
    this.surroundings.trace.note(this.surroundings.events.nowMs, `${this.plan.clientId} ${text}`);
  }
}

/** ASCII, and behind it up to `byteLength` bytes that say where they stand. */
function payloadOf(name: string, byteLength: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(name.length, byteLength));
  for (let i = 0; i < bytes.length; i++) bytes[i] = i < name.length ? name.charCodeAt(i) : fillOf(i);
  return bytes;
}

/** The byte at `index` of every payload, behind the name: no two places near each other have the same. */
function fillOf(index: number): number {
  return 0x21 + (index % 89);
}

/** Whether the bytes of this fragment behind the name, which is `nameByteLength` long with its space, are in their places. */
function isFilled(event: SessionEvent, nameByteLength: number): boolean {
  const { bytes, payloadOffset, payloadByteLength, fragmentOffset } = event;
  for (let at = Math.max(0, nameByteLength - fragmentOffset); at < payloadByteLength; at++) {
    if (bytes[payloadOffset + at] !== fillOf(fragmentOffset + at)) return false;
  }
  return true;
}

/** The payload of a message up to its first space, with that; or all of it, when there is none. */
function nameIn({ bytes, payloadOffset, payloadByteLength }: SessionEvent): string {
  let name = '';
  for (let at = payloadOffset; at < payloadOffset + payloadByteLength; at++) {
    name += String.fromCharCode(bytes[at]);
    if (bytes[at] === SPACE) break;
  }
  return name;
}
