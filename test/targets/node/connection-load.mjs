/**
 * Opens connections to a server and prints what each costs this process, as a line of JSON: `node --expose-gc
 * connection-load.mjs KIND PORT COUNT DIST`, KIND `bare` (a socket that sends CONNECT and nothing more), `driver` or
 * `client`. A process of its own for each kind, so that none stands on another's memory.
 */
import { connect } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [kind, port, count, dist] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(join(dist, path)).href);

/** CONNECT of 5.0 with an 8-byte client identifier. */
function connectPacket(i) {
  const id = Buffer.from('c' + String(i).padStart(7, '0'));
  return Buffer.concat([Buffer.from('101500044d5154540502003c000008', 'hex'), id]);
}

async function opener() {
  if (kind === 'bare') {
    return (i) =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port: Number(port), noDelay: true });
        socket.on('connect', () => socket.write(connectPacket(i)));
        socket.on('data', () => resolve(socket));
        socket.on('error', reject);
      });
  }
  if (kind === 'driver') {
    const { Driver, NodePlatform, transportTo } = await load('targets/node/index.js');
    const platform = new NodePlatform(transportTo(`mqtt://127.0.0.1:${port}`));
    return (i) =>
      new Promise((resolve) => {
        const owner = { handleEvent: () => resolve(driver) };
        const driver = new Driver(platform, { clientId: 'c' + String(i).padStart(7, '0') }, {}, owner);
        driver.connect();
      });
  }
  const motemq = await load('targets/node/index.js');
  return (i) => motemq.connect(`mqtt://127.0.0.1:${port}`, { clientId: 'c' + String(i).padStart(7, '0') });
}

function measure() {
  for (let i = 0; i < 4; i++) globalThis.gc();
  return process.memoryUsage();
}

const open = await opener();
const kept = [await open(9999999)]; // code and first buffers are not a connection's
const before = measure();
for (let i = 0; i < Number(count); i += 50) {
  kept.push(...(await Promise.all(Array.from({ length: 50 }, (_, k) => open(i + k)))));
}
const after = measure();
const each = (name) => Math.round((after[name] - before[name]) / Number(count));
console.log(
  JSON.stringify({
    kind,
    connections: kept.length - 1,
    rssBytes: each('rss'),
    heapBytes: each('heapUsed'),
    bufferBytes: each('arrayBuffers'),
  }),
);
process.exit(0);
