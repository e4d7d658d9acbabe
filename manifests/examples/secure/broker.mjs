/**
 * A server for trying the example: TLS and SCRAM-SHA-256 in front of a broker that has neither. It makes a certificate
 * authority on its first run, in certificates/, of which ca.der goes into the firmware. For the desk, not for a product.
 *
 *   node broker.mjs [--listen PORT] [--broker HOST:PORT] [--user NAME] [--password TEXT] [--iterations N] [--name HOST]
 */
import { execFileSync } from 'node:child_process';
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { createServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { decodeObjects, encodeObject, toHex } from '../../../dist/src/packets/inspect.js';
import { ScramServer, createCredentials } from '../../../dist/src/scram/server.js';

const { values: flags } = parseArgs({
  options: {
    listen: { type: 'string', default: '8883' },
    broker: { type: 'string', default: '127.0.0.1:1883' },
    user: { type: 'string', default: 'device' },
    password: { type: 'string', default: 'secret' },
    iterations: { type: 'string', default: '4096' },
    name: { type: 'string', default: hostname() },
  },
});

const here = (name) => fileURLToPath(new URL(`certificates/${name}`, import.meta.url));
const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });

/** Makes ca.der, and with it a key and a certificate for this host. */
function makeCertificates() {
  mkdirSync(here(''), { recursive: true });
  const name = flags.name;
  const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout'];
  openssl(
    'req',
    '-x509',
    ...key,
    here('ca.key'),
    '-out',
    here('ca.pem'),
    '-days',
    '3650',
    '-subj',
    '/CN=motemq example',
  );
  openssl('x509', '-in', here('ca.pem'), '-outform', 'der', '-out', here('ca.der'));
  openssl(
    'req',
    ...key,
    here('server.key'),
    '-out',
    here('server.csr'),
    '-subj',
    `/CN=${name}`,
    '-addext',
    `subjectAltName=${/^[\d.]+$/.test(name) ? 'IP' : 'DNS'}:${name},DNS:localhost,IP:127.0.0.1`,
  );
  const ca = ['-CA', here('ca.pem'), '-CAkey', here('ca.key'), '-CAcreateserial'];
  openssl(
    'x509',
    '-req',
    '-in',
    here('server.csr'),
    ...ca,
    '-copy_extensions',
    'copy',
    '-out',
    here('server.pem'),
    '-days',
    '3650',
  );
}

if (!existsSync(here('server.pem'))) makeCertificates();

const iterations = Number(flags.iterations);
const crypto = {
  sha256: (bytes) => createHash('sha256').update(bytes).digest(),
  createMac: (key) => ({ sign: (bytes) => createHmac('sha256', key).update(bytes).digest() }),
  randomBytes: (byteLength) => randomBytes(byteLength),
};
const salt = randomBytes(16);
const credentials = createCredentials(
  crypto,
  pbkdf2Sync(flags.password, salt, iterations, 32, 'sha256'),
  salt,
  iterations,
);

const V5 = { protocolVersion: 5 };
const METHOD = 'SCRAM-SHA-256';
const bytesOf = (hex) => Buffer.from(hex ?? '', 'hex');

/** Lets a client in that knows the password, then passes everything on. */
class Gate {
  constructor(socket) {
    this.socket = socket;
    this.scram = new ScramServer(crypto);
    this.bytes = Buffer.alloc(0);
    this.hello = undefined;
    socket.on('data', (bytes) => this.handleBytes(bytes));
    socket.on('error', () => socket.destroy());
  }

  send(object) {
    this.socket.write(encodeObject(object, V5));
  }

  handleBytes(bytes) {
    if (this.broker !== undefined) {
      this.broker.write(bytes);
      return;
    }
    this.bytes = Buffer.concat([this.bytes, bytes]);
    const { packets, consumed, error } = decodeObjects(this.bytes, V5);
    this.bytes = Buffer.from(this.bytes.subarray(consumed));
    try {
      if (error !== undefined) throw new Error(error.message);
      for (const packet of packets) this.handlePacket(packet);
    } catch (failure) {
      console.log(`refused: ${failure.message}`);
      this.send({ type: 'CONNACK', reasonCode: 0x87 });
      this.socket.end();
    }
  }

  handlePacket(packet) {
    const data = bytesOf(packet.properties?.authenticationData);
    if (packet.type === 'CONNECT') {
      if (packet.properties?.authenticationMethod !== METHOD) throw new Error('no SCRAM-SHA-256 in CONNECT');
      this.hello = packet;
      const userName = this.scram.handleClientFirst(data);
      if (userName !== flags.user) throw new Error(`no user ${userName}`);
      const properties = {
        authenticationMethod: METHOD,
        authenticationData: toHex(this.scram.first(credentials)),
      };
      this.send({ type: 'AUTH', reasonCode: 0x18, properties });
    } else if (packet.type === 'AUTH') {
      this.open(this.scram.handleClientFinal(data));
    }
  }

  /** Connects to the broker as the client wanted to, without authentication; its CONNACK takes the server's proof along. */
  open(proof) {
    const [host, port] = flags.broker.split(':');
    this.broker = connect({ host, port: Number(port) });
    const properties = { ...this.hello.properties };
    delete properties.authenticationMethod;
    delete properties.authenticationData;
    this.broker.write(encodeObject({ ...this.hello, properties }, V5));
    this.broker.once('data', (bytes) => {
      const { packets, rest } = decodeObjects(bytes, V5);
      const [connack, ...others] = packets;
      const data = { authenticationMethod: METHOD, authenticationData: toHex(proof) };
      this.send({ ...connack, properties: { ...connack.properties, ...data } });
      for (const packet of others) this.send(packet);
      this.socket.write(rest);
      this.broker.on('data', (more) => this.socket.write(more));
      console.log(
        `${this.hello.clientId} is who it says, over ${this.socket.getProtocol()} ${this.socket.getCipher().name}`,
      );
    });
    for (const [from, to] of [
      [this.broker, this.socket],
      [this.socket, this.broker],
    ]) {
      from.on('error', () => to.destroy());
      from.on('close', () => to.end());
    }
  }
}

// The whole chain: Moddable's TLS looks for the name in certificates that have another behind them.
const cert = readFileSync(here('server.pem'), 'utf8') + readFileSync(here('ca.pem'), 'utf8');
const tls = { key: readFileSync(here('server.key')), cert };
createServer(tls, (socket) => new Gate(socket)).listen(Number(flags.listen), () => {
  console.log(`SCRAM-SHA-256 over TLS on port ${flags.listen}, for ${flags.broker}`);
});
