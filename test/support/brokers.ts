/**
 * Starts the real brokers that the suite in test/brokers runs against, Mosquitto as a process, aedes and our own in this
 * one, on free ports of 127.0.0.1 with certificates made for the occasion, and leaves nothing behind when they stop. Says
 * loudly which brokers it found. Knows nothing of what is tested.
 */
import { Aedes, type AedesOptions } from 'aedes';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import { createRequire } from 'node:module';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { Broker, type BrokerOptions } from '../../sim/broker/index.ts';
import { packageVersion } from '../../targets/node/package-version.ts';
import { makeCertificates } from './certificates.ts';
import { onFreePorts, type BrokerPorts } from './broker-ports.ts';
import { eventually } from './wait.ts';

/** The user name and the password that the listener on `passwordPort` wants. */
export const USERNAME = 'alice';
export const PASSWORD = 'secret';

const HOST = '127.0.0.1';
const STOP_MS_MAX = 3000;

/** A broker that accepts connections on all of its ports. */
export interface RunningBroker extends BrokerPorts {
  readonly name: 'aedes' | 'mosquitto' | 'motemq';
  readonly version: string;
  /** What it speaks, the newest first. */
  readonly protocols: readonly ('5.0' | '3.1.1')[];
  readonly host: string;
  /** PEM, as are the other two. The server's certificate is for `localhost` and 127.0.0.1. */
  readonly caFile: string;
  readonly clientCertificateFile: string;
  readonly clientKeyFile: string;
  /** What the broker logged since it was started, if it logs: for the message of a failure. */
  log(): string;
  /** Ends the broker and deletes its files. Calling it again does nothing. */
  stop(): Promise<void>;
  /**
   * Ends it and starts it again on the same ports. Sessions and retained messages survive only with `persistence`, which
   * aedes does not have.
   */
  restart(): Promise<void>;
}

/** What can differ from one aedes to the next. */
export interface AedesStartOptions {
  /** Passed on as given, except `authenticate`, which wraps the password check of `passwordPort`. */
  readonly broker?: AedesOptions;
}

/** What can differ from one broker of ours to the next. */
export interface MotemqStartOptions {
  /** Of all of its listeners. */
  readonly broker?: BrokerOptions;
  /** Keep sessions and retained messages over a `restart()`; false unless told. */
  readonly persistence?: boolean;
}

/** What can differ from one Mosquitto to the next; what is not given stays Mosquitto's default. */
export interface MosquittoStartOptions {
  /** The program; what {@link findMosquitto} finds unless told. */
  readonly program?: string;
  /** Topic Alias Maximum of every listener; 100 unless told. */
  readonly maxTopicAlias?: number;
  /** Maximum Packet Size in bytes, announced and enforced. */
  readonly maxPacketSize?: number;
  /** `max_inflight_messages`, which is also the Receive Maximum it announces. */
  readonly receiveMaximum?: number;
  /** Server Keep Alive for clients that ask for longer; not below 10. */
  readonly maxKeepAliveSeconds?: number;
  /** `max_queued_messages` for every client beyond those in flight. */
  readonly maxQueuedMessages?: number;
  /** Keep sessions and retained messages over a `restart()`; false unless told. */
  readonly persistence?: boolean;
  /** Further lines for the top of the configuration. */
  readonly extraLines?: readonly string[];
  /** Further lines for every listener: `max_qos 1`, `max_connections 3`. */
  readonly extraListenerLines?: readonly string[];
}

export interface EveryStartOptions {
  readonly aedes?: AedesStartOptions;
  readonly mosquitto?: MosquittoStartOptions;
  readonly motemq?: MotemqStartOptions;
}

/** Where Mosquitto's program is, or undefined. Debian's is in /usr/sbin, which is in few people's PATH. */
export function findMosquitto(): string | undefined {
  const name = process.platform === 'win32' ? 'mosquitto.exe' : 'mosquitto';
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const folders = [...path, '/usr/sbin', '/usr/local/sbin', '/opt/homebrew/sbin'];
  return folders.map((folder) => join(folder, name)).find((program) => existsSync(program));
}

/**
 * Starts every broker there is and writes one line about each to stderr. Throws when one is missing and the environment
 * says that this is CI. aedes is always there, it is a dependency, and so is our own.
 */
