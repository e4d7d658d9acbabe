/**
 * Crowds of ours: sessions with their drivers, as the fleet has them, and promise clients.
 */
import type { Client } from '../../src/client/client.ts';
import { Driver } from '../../src/client/driver.ts';
import type { Topic } from '../../src/client/topic-publisher.ts';
import { EVENT_CONNECTED } from '../../src/session/event.ts';
import type { TopicHandle } from '../../src/session/topic-aliases.ts';
import { connect, transportTo } from '../../targets/node/connect.ts';
import { NodePlatform } from '../../targets/node/platform.ts';
import type { Qos } from '../client/peer.ts';
import { PAYLOAD, clientIdOf, startWheel, topicOf, type Crowd } from './crowd.ts';

interface DriverMember {
  readonly driver: Driver;
  readonly topic: TopicHandle;
}

/** Sessions with their drivers, as our fleet's devices are made. */
export class DriverCrowd implements Crowd {
  published = 0;
  private readonly platform: NodePlatform;
  private readonly members: DriverMember[] = [];
  private count = 0;

  constructor(port: number) {
    this.platform = new NodePlatform(transportTo(`mqtt://127.0.0.1:${port}`));
  }

  open(): Promise<void> {
    const index = this.count++;
    return new Promise((resolve, reject) => {
      const handleEvent = ({ kind }: { kind: number }): void => {
        if (kind === EVENT_CONNECTED) resolve();
        else if (driver.transportError !== undefined) reject(driver.transportError);
      };
      const options = { clientId: clientIdOf(index), reconnect: false } as const;
      const driver = new Driver(this.platform, options, { transmitBytes: 512 }, { handleEvent });
      this.members.push({ driver, topic: driver.session.createTopic(topicOf(index)) });
      driver.connect();
    });
  }

  startPublishing(qos: Qos, intervalMs: number): void {
    startWheel(this.members, intervalMs, ({ driver, topic }) => {
      driver.publish(topic, topic.bytes, PAYLOAD, PAYLOAD.length, qos, 0, null);
      this.published++;
    });
  }
}

export class ClientCrowd implements Crowd {
  published = 0;
  private readonly url: string;
  private readonly clients: Client[] = [];
  private count = 0;

  constructor(port: number) {
    this.url = `mqtt://127.0.0.1:${port}`;
  }

  async open(): Promise<void> {
    const clientId = clientIdOf(this.count++);
    this.clients.push(await connect(this.url, { clientId }));
  }

  startPublishing(qos: Qos, intervalMs: number): void {
    const topics = this.clients.map((client, index) => client.topic(topicOf(index), { qos }));
    startWheel(topics, intervalMs, (topic: Topic) => {
      topic.publish(PAYLOAD);
      this.published++;
    });
  }
}
