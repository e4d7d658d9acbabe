/**
 * Reason codes and their names, all 256 in every packet from every side, against the standard's tables.
 */
import { describe, expect, it } from 'vitest';
import { isReasonCodeValid } from '../../src/packets/reason-codes.ts';
import { reasonCodeName, returnCodeName, violationName, violationText } from '../../src/packets/texts.ts';
import {
  FROM_ANYONE,
  FROM_CLIENT,
  FROM_SERVER,
  PACKET_NAMES,
  SENDERS,
  V3_1_1,
  V5,
} from '../../src/packets/types.ts';
import * as violations from '../../src/packets/violations.ts';
import { CLIENT_ONLY, PACKETS, REASON_CODES, SERVER_ONLY, codesOf } from './standard.ts';

/** Codes from 0 to 255 that the codec takes. */
function accepted(packet: string, sender: number, version = V5): number[] {
  const type = PACKETS.indexOf(packet) + 1;
  return Array.from({ length: 256 }, (_, code) => code).filter((code) =>
    isReasonCodeValid(type, code, sender, version),
  );
}

describe('reason codes', () => {
  it('are 43, in ascending order, each in some packet', () => {
    expect(REASON_CODES).toHaveLength(43);
    expect(REASON_CODES.map(([code]) => code)).toEqual(
      [...REASON_CODES.map(([code]) => code)].sort((a, b) => a - b),
    );
  });

  it.each(PACKETS)(
    'in %s are those of the table [MQTT-3.2.2-8] [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] ' +
      '[MQTT-3.9.3-2] [MQTT-3.11.3-2] [MQTT-3.14.2-1] [MQTT-3.15.2-1]',
    (packet) => {
      expect(accepted(packet, FROM_ANYONE)).toEqual(codesOf(packet));
    },
  );

  it.each(PACKETS.filter((packet) => SENDERS[PACKETS.indexOf(packet) + 1] === FROM_ANYONE))(
    'in %s are those that the side may send [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.14.2-1] [MQTT-3.15.2-1]',
    (packet) => {
      const without = (codes: readonly number[] = []): number[] =>
        codesOf(packet).filter((code) => !codes.includes(code));
      expect(accepted(packet, FROM_CLIENT)).toEqual(without(SERVER_ONLY[packet]));
      expect(accepted(packet, FROM_SERVER)).toEqual(without(CLIENT_ONLY[packet]));
    },
  );

  it('of 3.1.1 are six return codes of CONNACK and four of SUBACK [v3.1.1 MQTT-3.9.3-2]', () => {
    expect(accepted('CONNACK', FROM_SERVER, V3_1_1)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(accepted('SUBACK', FROM_SERVER, V3_1_1)).toEqual([0, 1, 2, 0x80]);
  });

  it('have the names of the standard', () => {
    for (const [code, name] of REASON_CODES) expect(reasonCodeName(code)).toBe(name);
    expect(reasonCodeName(0x03)).toBe('Unknown reason code 3');
    expect(returnCodeName(5)).toBe('Connection Refused, not authorized');
    expect(returnCodeName(6)).toBe('Unknown return code 6');
  });
});

describe('packet types', () => {
  it('have the names and senders of table 2-1', () => {
    expect(PACKET_NAMES.slice(1)).toEqual(PACKETS);
    const client = ['CONNECT', 'SUBSCRIBE', 'UNSUBSCRIBE', 'PINGREQ'];
    const server = ['CONNACK', 'SUBACK', 'UNSUBACK', 'PINGRESP'];
    PACKETS.forEach((packet, index) => {
      const sender = client.includes(packet)
        ? FROM_CLIENT
        : server.includes(packet)
          ? FROM_SERVER
          : FROM_ANYONE;
      expect(SENDERS[index + 1]).toBe(sender);
    });
  });
});

describe('violations', () => {
  const { violationReasonCode, ...constants } = violations;
  const numbers = Object.entries<number>(constants);

  it.each(numbers)(
    '%s has its own name, a sentence and a code of DISCONNECT or CONNACK [MQTT-4.13.1-1]',
    (name, number) => {
      expect(violationName(number)).toBe(name);
      expect(violationText(number)).toMatch(/^[a-zA-Z].+[^.]$/);
      const code = violationReasonCode(number);
      expect([...codesOf('DISCONNECT'), ...codesOf('CONNACK')]).toContain(code);
      expect(code).toBeGreaterThanOrEqual(0x80);
    },
  );

  it('are numbered without gaps', () => {
    expect(numbers.map(([, number]) => number).sort((a, b) => a - b)).toEqual(
      numbers.map((_, index) => index),
    );
    expect(violationName(numbers.length)).toBe('UNKNOWN_VIOLATION');
  });
});
