/**
 * What is behind the ECMA-419 client class: one line, and the class's calls and callbacks translated to its verbs and
 * events. Callbacks are never called from within `write`, `read` or `close`; an application may call those from within
 * any callback. Knows no socket and no timer: the board does.
 */
import { check, codedError } from '../../src/assert.ts';
import { Line } from '../../src/line.ts';
import type { Board, LineOwner } from '../../src/line.ts';
import { Property } from '../../src/packets/properties.ts';
import {
  CONNACK,
  DISCONNECT,
  PUBCOMP,
  PUBLISH,
  SUBACK,
  SUBSCRIBE,
  UNSUBACK,
  UNSUBSCRIBE,
} from '../../src/packets/types.ts';
import {
  CAUSE_CLIENT,
  CAUSE_REFUSED,
  EVENT_CONNECTED,
  EVENT_DISCONNECTED,
  EVENT_MESSAGE,
  EVENT_PUBLISHED,
  EVENT_SUBSCRIBED,
  EVENT_UNSUBSCRIBED,
} from '../../src/session/event.ts';
import type { SessionEvent } from '../../src/session/event.ts';
import { statusName } from '../../src/status.ts';
import { copyRange } from '../../src/wire/bytes.ts';
import { decodeText } from '../../src/wire/text.ts';
import { checkArgument, viewOf } from './mqtt-bytes.ts';
import type { Bytes } from './mqtt-bytes.ts';
import { NotingDecoder } from './mqtt-notes.ts';
import { makeLineOptions, OUTBOX_BYTES_MAX } from './mqtt-options.ts';
import type { ClientError, ClientOptions, Control, Readable } from './mqtt-options.ts';
import { readProperties } from './mqtt-properties.ts';
import { MqttWriter } from './mqtt-writer.ts';

/** What onReadable is told of fragments but the first. */
const MORE: Readable = { more: true };
const LAST: Readable = { more: false };

/** Codes of errors, by CAUSE_*. */
// prettier-ignore
const CODES = [
  '', '', 'ERR_DISCONNECTED_BY_SERVER', 'ERR_CONNECTION_REFUSED', 'ERR_CONNECTION',
  'ERR_CONNECTION', 'ERR_CONNECT_TIMEOUT', 'ERR_KEEP_ALIVE_TIMEOUT', 'ERR_PROTOCOL', 'ERR_PACKET_TOO_LARGE',
  'ERR_PUBLISH_UNFINISHED',
];

export class MqttEngine<Client> implements LineOwner {
  private readonly client: Client;
  private readonly onReadable: ClientOptions<Client>['onReadable'];
  private readonly onWritable: ClientOptions<Client>['onWritable'];
  private readonly onControl: ClientOptions<Client>['onControl'];
  private readonly onError: ClientOptions<Client>['onError'];
  private readonly onClose: ClientOptions<Client>['onClose'];
  private readonly onTimer: () => void;
  /** The application named the protocol, so it knows this class: refusals are told to onControl as well. */
  private readonly isNamed: boolean;
  private readonly isReconnecting: boolean;
  private readonly line: Line;
  readonly writer: MqttWriter;
  private readonly notes: NotingDecoder;
  private readonly property: Property;
  /** Bytes of the message under way that the application has not read, and where: from the window's start. */
  private unread: number;
  private unreadOffset: number;
  /** What onReadable is to be told with the next bytes, and whether they are there. */
  private heading: Readable | undefined;
  private isReadableDue: boolean;
  /** What onControl is to be told. */
  private readonly messages: Control[];
  /** The connection is over and there will be no other: what onError is to be told, and whether that is so. */
  private error: ClientError | undefined;
  private isOver: boolean;
  /** What onWritable was last told, 0 after a write. */
  private toldRoom: number;
  private timer: unknown;
  private isClosed: boolean;

  constructor(client: Client, options: ClientOptions<Client>, board: Board) {
    const lineOptions = makeLineOptions(options);
    this.client = client;
    this.onReadable = options.onReadable;
    this.onWritable = options.onWritable;
    this.onControl = options.onControl;
    this.onError = options.onError;
    this.onClose = options.onClose;
    this.onTimer = () => {
      this.handleTimer();
    };
    this.isNamed = options.protocol !== undefined;
    this.isReconnecting = lineOptions.reconnect !== false;
    this.notes = new NotingDecoder(lineOptions.protocolVersion as number);
    this.property = new Property();
    this.unread = 0;
    this.unreadOffset = 0;
    this.heading = undefined;
    this.isReadableDue = false;
    this.messages = [];
    this.error = undefined;
    this.isOver = false;
    this.toldRoom = 0;
    this.timer = undefined;
    this.isClosed = false;
    lineOptions.codec = this.notes;
    this.line = new Line(board, lineOptions, this);
    this.writer = new MqttWriter(
      this.line,
      this.isReconnecting,
      options.buffers?.outboxMax ?? OUTBOX_BYTES_MAX,
    );
    if (this.onControl !== undefined) this.notes.state = this.line.session.state;
    this.line.connect();
  }

