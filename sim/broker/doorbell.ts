/**
 * A sign of life that the operating system takes away with the process, however that ends: a socket (a pipe on Windows)
 * with a name that nobody else ever has. Who finds the name somewhere can ask whether its process still lives; process
 * ids cannot say that, they come again, and mean nothing in another container. Knows nothing of what is guarded.
 */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Socket paths must be shorter than 104 bytes on macOS, than 108 on Linux; a longer one is cut without a word. */
const PATH_BYTES_MAX = 100;

export class Doorbell {
  /** For `isAnswered`. A bare file name for a socket in the directory, so that it holds however that is reached. */
  readonly name: string;
  private readonly server: Server;

  private constructor(name: string, server: Server) {
    this.name = name;
    this.server = server;
  }

  /** Hangs one up in `directory`, or where sockets may be if not there: in the system's temporary directory. */
  static async hang(directory: string): Promise<Doorbell> {
    const name = `broker-${randomBytes(8).toString('hex')}.sock`;
    if (process.platform === 'win32') {
      const pipe = `\\\\.\\pipe\\motemq-${name}`;
      return new Doorbell(pipe, await listen(pipe));
    }
    const path = join(directory, name);
    if (Buffer.byteLength(path) <= PATH_BYTES_MAX) {
      try {
        return new Doorbell(name, await listen(path));
      } catch {
        // A file system without sockets.
      }
    }
    const elsewhere = join(tmpdir(), `motemq-${name}`);
    return new Doorbell(elsewhere, await listen(elsewhere));
  }

  /** Takes it down, and its file. */
  remove(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
    });
  }
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(path, () => {
      server.unref();
      server.on('error', () => {}); // of accepting: who asked has its answer by then
      resolve(server);
    });
  });
}

function pathOf(directory: string, name: string): string {
  return isAbsolute(name) || name.startsWith('\\\\') ? name : join(directory, name);
}

/** Whether the process that hung up the doorbell `name` in `directory` lives. In doubt it does. */
export function isAnswered(directory: string, name: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(pathOf(directory, name));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', ({ code }: NodeJS.ErrnoException) => {
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT' && code !== 'ENOTSOCK');
    });
  });
}

/** Removes what a dead process's doorbell left. */
export function clearAway(directory: string, name: string): void {
  rmSync(pathOf(directory, name), { force: true });
}
