/**
 * The harness of the conformance tests, tried on a server that does what a broker must not: a harness that overlooks it
 * would prove nothing.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { decodeObjects } from '../../src/packets/inspect.ts';
import { FROM_CLIENT } from '../../src/packets/types.ts';
import {
  startScriptedServer,
  type ScriptedConnection,
  type ScriptedServer,
} from '../support/scripted-server.ts';
import { bytesOfHex } from '../support/scripted-server.ts';
import type { BrokerUnderTest } from './broker-under-test.ts';
import { binaryHex, connectHex, exchange, packetHex, propertiesHex, textHex, varintHex } from './bytes.ts';
import { destroyEveryPeer, Peer } from './peer.ts';

const servers: ScriptedServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

/** A "broker" whose connections run the script. */
async function play(
  script: (connection: ScriptedConnection) => Promise<void>,
  isOurs = true,
): Promise<BrokerUnderTest> {
  const server = await startScriptedServer(script);
  servers.push(server);
  return { host: server.host, port: server.port, isOurs, broker: null };
}

/** Answers every packet of the client with this hex. */
function answering(...answers: string[]): (connection: ScriptedConnection) => Promise<void> {
  return async (connection) => {
    for (const answer of answers) {
      await connection.nextPacket();
      await connection.send(answer);
    }
  };
}

const CONNACK = '20 03 00 00 00';

describe('Peer', () => {
  afterEach(destroyEveryPeer);

  it('refuses a CONNACK that refuses', async () => {
    const broker = await play(answering('20 03 00 87 00'));
    await expect(Peer.connect(broker)).rejects.toThrow('refused');
  });

  it('hands packets out one by one, however they come', async () => {
    const broker = await play(async (connection) => {
      await connection.nextPacket();
      await connection.sendByteByByte(`${CONNACK} d0 00 40 02 00 01`);
    });
    const peer = await Peer.connect(broker);
    expect(await peer.next()).toEqual({ type: 'PINGRESP' });
    expect(await peer.nextOf('PUBACK')).toMatchObject({ packetId: 1 });
  });

  it('says what came instead of the type that was wanted', async () => {
    const peer = await Peer.connect(await play(answering(`${CONNACK} d0 00`)));
    await expect(peer.nextOf('SUBACK')).rejects.toThrow('expected SUBACK, and {"type":"PINGRESP"} came');
  });

  it('collects what comes before PINGRESP', async () => {
    const peer = await Peer.connect(await play(answering(CONNACK, '40 02 00 01 d0 00 40 02 00 02')));
    expect(await peer.drain()).toEqual([{ type: 'PUBACK', packetId: 1 }]);
    expect(await peer.next()).toEqual({ type: 'PUBACK', packetId: 2 });
  });

  it('finds the answer to its request among other packets, and keeps those', async () => {
    const peer = await Peer.connect(await play(answering(CONNACK, `30 04 00 01 61 00 90 04 00 01 00 00`)));
    expect(await peer.subscribe('a')).toMatchObject({ reasonCodes: [0] });
    expect(await peer.next()).toMatchObject({ type: 'PUBLISH', topicName: 'a' });
  });

  it('fails when the connection ends instead', async () => {
    const broker = await play(async (connection) => {
      await answering(`${CONNACK} d0 00`)(connection);
      connection.end();
    });
    const peer = await Peer.connect(broker);
    await peer.expectClosed();
    expect(await peer.next()).toEqual({ type: 'PINGRESP' });
    await expect(peer.next()).rejects.toThrow('ended before a packet came');
  });

  it('does not take a packet before the close for silence', async () => {
    const broker = await play(async (connection) => {
      await answering(`${CONNACK} d0 00`)(connection);
      connection.end();
    });
    const peer = await Peer.connect(broker);
    await expect(peer.expectClosedSilently()).rejects.toThrow('came before the close');
  });
});

describe('Peer on what is no packet', () => {
  it.each([
    ['a packet that only clients send', 'c0 00'],
    ['a reason code that only clients send', 'e0 01 04'],
    ['reserved flags', 'd1 00'],
    ['PUBLISH with Topic Alias 0', packetHex(0x30, textHex('a'), propertiesHex('230000'))],
    ['an ill-formed topic', packetHex(0x30, binaryHex('ff'), '00')],
    ['a length in too many bytes', 'd0 80 00'],
  ])('fails the test, though nobody reads it: %s', async (_what, hex) => {
    const broker = await play(answering(CONNACK, hex));
    const peer = await Peer.connect(broker);
    peer.send({ type: 'PINGREQ' });
    await expect(peer.expectClosed()).rejects.toThrow('what is no packet');
    expect(destroyEveryPeer).toThrow('what is no packet');
    // And but that test.
    expect(destroyEveryPeer).not.toThrow();
  });

  it('fails the test when half a packet comes', async () => {
    const broker = await play(async (connection) => {
      await answering(`${CONNACK} 40 02 00`)(connection);
      connection.end();
    });
    const peer = await Peer.connect(broker);
    await expect(peer.expectClosed()).rejects.toThrow('half a packet came: 400200');
    expect(destroyEveryPeer).toThrow('half a packet');
  });
});

