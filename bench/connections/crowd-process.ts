/**
 * Processes of the benches of connections, as their parent holds them: a crowd of connections, and a bare server.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { CrowdKind } from './crowd.ts';
import type { CrowdOrder, OpenResult, PublishResult } from './crowd-child.ts';

const CROWD = fileURLToPath(new URL('./crowd-child.js', import.meta.url));
const SERVER = fileURLToPath(new URL('../broker/connections-server.js', import.meta.url));

async function start(file: string, args: string[]): Promise<[ChildProcess, unknown]> {
  const child = fork(file, args, { execArgv: ['--expose-gc'] });
  const failed = once(child, 'exit').then(() => Promise.reject(new Error(`${file} has ended`)));
  const [first] = (await Promise.race([once(child, 'message'), failed])) as [unknown];
  failed.catch(() => {}); // it ends some day
  return [child, first];
}

async function stop(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.disconnect();
  await exited;
}

export class CrowdProcess {
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.child = child;
  }

  /** Resolves when it has opened its first connection. */
  static async start(kind: CrowdKind, port: number): Promise<CrowdProcess> {
    const [child] = await start(CROWD, [kind, String(port)]);
    return new CrowdProcess(child);
  }

  open(count: number): Promise<OpenResult> {
    return this.ask({ kind: 'open', count });
  }

  publish(order: Omit<Extract<CrowdOrder, { kind: 'publish' }>, 'kind'>): Promise<PublishResult> {
    return this.ask({ kind: 'publish', ...order });
  }

  stop(): Promise<void> {
    return stop(this.child);
  }

  private async ask<Answer extends object>(order: CrowdOrder): Promise<Answer> {
    this.child.send(order);
    const [answer] = (await once(this.child, 'message')) as [Answer | { failed: string }];
    if ('failed' in answer) throw new Error(answer.failed);
    return answer;
  }
}

/** A server that answers a connection's first bytes as a broker answers CONNECT, and knows nothing else. */
export async function startBareServer(): Promise<{ port: number; stop: () => Promise<void> }> {
  const [child, port] = await start(SERVER, ['net']);
  return { port: port as number, stop: () => stop(child) };
}
