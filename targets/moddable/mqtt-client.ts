/**
 * The MQTT client class of ECMA-419, `embedded:network/mqtt/client`, on this library's session: in the place of the
 * Moddable SDK's, with MQTT 5, and with what that one leaves out. docs/ecma-419.md says what is the same and what more.
 */
import {
  AUTH,
  CONNACK,
  CONNECT,
  DISCONNECT,
  PINGREQ,
  PINGRESP,
  PUBACK,
  PUBCOMP,
  PUBLISH,
  PUBREC,
  PUBREL,
  SUBACK,
  SUBSCRIBE,
  UNSUBACK,
  UNSUBSCRIBE,
} from '../../src/packets/types.ts';
import { ModdableBoard } from './board.ts';
import { viewOf } from './mqtt-bytes.ts';
import type { Bytes } from './mqtt-bytes.ts';
import { MqttEngine } from './mqtt-engine.ts';
import type { ClientOptions, WriteOptions } from './mqtt-options.ts';
import type { SocketOptions } from './socket-transport.ts';

export default class MQTTClient {
  // The one field of its own: applications put theirs on the client, under whatever names.
  #engine: MqttEngine<MQTTClient>;

  /** Begins to connect. Throws for options that cannot be; all else is told by the callbacks. */
  constructor(options: ClientOptions<MQTTClient>) {
    if (options.format !== undefined) this.format = options.format;
    if (options.target !== undefined) (this as { target?: unknown }).target = options.target;
    const { host, port, socket, dns } = options;
    const board = new ModdableBoard({ host, port: port ?? 1883, socket, dns } as SocketOptions);
    this.#engine = new MqttEngine<MQTTClient>(this, options, board);
  }

  /**
   * Sends a packet, PUBLISH unless `options.operation` is another; or without options goes on with a payload of which
   * `byteLength` said that there is more. Bytes and properties are copied before it returns. Returns how many bytes,
   * topic and data together, the next write is sure to find room for. Throws when it finds none, when there is no
   * connection, and for what no packet can be; then nothing was written.
   */
  write(data?: Bytes | null, options?: WriteOptions | null): number {
    const engine = this.#engine;
    const operation = options?.operation ?? PUBLISH;
    const nowMs = engine.beginWrite();
    const writer = engine.writer;
    if (!options) writer.continue(viewOf(data), nowMs);
    else if (operation !== PUBLISH) writer.write(operation, options, nowMs);
    else {
      writer.prepare(viewOf(data), options, nowMs);
      writer.publish(nowMs);
    }
    return engine.endWrite(operation, nowMs);
  }

  /**
   * Takes bytes of the message that onReadable told of: all there are, `count` at most, or what fits into a buffer of
   * the application's. Returns a buffer of their own, or how many were put into the one given; undefined for none.
   */
  read(count?: number): ArrayBuffer | undefined;
  read(buffer: Bytes): number | undefined;
  read(target?: number | Bytes): ArrayBufferLike | number | undefined {
    return this.#engine.read(target);
  }

  /** Says goodbye to the server, if there is one, and ends. No callback is called any more. */
  close(): void {
    this.#engine.close();
  }

  get format(): string {
    return 'buffer';
  }

  set format(format: string) {
    if (format !== 'buffer') throw new RangeError('format must be "buffer"');
  }

  static readonly CONNECT = CONNECT;
  static readonly CONNACK = CONNACK;
  static readonly PUBLISH = PUBLISH;
  static readonly PUBACK = PUBACK;
  static readonly PUBREC = PUBREC;
  static readonly PUBREL = PUBREL;
  static readonly PUBCOMP = PUBCOMP;
  static readonly SUBSCRIBE = SUBSCRIBE;
  static readonly SUBACK = SUBACK;
  static readonly UNSUBSCRIBE = UNSUBSCRIBE;
  static readonly UNSUBACK = UNSUBACK;
  static readonly PINGREQ = PINGREQ;
  static readonly PINGRESP = PINGRESP;
  static readonly DISCONNECT = DISCONNECT;
  static readonly AUTH = AUTH;
}