export async function startEveryBroker(options: EveryStartOptions = {}): Promise<RunningBroker[]> {
  const program = options.mosquitto?.program ?? findMosquitto();
  if (program === undefined) {
    announce('MISSING mosquitto: not in PATH nor /usr/sbin, so nothing is tested against it');
    if (process.env['CI']) throw new Error('CI must have every broker, and mosquitto is missing');
  }
  const brokers: RunningBroker[] = [];
  try {
    if (program !== undefined) brokers.push(await startMosquitto({ ...options.mosquitto, program }));
    brokers.push(await startAedes(options.aedes));
    brokers.push(await startMotemq(options.motemq));
  } catch (error) {
    await Promise.all(brokers.map((broker) => broker.stop()));
    throw error;
  }
  for (const { name, version, protocols, tcpPort } of brokers) {
    announce(`found ${name} ${version}: MQTT ${protocols.join(' and ')}, on ${HOST}:${tcpPort}`);
  }
  return brokers;
}

function announce(line: string): void {
  process.stderr.write(`[brokers] ${line}\n`);
}

/** Starts Mosquitto and waits until every listener accepts. Throws when it is not installed or does not come up. */
export async function startMosquitto(options: MosquittoStartOptions = {}): Promise<RunningBroker> {
  const program = options.program ?? findMosquitto();
  if (program === undefined) throw new Error('mosquitto is not installed');
  const folder = makeFolder();
  try {
    const files = await makeCertificates(folder);
    await writeFile(join(folder, 'passwords'), `${USERNAME}:${hashForMosquitto(PASSWORD)}\n`);
    const configFile = join(folder, 'mosquitto.conf');
    const child = new MosquittoProcess(program, configFile, folder);
    const ports = await onFreePorts(async (candidates) => {
      await writeFile(configFile, mosquittoConfig(candidates, folder, options));
      await child.start(Object.values(candidates));
    });
    return {
      name: 'mosquitto',
      version: mosquittoVersion(program),
      protocols: ['5.0', '3.1.1'],
      host: HOST,
      ...ports,
      ...files,
      log: () => child.log,
      async stop() {
        await child.stop();
        removeFolder(folder);
      },
      async restart() {
        await child.stop();
        await child.start(Object.values(ports));
      },
    };
  } catch (error) {
    removeFolder(folder);
    throw error;
  }
}

function mosquittoVersion(program: string): string {
  const help = spawnSync(program, ['-h'], { encoding: 'utf8' }).stdout; // exits with 3, as it should not
  return /version (\S+)/.exec(help)?.[1] ?? 'of unknown version';
}

function mosquittoConfig(ports: BrokerPorts, folder: string, options: MosquittoStartOptions): string {
  const setting = (name: string, value: number | undefined) =>
    value === undefined ? [] : [`${name} ${value}`];
  const listener = (port: number, ...lines: string[]) => [
    `listener ${port} ${HOST}`,
    'socket_domain ipv4', // without it a websockets listener binds every interface
    `max_topic_alias ${options.maxTopicAlias ?? 100}`,
    ...lines,
    ...(options.extraListenerLines ?? []),
  ];
  const anonymous = 'allow_anonymous true';
  const tls = [`certfile ${join(folder, 'server.crt')}`, `keyfile ${join(folder, 'server.key')}`];
  const mutualTls = [...tls, `cafile ${join(folder, 'ca.crt')}`, 'require_certificate true'];
  return [
    'per_listener_settings true',
    // Started by root it would become the user "mosquitto", who cannot read this folder.
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    'log_dest stderr',
    'set_tcp_nodelay true',
    `persistence ${options.persistence === true}`,
    `persistence_location ${folder}/`,
    ...setting('max_packet_size', options.maxPacketSize),
    ...setting('max_inflight_messages', options.receiveMaximum),
    ...setting('max_keepalive', options.maxKeepAliveSeconds),
    ...setting('max_queued_messages', options.maxQueuedMessages),
    ...(options.extraLines ?? []),
    ...listener(ports.tcpPort, anonymous),
    ...listener(ports.tlsPort, anonymous, ...tls),
    ...listener(ports.mutualTlsPort, anonymous, ...mutualTls),
    ...listener(ports.wsPort, anonymous, 'protocol websockets'),
    ...listener(ports.wssPort, anonymous, 'protocol websockets', ...tls),
    ...listener(ports.passwordPort, 'allow_anonymous false', `password_file ${join(folder, 'passwords')}`),
    '',
  ].join('\n');
}

