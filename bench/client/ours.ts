/**
 * Our promise client as its documentation says to use it where much is published: a topic handle, and back-pressure by
 * `whenDrained` at QoS 0, by the promise of every batch's last message at QoS 1 and 2.
 */
import type { Client } from '../../src/client/client.ts';
import { connect } from '../../targets/node/connect.ts';
import {
  makePayloads,
  otherFilters,
  runBatches,
  sink,
  type Peer,
  type PeerTarget,
  type Qos,
} from './peer.ts';

export async function openOurs(target: PeerTarget): Promise<Peer> {
  const client = await connect(`mqtt://127.0.0.1:${target.port}`, { clientId: target.clientId });
  return new Ours(client, target);
}

class Ours implements Peer {
  private readonly client: Client;
  private readonly target: PeerTarget;
  private readonly payloads: Uint8Array[];

  constructor(client: Client, target: PeerTarget) {
    this.client = client;
    this.target = target;
    this.payloads = makePayloads(target.payloadByteLength);
  }

  async publish(qos: Qos, ms: number, batch: number): Promise<number> {
    const { client, payloads, target } = this;
    const topic = client.topic(target.topicName, { qos });
    const settled = qos === 0 ? batch : batch - 1;
    const batches = await runBatches(ms, () => {
      for (let index = 0; index < settled; index++) topic.publish(payloads[index & 15]);
      return qos === 0 ? client.whenDrained() : topic.publishSettled(payloads[0]);
    });
    if (qos === 0) await client.publish(target.topicName, payloads[0], { qos: 1 });
    return batches * batch;
  }

  async subscribe(qos: Qos, others: number, onMessages: (count: number) => void): Promise<void> {
    for (const filter of otherFilters(others))
      await this.client.subscribe(filter, { qos }, () => onMessages(1));
    await this.client.subscribe(this.target.topicName, { qos }, (message) => {
      sink.sum = (sink.sum + message.topicName.length + message.payload.length) | 0;
      onMessages(1);
    });
  }

  close(): Promise<void> {
    return this.client.disconnect();
  }
}
