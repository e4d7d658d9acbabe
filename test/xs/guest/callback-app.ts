/**
 * The callback client in an XS machine, told from outside what to do.
 */
import { CallbackClient, ModdableBoard } from '../../../targets/moddable/core.ts';
import type {
  CallbackClientOptions,
  ReceivedMessage,
  SocketOptions,
  TopicHandle,
} from '../../../targets/moddable/core.ts';
import { Checksum, patternAt } from '../pattern.ts';
import { obey, tell } from './remote.ts';

const PIECE_BYTES = 128;

interface Received {
  topic: string;
  qos: number;
  fragments: number;
  checksum: Checksum;
  text: string;
}

/** Puts messages together as far as it must to tell of them. */
class Inbox {
  private received: Received | undefined = undefined;

  handle(message: ReceivedMessage): void {
    const { event } = message;
    if (event.fragmentOffset === 0) {
      this.received = {
        topic: message.topicName(),
        qos: event.qos,
        fragments: 0,
        checksum: new Checksum(),
        text: event.isLast && event.payloadByteLength <= 64 ? message.text() : '',
      };
    }
    const received = this.received!;
    received.fragments++;
    received.checksum.add(message.payload());
    if (!event.isLast) return;
    const { topic, qos, fragments, checksum, text } = received;
    tell('message', {
      topic,
      qos,
      retain: event.retain,
      fragments,
      text,
      byteLength: checksum.byteLength,
      checksum: checksum.value(),
    });
    this.received = undefined;
  }
}

/** A QoS 0 message larger than all of the buffers, given as there is room. */
class Outgoing {
  private readonly client: CallbackClient;
  private readonly piece = new Uint8Array(PIECE_BYTES);
  private at = 0;
  private readonly byteLength: number;

  constructor(client: CallbackClient, byteLength: number) {
    this.client = client;
    this.byteLength = byteLength;
  }

  /** Returns whether all is given. */
  go(): boolean {
    const { client, piece, byteLength } = this;
    for (;;) {
      const count = Math.min(PIECE_BYTES, byteLength - this.at);
      if (count === 0) return true;
      for (let i = 0; i < count; i++) piece[i] = patternAt(this.at + i);
      const taken = client.session.continuePublish(piece, 0, count, client.board.nowMs());
      client.run();
      if (taken < 0) throw new Error(`continuePublish: ${taken}`);
      if (taken === 0) return false;
      this.at += taken;
    }
  }
}

export default function start(): void {
  let client: CallbackClient;
  let board: ModdableBoard;
  /** Made once each: they stay. */
  const handles: Record<string, TopicHandle> = {};
  const handleOf = (topic: string): TopicHandle => (handles[topic] ??= client.createTopic(topic));
  obey({
    open(socketOptions: Partial<SocketOptions>, options: CallbackClientOptions) {
      const inbox = new Inbox();
      board = new ModdableBoard({ ...device!.network!['mqtt'], ...socketOptions } as SocketOptions);
      client = new CallbackClient(board, {
        ...options,
        onConnected: ({ sessionPresent }) => tell('connected', sessionPresent),
        onDisconnected: ({ cause, reasonCode, reconnectInMs }) =>
          tell('disconnected', cause, reasonCode, reconnectInMs),
        onMessage: (message) => {
          inbox.handle(message);
        },
        onError: ({ status, reasonCode }) => tell('error', status, reasonCode),
      });
      return client.connect();
    },
    publish(topic: string, payload: string, qos: number, retain: boolean) {
      return client.publishTo(topic, payload, qos, retain, (status, reasonCode) =>
        tell('published', status, reasonCode),
      );
    },
    /** As often as there is room, by one handle, with one buffer. Returns how many were taken. */
    publishMany(topic: string, count: number, qos: number) {
      const handle = handleOf(topic);
      const payload = new Uint8Array(2);
      let taken = 0;
      for (; taken < count; taken++) {
        payload[0] = taken >> 8;
        payload[1] = taken & 255;
        if (client.publishBytes(handle, payload, 2, qos, false, null) < 0) break;
      }
      return taken;
    },
    publishLarge(topic: string, byteLength: number) {
      const handle = handleOf(topic);
      const ticket = client.session.beginPublish(handle, handle.bytes, byteLength, 0, 0, null, board.nowMs());
      if (ticket !== 0) return ticket;
      const outgoing = new Outgoing(client, byteLength);
      const go = (): void => {
        if (outgoing.go()) tell('sent');
        else board.setTimer(go, 1);
      };
      go();
      return 0;
    },
    subscribe(filter: string, qos: number) {
      return client.subscribe(filter, qos, (status, reasonCode) => tell('subscribed', status, reasonCode));
    },
    unsubscribe(filter: string) {
      return client.unsubscribe(filter, (status, reasonCode) => tell('unsubscribed', status, reasonCode));
    },
    isConnected: () => client.isConnected(),
    disconnect: () => client.disconnect(),
    close: () => client.close(),
  });
}
