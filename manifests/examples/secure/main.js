/**
 * A device that nobody can listen to, and that is sure whom it talks to: TLS with one certificate authority that it trusts,
 * and SCRAM-SHA-256, by which both sides show that they know the password without sending it.
 */
import config from 'mc/config';
import Resource from 'Resource';
import Timer from 'timer';
import { connect } from 'motemq/client';
import network from 'motemq/network';
import { scramSha256 } from 'motemq/scram';

const TOPIC = `devices/${config.id}`;
const EVERY_MS = 10000;

async function main() {
  const startMs = Date.now();
  const client = await connect(config.broker, {
    clientId: config.id,
    cleanStart: false,
    sessionExpirySeconds: 3600,
    // Not `userName` and `password`: those would go over the wire.
    authentication: scramSha256({ userName: config.user, password: config.secret }),
    socket: { ...device.network.mqtts.socket, secure: { certificate: new Resource('ca.der') } },
    retryFirstConnect: true,
  });
  network.add(client.driver);
  trace(`connected after ${Date.now() - startMs} ms\n`);
  client.on('connect', ({ sessionPresent }) => {
    trace(`connected again, session ${sessionPresent ? 'kept' : 'new'}\n`);
  });
  client.on('disconnect', ({ error }) => trace(`disconnected: ${error}\n`));
  client.on('error', (error) => trace(`${error}\n`));

  let count = 0;
  Timer.repeat(() => {
    client
      .publish(`${TOPIC}/count`, String(count++), { qos: 1 })
      .catch((error) => trace(`not published: ${error}\n`));
  }, EVERY_MS);

  const requests = await client.subscribe(`${TOPIC}/echo`, { qos: 1 });
  for await (const request of requests) {
    trace(`asked: ${request.text()}\n`);
    await client.publish(`${TOPIC}/answer`, request.payload, { qos: 1 });
  }
}

main().catch((error) => trace(`${error}\n`));
