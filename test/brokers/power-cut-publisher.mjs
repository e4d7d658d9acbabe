/**
 * Publishes at QoS 2 from a session whose state is in a file, until it is killed; prints each message once it was
 * accepted. With `drain` it publishes nothing, and ends when the server has everything: `node power-cut-publisher.mjs
 * DIST URL PROTOCOL STORE [drain]`.
 */
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [dist, url, protocol, file, mode] = process.argv.slice(2);
const { connect, FileStore } = await import(pathToFileURL(join(dist, 'targets/node/index.js')).href);
const store = new FileStore(file, { fsync: false });
const client = await connect(url, {
  protocol,
  clientId: 'power-cut',
  cleanStart: false,
  store,
  ...(protocol === '5.0' && { sessionExpirySeconds: 300 }),
});
if (mode === 'drain') {
  await client.whenDrained();
  await client.disconnect();
  process.exit(store.size);
}
const topic = client.topic('power/cut', { qos: 2 });
for (let n = 0; ; n++) {
  const id = `${process.pid}-${n}`;
  topic.publish(Buffer.from(id));
  writeSync(1, id + '\n'); // at once, so that what was printed was accepted, whenever the end comes
  if (n % 20 === 19) await new Promise((resolve) => setImmediate(resolve));
}
