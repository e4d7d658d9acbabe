/**
 * A crowd of MQTT.js clients, which publish as those of MQTTX's bench do: while connected, with a callback.
 */
import { connectAsync, type MqttClient } from 'mqtt';
import type { Qos } from '../client/peer.ts';
import { PAYLOAD, clientIdOf, startWheel, topicOf, type Crowd } from './crowd.ts';

export class TheirCrowd implements Crowd {
  published = 0;
  private readonly url: string;
  private readonly clients: MqttClient[] = [];
  private count = 0;

  constructor(port: number) {
    this.url = `mqtt://127.0.0.1:${port}`;
  }

  async open(): Promise<void> {
    const clientId = clientIdOf(this.count++);
    this.clients.push(await connectAsync(this.url, { clientId, protocolVersion: 5 }));
  }

  startPublishing(qos: Qos, intervalMs: number): void {
    const members = this.clients.map((client, index) => ({ client, topicName: topicOf(index) }));
    startWheel(members, intervalMs, ({ client, topicName }) => {
      if (!client.connected) return;
      client.publish(topicName, PAYLOAD, { qos }, (error) => {
        if (error) throw error;
        this.published++;
      });
    });
  }
}
