/** What a broker tells of itself under `$SYS`. */
import { describe, expect, test } from 'vitest';
import { Counters, type Gauges } from '../../sim/broker/counters.ts';
import { sysValues } from '../../sim/broker/sys-topics.ts';

const GAUGES: Gauges = {
  connections: 2,
  sessions: 5,
  subscriptions: 7,
  retainedMessages: 11,
  retainedBytes: 1100,
  queuedMessages: 13,
  queuedBytes: 1300,
  inflight: 17,
};

describe('sysValues', () => {
  test('says what the counters and gauges say, under the names that tools know', () => {
    const counters = new Counters();
    counters.connectionsMaximum = 3;
    counters.sessionsExpired = 4;
    counters.packetsReceived = 100;
    counters.packetsSent = 200;
    counters.publishReceived = 10;
    counters.publishSent = 20;
    counters.bytesReceived = 1000;
    counters.bytesSent = 2000;
    counters.droppedQueueFull = 1;
    counters.droppedExpired = 20;
    counters.droppedTooLarge = 300;
    counters.droppedQos0 = 4000;
    expect(Object.fromEntries(sysValues(counters, GAUGES, 5000, 66_999.5, '0.1.0'))).toEqual({
      '$SYS/broker/version': 'motemq version 0.1.0',
      '$SYS/broker/uptime': '61 seconds',
      '$SYS/broker/clients/connected': '2',
      '$SYS/broker/clients/disconnected': '3',
      '$SYS/broker/clients/expired': '4',
      '$SYS/broker/clients/maximum': '3',
      '$SYS/broker/clients/total': '5',
      '$SYS/broker/messages/received': '100',
      '$SYS/broker/messages/sent': '200',
      '$SYS/broker/publish/messages/received': '10',
      '$SYS/broker/publish/messages/sent': '20',
      '$SYS/broker/publish/messages/dropped': '4321',
      '$SYS/broker/bytes/received': '1000',
      '$SYS/broker/bytes/sent': '2000',
      '$SYS/broker/subscriptions/count': '7',
      '$SYS/broker/retained messages/count': '11',
      '$SYS/broker/messages/inflight': '17',
      '$SYS/broker/store/messages/count': '24',
      '$SYS/broker/store/messages/bytes': '2400',
    });
  });

  test('every topic is there once', () => {
    const names = sysValues(new Counters(), GAUGES, 0, 0, '0.1.0').map(([topicName]) => topicName);
    expect(new Set(names).size).toBe(names.length);
    expect(names.every((topicName) => topicName.startsWith('$SYS/broker/'))).toBe(true);
  });
});