describe('Peer on the end of a connection', () => {
  afterEach(destroyEveryPeer);

  /** A peer whose CONNECT is answered with this, before the server closes. */
  async function ending(hex: string, isOurs = true, protocolVersion: 4 | 5 = 5): Promise<Peer> {
    const broker = await play(async (connection) => {
      await answering(hex)(connection);
      connection.end();
    }, isOurs);
    const peer = await Peer.open(broker, protocolVersion);
    peer.send({ type: 'CONNECT', protocolVersion, clientId: 'a' });
    return peer;
  }

  it('knows a DISCONNECT with one of the reason codes', async () => {
    await (await ending('e0 01 82')).expectDisconnect(0x82);
    await (await ending('e0 01 82')).expectDisconnect(0x81, 0x82);
    await expect((await ending('e0 01 82')).expectDisconnect(0x81)).rejects.toThrow(
      'expected DISCONNECT with 0x81: 0x82 came',
    );
    await expect((await ending('e0 01 82 d0 00')).expectDisconnect(0x82)).rejects.toThrow('before the close');
    await expect((await ending('d0 00 e0 01 82')).expectDisconnect(0x82)).rejects.toThrow('PINGRESP');
  });

  it('lets a foreign broker close without one, and nobody else', async () => {
    await (await ending('', false)).expectDisconnect(0x82);
    await expect((await ending('')).expectDisconnect(0x82)).rejects.toThrow('ended before DISCONNECT');
  });

  it('wants silence under 3.1.1', async () => {
    await (await ending('', true, 4)).expectDisconnect(0x82);
    await expect((await ending('d0 00', true, 4)).expectDisconnect(0x82)).rejects.toThrow('before the close');
  });

  it('knows a refusal', async () => {
    await (await ending('20 03 00 87 00')).expectRefusal(0x86, 0x87);
    await expect((await ending('20 03 00 87 00')).expectRefusal(0x86)).rejects.toThrow('0x87 came');
    await expect((await ending('')).expectRefusal(0x86)).rejects.toThrow('ended before CONNACK');
    await (await ending('20 02 00 05', true, 4)).expectRefusal(5);
  });

  it('lets a server that rejects a CONNECT say so or not, but under 3.1.1', async () => {
    await (await ending('20 03 00 87 00')).expectRejected(0x87);
    await (await ending('')).expectRejected(0x87);
    await expect((await ending('20 03 00 86 00')).expectRejected(0x87)).rejects.toThrow('0x86 came');
    await (await ending('', true, 4)).expectRejected(0x87);
    await expect((await ending('20 02 00 05', true, 4)).expectRejected(0x87)).rejects.toThrow(
      'before the close',
    );
  });
});

describe('bytes', () => {
  it('makes packets that a decoder takes', () => {
    const hex = [
      connectHex({ payload: [textHex('a')] }),
      packetHex(0x30, textHex('t'), propertiesHex('26', textHex('k'), textHex('v')), 'ff'.repeat(200)),
    ].join('');
    const { packets, rest } = decodeObjects(bytesOfHex(hex), { protocolVersion: 5, sender: FROM_CLIENT });
    expect(rest).toHaveLength(0);
    expect(packets).toMatchObject([
      { type: 'CONNECT', protocolVersion: 5, clientId: 'a', cleanStart: true, keepAlive: 0 },
      { type: 'PUBLISH', topicName: 't', properties: { userProperties: [['k', 'v']] } },
    ]);
  });

  it('makes CONNECT of 3.1.1 without a Property Length', () => {
    expect(connectHex({ protocolVersion: 4, payload: [textHex('a')] })).toBe(
      '100d00044d5154540402000000' + '0161',
    );
  });

  it.each([
    [0, '00'],
    [127, '7f'],
    [128, '8001'],
    [16_384, '808001'],
    [268_435_455, 'ffffff7f'],
  ])('writes the Variable Byte Integer %i', (value, hex) => {
    expect(varintHex(value)).toBe(hex);
  });

  it('reads what comes until the server closes', async () => {
    const broker = await play(async (connection) => {
      await answering('20 03', '00 87 00')(connection);
      connection.end();
    });
    expect(await exchange(broker, 'c000 c000')).toBe('2003008700');
  });
});
