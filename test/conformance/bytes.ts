/**
 * Packets byte by byte, for conformance tests: what no encoder would write. Everything is hex, parts to be joined.
 * Knows the layout of packets and none of their rules.
 */
import { connect as connectSocket } from 'node:net';
import { writeVarint } from '../../src/wire/varint.ts';
import { bytesOfHex } from '../support/scripted-server.ts';
import { withDeadline } from '../support/wait.ts';
import { ANSWER_MS_MAX, hexOf, type BrokerAddress } from './peer.ts';

function byteLengthOf(hex: string): number {
  return bytesOfHex(hex).length;
}

/** A byte, or two. */
export function integerHex(value: number, byteLength: 1 | 2 | 4): string {
  return value.toString(16).padStart(2 * byteLength, '0');
}

/** A Variable Byte Integer in its shortest form. */
export function varintHex(value: number): string {
  const bytes = new Uint8Array(4);
  return Buffer.from(bytes.subarray(0, writeVarint(bytes, 0, value))).toString('hex');
}

/** Binary data with its two-byte length: also a UTF-8 Encoded String that is ill-formed. */
export function binaryHex(hex: string): string {
  return integerHex(byteLengthOf(hex), 2) + hex;
}

/** A UTF-8 Encoded String. */
export function textHex(text: string): string {
  return binaryHex(hexOf(text));
}

/** Properties with their Property Length. */
export function propertiesHex(...properties: string[]): string {
  const hex = properties.join('');
  return varintHex(byteLengthOf(hex)) + hex;
}

/** A packet whose Remaining Length fits its body. */
export function packetHex(firstByte: number, ...body: string[]): string {
  const hex = body.join('');
  return integerHex(firstByte, 1) + varintHex(byteLengthOf(hex)) + hex;
}

/** The parts of a CONNECT; by default those of a good one of 5.0 with the payload it is given. */
export interface ConnectParts {
  /** Fixed header's first byte. */
  firstByte?: number;
  protocolName?: string;
  protocolVersion?: number;
  /** Default: Clean Start. */
  flags?: number;
  keepAliveSeconds?: number;
  /** Properties as hex; an empty string for none. Only under version 5 there is a Property Length. */
  properties?: string;
  /** Client Identifier, will, User Name, Password, as hex. */
  payload: string[];
}

/** A CONNECT put together as told. */
export function connectHex(parts: ConnectParts): string {
  const protocolVersion = parts.protocolVersion ?? 5;
  return packetHex(
    parts.firstByte ?? 0x10,
    textHex(parts.protocolName ?? 'MQTT'),
    integerHex(protocolVersion, 1),
    integerHex(parts.flags ?? 0x02, 1),
    integerHex(parts.keepAliveSeconds ?? 0, 2),
    protocolVersion === 5 ? propertiesHex(parts.properties ?? '') : '',
    ...parts.payload,
  );
}

/** Sends these bytes over a connection of their own, and resolves with all that came, in hex, once the server closed. */
export async function exchange(broker: BrokerAddress, hex: string): Promise<string> {
  const socket = connectSocket(broker.port, broker.host);
  socket.on('error', () => {}); // 'close' follows
  const pieces: Buffer[] = [];
  socket.on('data', (bytes: Buffer) => pieces.push(bytes));
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  socket.write(bytesOfHex(hex));
  try {
    await withDeadline(closed, ANSWER_MS_MAX, 'the server to close the connection');
  } finally {
    socket.destroy();
  }
  return Buffer.concat(pieces).toString('hex');
}
