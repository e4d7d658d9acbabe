/**
 * The brokers that are compared, each as a process on a free port: ours, aedes, Mosquitto.
 */
import { fork, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface BenchedBroker {
  readonly name: string;
  readonly port: number;
  /** Milliseconds of processor time that its process has taken so far. */
  cpuMs(): number;
  stop(): Promise<void>;
}

/** Clock ticks of /proc a second: Linux's, everywhere. */
const TICKS_PER_SECOND = 100;

function cpuMsOf(child: ChildProcess): number {
  const stat = readFileSync(`/proc/${String(child.pid)}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Ours or aedes, whose module this process need not load. */
export async function startNodeBroker(name: 'motemq' | 'aedes'): Promise<BenchedBroker> {
  const child = fork(fileURLToPath(new URL('./child.js', import.meta.url)), [name], { execArgv: [] });
  const [message] = (await once(child, 'message')) as [{ port: number }];
  return { name, port: message.port, cpuMs: () => cpuMsOf(child), stop: () => stop(child) };
}

/** Mosquitto with bounds that a bench does not meet, or undefined where it is not installed. */
export async function startMosquitto(): Promise<BenchedBroker | undefined> {
  const environment = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin` };
  const help = spawnSync('mosquitto', ['-h'], { env: environment, encoding: 'utf8' });
  if (help.error !== undefined) return undefined;
  const version = /version (\S+)/.exec(help.stdout)?.[1] ?? '';
  const directory = mkdtempSync(join(tmpdir(), 'motemq-bench-'));
  const port = await freePort();
  const file = join(directory, 'mosquitto.conf');
  const bounds = 'max_inflight_messages 1000\nmax_queued_messages 1000000\nset_tcp_nodelay true\n';
  writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n${bounds}`);
  const child = spawn('mosquitto', ['-c', file], { env: environment, stdio: 'ignore' });
  await untilOpen(port);
  return {
    name: `mosquitto ${version}`,
    port,
    cpuMs: () => cpuMsOf(child),
    stop: async () => {
      await stop(child);
      rmSync(directory, { recursive: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function untilOpen(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('mosquitto does not open its port');
}