  // --- What the application calls.

  // `MQTTClient.write` is two calls around the writer's: one frame less on a stack that a board has little of.

  /** The application is about to write. Throws when it cannot any more. */
  beginWrite(): number {
    check(!this.isClosed, 'ERR_CLOSED', 'the client is closed');
    this.toldRoom = 0;
    this.writer.isDirty = true;
    return this.line.board.nowMs();
  }

  /** It has written. Returns the room that is left. */
  endWrite(operation: number, nowMs: number): number {
    const line = this.line;
    if (operation === DISCONNECT) {
      // Whoever leaves reads no more; the end is told when the line goes on.
      this.unread = 0;
      line.pause();
    }
    // In a callback the stack is deep already: the socket's turn comes behind it.
    if (!line.isTellingIdle) {
      this.writer.flush(nowMs);
      if (this.onWritable !== undefined || line.pump.isPaused) this.defer();
    }
    return this.writer.room();
  }

  /** See MQTTClient.read. */
  read(target: number | Bytes | undefined): ArrayBufferLike | number | undefined {
    let count = this.unread;
    if (typeof target === 'number') {
      if (target < count) count = target;
    } else if (target !== undefined) {
      checkArgument(!((target as Uint8Array).BYTES_PER_ELEMENT > 1), 'invalid buffer');
      if (target.byteLength < count) count = target.byteLength;
    }
    if (count <= 0) return undefined;
    const receive = this.line.session.receive;
    const from = receive.start + this.unreadOffset;
    let result: ArrayBufferLike | number = count;
    if (target === undefined || typeof target === 'number') {
      result = receive.bytes.slice(from, from + count).buffer;
    } else {
      copyRange(receive.bytes, from, from + count, viewOf(target), 0);
    }
    this.unreadOffset += count;
    this.unread -= count;
    if (this.unread === 0 && this.line.pump.isPaused) this.defer();
    return result;
  }

  /** See MQTTClient.close. */
  close(): void {
    if (this.isClosed) return;
    const nowMs = this.line.board.nowMs();
    this.isClosed = true;
    this.writer.flush(nowMs);
    this.line.session.disconnect(0, -1, nowMs);
    this.end();
  }

  // --- Telling: events leave behind what there is to tell, and the line waits until it is told.

  handleIdle(nowMs: number): void {
    const line = this.line;
    while (!this.isClosed) {
      if (this.messages.length > 0) {
        const message = this.messages.shift() as Control;
        if (this.onControl !== undefined) this.onControl.call(this.client, message);
      } else if (this.notes.type !== 0) this.tellNote();
      else if (this.isReadableDue) {
        const heading = this.heading as Readable;
        this.isReadableDue = false;
        this.heading = undefined;
        if (this.onReadable !== undefined) this.onReadable.call(this.client, this.unread, heading);
      } else if (this.isOver) this.finish();
      else {
        if (this.writer.isDirty) this.writer.flush(nowMs);
        if (line.pump.isPaused && this.unread === 0) {
          // What `resume` does, but for telling that the line is idle: that is what goes on here.
          line.pump.isPaused = false;
          line.pump.run(nowMs);
          line.receive(nowMs);
        } else if (this.messages.length === 0 && !this.tellRoom()) return;
      }
    }
  }

  /** Tells that there is room, if that is news. */
  private tellRoom(): boolean {
    if (this.onWritable === undefined || !this.line.session.isConnected()) return false;
    const room = this.writer.room();
    if (room <= this.toldRoom) return false;
    this.toldRoom = room;
    this.onWritable.call(this.client, room);
    return true;
  }

  /** Makes what the decoder has noted what is to be told. */
  private tellNote(): void {
    const notes = this.notes;
    const message: Control = { operation: notes.type };
    if (notes.packetId > 0) {
      const number = this.writer.numberOf(notes.ticket);
      message.id = number > 0 ? number : notes.packetId;
      if (this.line.session.state.isV5) message.reasonCode = notes.reasonCode;
    }
    notes.type = 0;
    this.tell(message);
  }

  private tell(message: Control): void {
    this.messages.push(message);
    this.line.pause();
  }

  /** Tells the end. */
  private finish(): void {
    const error = this.error;
    this.isOver = false;
    if (error !== undefined && this.onError !== undefined) this.onError.call(this.client, error);
    if (this.isClosed) return;
    this.isClosed = true;
    this.end();
    if (this.onClose !== undefined) this.onClose.call(this.client);
  }

  /** Adds what 5.0 says in the event's packet. */
  private addReason(message: Control, event: SessionEvent): void {
    if (!this.line.session.state.isV5) return;
    message.reasonCode = event.reasonCode;
    message.properties = readProperties(event.packet, this.line.session.receive.bytes, this.property);
  }

