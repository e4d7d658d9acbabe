/**
 * What the scenarios of the ECMA-419 client class's contract are made of. A scenario is a plain module's: it needs an
 * engine, the class, and the stage that is handed in; no test runner and nothing of Node, so that it runs on XS as well.
 */
import { decodeUtf8, encodeUtf8 } from '../../../../src/wire/utf8.ts';
import type MQTTClient from '../../../../targets/moddable/mqtt-client.ts';
import type { ClientOptions } from '../../../../targets/moddable/mqtt-options.ts';

export type Options = ClientOptions<MQTTClient>;

/** A class of sockets as ECMA-419 has it, as far as scenarios touch it. */
export type SocketClass = new (options: any) => { close(): void };

export interface Stage {
  MQTTClient: typeof MQTTClient;
  TCP: SocketClass;
  /** Options that lead to the scenario's server, and `more`. What a callback throws fails the scenario. */
  options(more: Partial<Options>): Options;
  /** Fails the scenario unless both are the same, written as JSON. */
  expect(actual: unknown, expected: unknown, what: string): void;
  fail(what: string): void;
  /** Calls in a later turn, from within nothing. */
  later(call: () => void): void;
  /** All that had to happen has; the server's script must come to its end, and no callback may fail any more. */
  done(): void;
}

/**
 * What the server does next on a connection: 'in' waits for a packet, which must be these bytes, or begin with them
 * where they end in '..'; 'out' sends bytes; 'closed' waits until the client has closed, without another packet.
 */
export type Step = ['in' | 'out', string] | ['end'] | ['reset'] | ['closed'];

export interface Scenario {
  name: string;
  /** A real broker of 3.1.1; a server that acknowledges every QoS 1 message; none at all; or a script a connection. */
  server: 'broker' | 'acknowledging' | 'none' | Step[][];
  run(stage: Stage): void;
}

/** CONNACK of 3.1.1: accepted. */
export const CONNACK_3 = '20 02 00 00';
/** A CONNECT of whatever kind, and a CONNACK for it. */
export const CONNECTED: Step[] = [
  ['in', '10..'],
  ['out', CONNACK_3],
];
/** The goodbye of `close`. */
export const GOODBYE: Step[] = [['in', 'e0 00'], ['closed']];

export function hexOf(bytes: Uint8Array): string {
  let hex = '';
  for (const byte of bytes) hex += (byte < 16 ? '0' : '') + byte.toString(16);
  return hex;
}

/** What a client is given to write: a buffer, as Moddable's applications make them. */
export function bufferOf(text: string): ArrayBuffer {
  return encodeUtf8(text)!.buffer as ArrayBuffer;
}

export function textOf(buffer: ArrayBuffer | undefined): string {
  if (buffer === undefined) return 'nothing';
  return decodeUtf8(new Uint8Array(buffer), 0, buffer.byteLength);
}

/** A buffer of `byteLength` in which no two pieces are alike. */
export function patternOf(byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  for (let i = 0; i < byteLength; i++) bytes[i] = (i * 7 + (i >> 8) * 13) & 255;
  return bytes;
}

/** A UTF-8 Encoded String in hexadecimal. */
export function textHex(text: string): string {
  const bytes = encodeUtf8(text)!;
  return hexOf(new Uint8Array([bytes.length >> 8, bytes.length & 255])) + hexOf(bytes);
}

/** A packet in hexadecimal: its first byte, and what is behind the length. */
export function packetHex(first: number, body: string): string {
  let remaining = body.replace(/ /g, '').length / 2;
  const head = [first];
  do {
    head.push((remaining & 127) | (remaining > 127 ? 128 : 0));
    remaining >>= 7;
  } while (remaining > 0);
  return hexOf(new Uint8Array(head)) + body;
}

/** A PUBLISH of 3.1.1. */
export function publishHex(topic: string, payload: string | Uint8Array, qos = 0, id = 0, flags = 0): string {
  const bytes = typeof payload === 'string' ? encodeUtf8(payload)! : payload;
  const idHex = qos > 0 ? hexOf(new Uint8Array([id >> 8, id & 255])) : '';
  return packetHex(0x30 | (qos << 1) | flags, textHex(topic) + idHex + hexOf(bytes));
}

/** The code of what `call` throws, '' when it throws nothing. */
export function codeOf(call: () => unknown): string {
  try {
    call();
    return '';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** A client that begins with `begin` once it is connected. */
export function connect(
  stage: Stage,
  more: Parameters<Stage['options']>[0],
  begin: (client: InstanceType<Stage['MQTTClient']>) => void,
): void {
  const { onControl } = more;
  new stage.MQTTClient(
    stage.options({
      ...more,
      onControl(message) {
        if (message.operation === stage.MQTTClient.CONNACK) begin(this);
        else onControl?.call(this, message);
      },
    }),
  );
}
