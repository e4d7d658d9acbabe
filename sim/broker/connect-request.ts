/**
 * What a CONNECT asks for, copied out of its bytes: the one packet that may have to wait, for its authentication.
 */
import { byteLengthAt, type Packet } from '../../src/packets/packet.ts';
import {
  P_AUTHENTICATION_DATA,
  P_AUTHENTICATION_METHOD,
  P_MAXIMUM_PACKET_SIZE,
  P_RECEIVE_MAXIMUM,
  P_REQUEST_PROBLEM_INFORMATION,
  P_REQUEST_RESPONSE_INFORMATION,
  P_SESSION_EXPIRY_INTERVAL,
  P_TOPIC_ALIAS_MAXIMUM,
} from '../../src/packets/property-table.ts';
import {
  CONNECT_CLEAN_START,
  CONNECT_PASSWORD,
  CONNECT_USER_NAME,
  CONNECT_WILL,
  V5,
} from '../../src/packets/types.ts';
import { decodeUtf8 } from '../../src/wire/utf8.ts';
import { readWill } from './message-reader.ts';
import { NEVER_EXPIRES, type Will } from './session.ts';

/** Numbers and flags have what the standard says for what was left out. */
export interface ConnectRequest {
  protocolVersion: number;
  /** As the client sent it, or as the server assigns it to one that sent none. */
  clientId: string;
  isAssigned: boolean;
  /** As sent. */
  clientIdByteLength: number;
  cleanStart: boolean;
  keepAliveSeconds: number;
  userName: string | null;
  password: Uint8Array | null;
  will: Will | null;
  sessionExpirySeconds: number;
  receiveMaximum: number;
  maximumPacketSize: number;
  topicAliasMaximum: number;
  isResponseInformationWanted: boolean;
  isProblemInformationWanted: boolean;
  authenticationMethod: string | null;
  authenticationData: Uint8Array | null;
}

/** Reads a CONNECT that was decoded without violation; `assignId` makes an identifier for a client that has none. */
export function readConnect(packet: Packet, bytes: Uint8Array, assignId: () => string): ConnectRequest {
  const connect = packet.connect;
  if (connect === null) throw new TypeError('not a CONNECT');
  const { flags, protocolVersion, clientIdOffset, clientIdByteLength } = connect;
  const isV5 = protocolVersion === V5;
  const text = (offset: number, byteLength: number): string => decodeUtf8(bytes, offset, offset + byteLength);
  const number = (row: number, otherwise: number): number =>
    isV5 && packet.has(row) ? packet.values[row] : otherwise;
  const datum = (row: number): Uint8Array | null => {
    if (!isV5 || !packet.has(row)) return null;
    const offset = packet.values[row];
    return bytes.slice(offset, offset + byteLengthAt(bytes, offset));
  };
  const method = datum(P_AUTHENTICATION_METHOD);
  const cleanStart = (flags & CONNECT_CLEAN_START) !== 0;
  const isAssigned = clientIdByteLength === 0;
  const clientId = isAssigned ? assignId() : text(clientIdOffset, clientIdByteLength);
  const hasWill = (flags & CONNECT_WILL) !== 0;
  return {
    protocolVersion,
    clientId,
    isAssigned,
    clientIdByteLength,
    cleanStart,
    keepAliveSeconds: connect.keepAliveSeconds,
    userName:
      (flags & CONNECT_USER_NAME) === 0 ? null : text(connect.userNameOffset, connect.userNameByteLength),
    password:
      (flags & CONNECT_PASSWORD) === 0
        ? null
        : bytes.slice(connect.passwordOffset, connect.passwordOffset + connect.passwordByteLength),
    will: hasWill
      ? readWill(packet, bytes, text(packet.topicOffset, packet.topicByteLength), clientId)
      : null,
    // A session of 3.1.1 is kept until its client cleans it, or ends with its connection [v3.1.1 MQTT-3.1.2-4 …6].
    sessionExpirySeconds: isV5 ? number(P_SESSION_EXPIRY_INTERVAL, 0) : cleanStart ? 0 : NEVER_EXPIRES,
    receiveMaximum: number(P_RECEIVE_MAXIMUM, 65_535),
    maximumPacketSize: number(P_MAXIMUM_PACKET_SIZE, 268_435_460),
    topicAliasMaximum: number(P_TOPIC_ALIAS_MAXIMUM, 0),
    isResponseInformationWanted: number(P_REQUEST_RESPONSE_INFORMATION, 0) === 1,
    isProblemInformationWanted: number(P_REQUEST_PROBLEM_INFORMATION, 1) === 1,
    authenticationMethod: method === null ? null : decodeUtf8(method, 0, method.length),
    authenticationData: datum(P_AUTHENTICATION_DATA),
  };
}
