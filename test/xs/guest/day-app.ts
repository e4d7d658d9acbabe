/**
 * A day's work on the callback client in an XS machine: a message every ten seconds, with 512 and 512 bytes of buffers.
 */
import Timer from 'timer';
import { CallbackClient, ModdableBoard } from '../../../targets/moddable/core.ts';
import type { SocketOptions } from '../../../targets/moddable/core.ts';
import { obey, tell } from './remote.ts';

/** Boards have it; the library does without. */
const { repeat } = Timer as unknown as { repeat(callback: () => void, ms: number): object };

const EVERY_MS = 10_000;
const PAYLOAD_BYTES = 40;
/** Of what the server sends. */
const NEWS_BYTES = 100;

export default function start(): void {
  obey({
    work(protocolVersion: number) {
      const board = new ModdableBoard({
        ...device!.network!['mqtt'],
        address: '10.0.0.1',
        port: 1883,
      } as SocketOptions);
      const client = new CallbackClient(board, {
        clientId: 'day',
        protocolVersion,
        cleanStart: false,
        ...(protocolVersion === 5 && { sessionExpirySeconds: 3600 }),
        keepAliveSeconds: 7,
        onDisconnected: ({ cause }) => tell('disconnected', cause),
        onMessage: (message) => {
          if (message.event.payloadByteLength !== NEWS_BYTES) tell('error', 'news');
        },
        onError: ({ status, reasonCode }) => tell('error', status, reasonCode),
      });
      const topic = client.createTopic('sensors/kitchen/day');
      const payload = new Uint8Array(PAYLOAD_BYTES);
      let turn = 0;
      client.subscribe('day/#', 1);
      client.connect();
      repeat(() => {
        turn++;
        payload[turn % PAYLOAD_BYTES]++;
        // Mostly QoS 0, now and then 1, and once in a while 2.
        const qos = turn % 10 === 0 ? 2 : turn % 3 === 0 ? 1 : 0;
        const ticket = client.publishBytes(topic, payload, PAYLOAD_BYTES, qos, false, null);
        if (ticket < 0) tell('refused', ticket);
      }, EVERY_MS);
    },
  });
}