  handleEvent(event: SessionEvent): void {
    if (this.isClosed) return;
    switch (event.kind) {
      case EVENT_MESSAGE:
        this.handleMessage(event);
        return;
      case EVENT_CONNECTED: {
        const message: Control = {
          operation: CONNACK,
          returnCode: 0,
          sessionPresent: event.sessionPresent === 1,
        };
        this.notes.completing = 0;
        this.addReason(message, event);
        this.tell(message);
        return;
      }
      case EVENT_DISCONNECTED:
        this.handleDisconnected(event);
        return;
      case EVENT_PUBLISHED:
      case EVENT_SUBSCRIBED:
      case EVENT_UNSUBSCRIBED:
        this.handleDone(event);
        return;
      default:
    }
  }

  /** A message or request of the application's is done, for better or worse. */
  private handleDone(event: SessionEvent): void {
    const kind = event.kind;
    let id = this.writer.numberOf(event.ticket);
    if (id < 0 && kind === EVENT_PUBLISHED) return; // QoS 0
    if (id < 0) id = 0;
    this.writer.complete(event.ticket);
    const message: Control = { operation: 0, id };
    if (event.status < 0) {
      message.operation =
        kind === EVENT_PUBLISHED ? PUBLISH : kind === EVENT_SUBSCRIBED ? SUBSCRIBE : UNSUBSCRIBE;
      const name = statusName(event.status);
      message.error = codedError('ERR_' + name, name);
    } else if (kind === EVENT_PUBLISHED) {
      // Without a packet: the server had the message, and then lost the session.
      message.operation = this.notes.completing || PUBCOMP;
      if (this.notes.completing !== 0) this.addAnswer(message, event);
      this.notes.completing = 0;
    } else {
      message.operation = kind === EVENT_SUBSCRIBED ? SUBACK : UNSUBACK;
      this.addAnswer(message, event);
      if (kind === EVENT_SUBSCRIBED || this.line.session.state.isV5) {
        message.payload = [];
        const at = event.packet.listOffset;
        for (let n = 0; n < event.packet.listCount; n++) message.payload.push(event.bytes[at + n]);
      }
    }
    this.tell(message);
  }

  private addAnswer(message: Control, event: SessionEvent): void {
    if (message.id === 0) message.id = event.packet.packetId;
    this.addReason(message, event);
  }

  private handleMessage(event: SessionEvent): void {
    if (this.onReadable === undefined) return;
    const byteLength = event.payloadByteLength;
    let heading = this.heading;
    if (event.fragmentOffset === 0 && event.hasPacket) {
      const at = event.topicOffset;
      heading = {
        more: !event.isLast,
        topic: decodeText(event.topicBytes, at, at + event.topicByteLength),
        byteLength: event.payloadTotalByteLength,
        QoS: event.qos,
        retain: event.retain === 1,
        duplicate: event.dup === 1,
      };
      if (event.receipt !== 0) heading.id = event.receipt;
      if (this.line.session.state.isV5) {
        heading.properties = readProperties(event.packet, event.bytes, this.property);
      }
      // The head of the message filled the window.
      if (byteLength === 0 && !event.isLast) {
        this.heading = heading;
        return;
      }
    }
    if (heading === undefined) heading = event.isLast ? LAST : MORE;
    else heading.more = !event.isLast;
    this.heading = heading;
    this.isReadableDue = true;
    this.unread = byteLength;
    this.unreadOffset = event.payloadOffset - this.line.session.receive.start;
    // Its bytes stay where they are, and all that is behind them.
    this.line.pause();
  }

  private handleDisconnected(event: SessionEvent): void {
    this.unread = 0;
    this.heading = undefined;
    this.toldRoom = 0;
    this.notes.type = 0;
    this.writer.handleDisconnected();
    const cause = event.cause;
    const error = codedError(CODES[cause], 'the connection is over: ' + CODES[cause]) as ClientError;
    error.reasonCode = event.reasonCode;
    if (this.line.transportError !== undefined) error.cause = this.line.transportError;
    const isRefused = cause === CAUSE_REFUSED;
    const isTold = this.isReconnecting || (this.isNamed && event.hasPacket);
    if (cause !== CAUSE_CLIENT && isTold) {
      const message: Control = { operation: isRefused ? CONNACK : DISCONNECT, error };
      if (isRefused) message.returnCode = event.reasonCode;
      if (event.hasPacket) this.addReason(message, event);
      message.reconnectInMs = event.reconnectInMs;
      this.tell(message);
    }
    if (event.reconnectInMs >= 0) return;
    this.isOver = true;
    if (cause !== CAUSE_CLIENT) this.error = error;
    this.line.pause();
  }

  // --- Time.

  /** Goes on later: not within the call of the application's that is under way. */
  private defer(): void {
    this.timer ??= this.line.board.setTimer(this.onTimer, 0);
  }

  private handleTimer(): void {
    this.timer = undefined;
    if (!this.isClosed) this.line.run(this.line.board.nowMs());
  }

  /** Lets go of everything; a DISCONNECT that was written still goes out. */
  private end(): void {
    const line = this.line;
    if (this.timer !== undefined) line.board.clearTimer(this.timer);
    this.timer = undefined;
    this.unread = 0;
    line.pump.write();
    line.close();
  }
}
