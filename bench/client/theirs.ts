/**
 * MQTT.js as its readme and its source say to use it where much is published: a callback for the last message of a batch,
 * which is waited for. Topic aliases are left off, because with them it takes more of the processor, not less.
 */
import { connectAsync, type MqttClient } from 'mqtt';
import {
  makePayloads,
  otherFilters,
  runBatches,
  sink,
  type Peer,
  type PeerTarget,
  type Qos,
} from './peer.ts';

export async function openTheirs(target: PeerTarget): Promise<Peer> {
  const client = await connectAsync(`mqtt://127.0.0.1:${target.port}`, {
    clientId: target.clientId,
    protocolVersion: 5,
    properties: { topicAliasMaximum: 32, receiveMaximum: 65_535 },
  });
  return new Theirs(client, target);
}

class Theirs implements Peer {
  private readonly client: MqttClient;
  private readonly target: PeerTarget;
  private readonly payloads: Buffer[];

  constructor(client: MqttClient, target: PeerTarget) {
    this.client = client;
    this.target = target;
    this.payloads = makePayloads(target.payloadByteLength).map((payload) => Buffer.from(payload));
  }

  async publish(qos: Qos, ms: number, batch: number): Promise<number> {
    const { client, payloads } = this;
    const { topicName } = this.target;
    const options = { qos };
    const batches = await runBatches(ms, () => {
      for (let index = 1; index < batch; index++) client.publish(topicName, payloads[index & 15], options);
      return new Promise<void>((resolve, reject) => {
        client.publish(topicName, payloads[0], options, (error) => {
          if (error) reject(error);
          else resolve();
        });
      });
    });
    if (qos === 0) await client.publishAsync(topicName, payloads[0], { qos: 1 });
    return batches * batch;
  }

  async subscribe(qos: Qos, others: number, onMessages: (count: number) => void): Promise<void> {
    this.client.on('message', (topicName, payload) => {
      sink.sum = (sink.sum + topicName.length + payload.length) | 0;
      onMessages(1);
    });
    for (const filter of otherFilters(others)) await this.client.subscribeAsync(filter, { qos });
    await this.client.subscribeAsync(this.target.topicName, { qos });
  }

  close(): Promise<void> {
    return this.client.endAsync(true);
  }
}