/** The password file's format 7, as mosquitto_passwd writes it: PBKDF2 with SHA-512, 101 iterations. */
function hashForMosquitto(password: string): string {
  const salt = randomBytes(12);
  const hash = pbkdf2Sync(password, salt, 101, 64, 'sha512');
  return `$7$101$${salt.toString('base64')}$${hash.toString('base64')}`;
}

/** Ends the process with this id and removes the folder when stdin ends without a line: when the test run was killed. */
const GUARD_SCRIPT = `trap '' INT TERM HUP; read -r line || { kill -KILL "$1"; rm -rf -- "$2"; }`;

/** The broker's process, which may be started anew, and a guard that ends it should this process be killed. */
class MosquittoProcess {
  log = '';
  private readonly program: string;
  private readonly configFile: string;
  private readonly folder: string;
  private child: ChildProcess | undefined;
  private childClosed = Promise.resolve();
  private guard: ChildProcess | undefined;

  constructor(program: string, configFile: string, folder: string) {
    this.program = program;
    this.configFile = configFile;
    this.folder = folder;
  }

  /** Resolves once all of `ports` accept; rejects, with the process ended, when they do not. */
  async start(ports: readonly number[]): Promise<void> {
    this.log = '';
    const child = spawn(this.program, ['-c', this.configFile], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child = child;
    childrenLeft.add(child);
    this.childClosed = new Promise((resolve) => child.once('close', () => resolve()));
    void this.childClosed.then(() => childrenLeft.delete(child));
    child.on('error', () => {}); // the wait for 'spawn' throws it
    child.stderr.on('error', () => {});
    child.stderr.on('data', (chunk: Buffer) => (this.log = (this.log + chunk.toString()).slice(-65536)));
    if (process.platform !== 'win32' && child.pid !== undefined) {
      this.guard = spawn('/bin/sh', ['-c', GUARD_SCRIPT, 'sh', String(child.pid), this.folder], {
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      this.guard.on('error', () => {});
      this.guard.stdin?.on('error', () => {});
    }
    try {
      await once(child, 'spawn');
      for (const port of ports) {
        const what = `mosquitto to listen on port ${port}`;
        await eventually(() => hasEnded(child) || accepts(port), { what });
        if (hasEnded(child)) throw new Error('mosquitto ended');
      }
    } catch (error) {
      await this.stop();
      throw new Error(`mosquitto did not start: ${String(error)}\n${this.log}`, { cause: error });
    }
  }

  async stop(): Promise<void> {
    const { child, guard } = this;
    this.child = undefined;
    this.guard = undefined;
    if (child?.pid !== undefined) {
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
      child.kill('SIGTERM'); // lets it save what `persistence` keeps
      await this.childClosed; // also when it ended by itself: what it logged last comes before
      clearTimeout(timer);
    }
    if (guard !== undefined && !hasEnded(guard)) {
      const closed = once(guard, 'close');
      guard.stdin?.end('done\n');
      await closed;
    }
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, HOST);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Starts aedes in this process: MQTT 3.1.1 only, everything in memory. */
export async function startAedes(options: AedesStartOptions = {}): Promise<RunningBroker> {
  const folder = makeFolder();
  try {
    const files = await makeCertificates(folder);
    let listeners: AedesListeners | undefined;
    const ports = await onFreePorts(async (candidates) => {
      listeners = await AedesListeners.open(candidates, folder, options);
    });
    return {
      name: 'aedes',
      version: aedesVersion(),
      protocols: ['3.1.1'],
      host: HOST,
      ...ports,
      ...files,
      log: () => '',
      async stop() {
        await listeners?.close();
        removeFolder(folder);
      },
      async restart() {
        await listeners?.close();
        listeners = await AedesListeners.open(ports, folder, options);
      },
    };
  } catch (error) {
    removeFolder(folder);
    throw error;
  }
}

function aedesVersion(): string {
  const file = join(dirname(createRequire(import.meta.url).resolve('aedes')), 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** One aedes and every way into it. */
class AedesListeners {
  private readonly broker: Aedes;
  private readonly servers: Server[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(broker: Aedes) {
    this.broker = broker;
  }

  static async open(ports: BrokerPorts, folder: string, options: AedesStartOptions): Promise<AedesListeners> {
    const pem = (name: string) => readFileSync(join(folder, name));
    const identity = { cert: pem('server.crt'), key: pem('server.key') };
    const guarded = new WeakSet<object>();
    const broker = await Aedes.createBroker({
      ...options.broker,
      authenticate(client, username, password, done) {
        const isRefused = username !== USERNAME || password?.toString() !== PASSWORD;
        if (guarded.has(client.conn) && isRefused) return done(null, false);
        if (options.broker?.authenticate) options.broker.authenticate(client, username, password, done);
        else done(null, true);
      },
    });
    const handle = (socket: Socket) => void broker.handle(socket);
    const listeners = new AedesListeners(broker);
    try {
      await listeners.listen(createServer(handle), ports.tcpPort);
      await listeners.listen(createTlsServer(identity, handle), ports.tlsPort);
      const mutual = { ...identity, ca: pem('ca.crt'), requestCert: true, rejectUnauthorized: true };
      await listeners.listen(createTlsServer(mutual, handle), ports.mutualTlsPort);
      await listeners.listenForWebSockets(createHttpServer(), ports.wsPort);
      await listeners.listenForWebSockets(createHttpsServer(identity), ports.wssPort);
      const guard = createServer((socket) => {
        guarded.add(socket);
        handle(socket);
      });
      await listeners.listen(guard, ports.passwordPort);
    } catch (error) {
      await listeners.close();
      throw error;
    }
    return listeners;
  }

  async close(): Promise<void> {
    const closed = this.servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(closed);
    await new Promise<void>((resolve) => this.broker.close(resolve));
  }

  private async listenForWebSockets(server: HttpServer | HttpsServer, port: number): Promise<void> {
    const webSockets = new WebSocketServer({
      server,
      handleProtocols: (offered) => (offered.has('mqtt') ? 'mqtt' : false), // [MQTT-6.0.0-4]
    });
    webSockets.on('error', () => {}); // repeats the server's
    webSockets.on('connection', (webSocket) => {
      webSocket.on('error', () => {});
      const stream = createWebSocketStream(webSocket);
      stream.on('error', () => {});
      this.broker.handle(stream);
    });
    await this.listen(server, port);
  }

  private async listen(server: Server, port: number): Promise<void> {
    server.on('connection', (socket) => {
      socket.on('error', () => {});
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    const listening = once(server, 'listening');
    server.listen(port, HOST);
    await listening;
    server.on('error', () => {});
    this.servers.push(server);
  }
}

/** Starts our broker in this process; what its listeners cannot have in common makes them brokers of their own. */
export async function startMotemq(options: MotemqStartOptions = {}): Promise<RunningBroker> {
  const folder = makeFolder();
  let brokers: Broker[] = [];
  const lines: string[] = [];
  const stop = () => Promise.all(brokers.map((broker) => broker.stop()));
  try {
    const files = await makeCertificates(folder);
    const users = join(folder, 'passwords');
    await writeFile(users, `${USERNAME}:${hashForMosquitto(PASSWORD)}\n`);
    const tls = { cert: files.certificateFile, key: files.keyFile };
    const persist = options.persistence === true ? join(folder, 'store') : undefined;
    const log = (_level: unknown, line: string) => lines.push(line);
    const ports = await onFreePorts(async ({ passwordPort, mutualTlsPort, tcpPort, ...others }) => {
      await stop(); // those of an attempt that failed
      brokers = [];
      const every: BrokerOptions[] = [
        { port: tcpPort, ...others, tls, persist },
        {
          port: null,
          tlsPort: mutualTlsPort,
          tls: { ...tls, ca: files.caFile, requireClientCertificate: true },
        },
        { port: passwordPort, users },
      ];
      for (const one of every)
        brokers.push(await Broker.start({ host: HOST, log, ...options.broker, ...one }));
    });
    return {
      name: 'motemq',
      version: packageVersion(),
      protocols: ['5.0', '3.1.1'],
      host: HOST,
      ...ports,
      ...files,
      log: () => lines.join('\n'),
      async stop() {
        await stop();
        removeFolder(folder);
      },
      async restart() {
        const keepState = options.persistence === true;
        await Promise.all(brokers.map((broker) => broker.restart({ keepState })));
      },
    };
  } catch (error) {
    await stop();
    removeFolder(folder);
    throw error;
  }
}

/** What is not stopped yet, to be got rid of when the process exits without having stopped it. */
const childrenLeft = new Set<ChildProcess>();
const foldersLeft = new Set<string>();
process.on('exit', () => {
  for (const child of childrenLeft) child.kill('SIGKILL');
  for (const folder of foldersLeft) removeFolder(folder);
});

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'motemq-broker-'));
  foldersLeft.add(folder);
  return folder;
}

function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  foldersLeft.delete(folder);
}
