/**
 * The link between a device and a broker in worlds in real time does what its faults say, over real sockets: each case sends
 * bytes through it to a server that sends them back.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FaultLink } from '../../sim/world/real/fault-link.ts';
import { SimRandom } from '../../sim/world/random.ts';
import { eventually } from '../support/wait.ts';

let server: Server;
let link: FaultLink;
/** The server's ends, in order. */
const accepted: Socket[] = [];
const clients: Client[] = [];
let watched = '';

/** A client's end: what it heard, and how it ended. */
class Client {
  heard = '';
  ended: 'no' | 'end' | 'error' = 'no';
  readonly socket: Socket;

  constructor() {
    this.socket = connect({ host: link.host, port: link.port });
    this.socket.on('data', (bytes: Buffer) => (this.heard += bytes.toString()));
    this.socket.on('error', () => (this.ended = 'error'));
    this.socket.on('end', () => (this.ended = 'end'));
    clients.push(this);
  }

  async hears(text: string): Promise<void> {
    await eventually(() => this.heard === text, { what: `"${text}", and not "${this.heard}"` });
  }

  async ends(how: 'end' | 'error'): Promise<void> {
    await eventually(() => this.ended === how, { what: `the client's ${how}` });
  }

  /** Sends, and hears it come back. */
  async echo(text: string): Promise<void> {
    this.socket.write(text);
    await this.hears(this.heard + text);
  }
}

async function open(): Promise<Client> {
  const client = new Client();
  await client.echo('hello ');
  return client;
}

beforeEach(async () => {
  server = createServer((socket) => {
    accepted.push(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: targetPort } = server.address() as AddressInfo;
  link = new FaultLink({
    targetHost: '127.0.0.1',
    targetPort,
    conditions: { latencyMs: 1, jitterMs: 1, fragmentPerMille: 500 },
    random: new SimRandom(1),
    watch: () => ({
      handleSent: (bytes) => (watched += Buffer.from(bytes).toString()),
      handleReceived: () => {},
      handleBlocked: () => {},
      handleOver: () => {},
    }),
  });
  await link.open();
});

afterEach(async () => {
  link.close();
  for (const { socket } of clients.splice(0)) socket.destroy();
  for (const socket of accepted.splice(0)) socket.destroy();
  watched = '';
  server.close();
  await once(server, 'close');
});

describe('a link to a broker', () => {
  it('passes bytes in their order, shows them, and passes the end on', async () => {
    const client = await open();
    await client.echo('abcdefgh'.repeat(50));
    expect(watched).toBe(client.heard);
    client.socket.end();
    await client.ends('end');
    await eventually(() => accepted[0].destroyed, { what: "the server's end" });
  });

  it('reset: both ends hear of it', async () => {
    const client = await open();
    expect(link.reset(0, 0)).toBe(true);
    await client.ends('error');
    await eventually(() => accepted[0].destroyed, { what: "the server's end" });
    expect(link.reset(0, 0)).toBe(false);
  });

  it('half-open: neither end hears of anything, and others get through', async () => {
    const client = await open();
    link.kill();
    client.socket.write('lost');
    const other = await open();
    await other.echo('more');
    expect(client.heard).toBe('hello ');
    expect(client.ended).toBe('no');
    expect(accepted[0].destroyed).toBe(false);
  });

  it('lost-closing: the server does not hear that the client has gone', async () => {
    const client = await open();
    link.loseClosing();
    await client.echo('on');
    client.socket.end();
    await eventually(() => client.socket.destroyed, { what: "the client's socket to close" });
    await open();
    expect(accepted[0].destroyed).toBe(false);
  });

  it('stall: everything comes, later', async () => {
    const client = await open();
    expect(link.stall(100, 'both')).toBe(true);
    client.socket.write('late');
    const other = await open();
    expect(client.heard).toBe('hello ');
    await client.hears('hello late');
    await other.echo('more');
  });

  it('refuse: nobody listens for a while, and then again on the same port', async () => {
    link.refuse(100);
    await new Client().ends('error');
    const connects = async (): Promise<unknown> => once(new Client().socket, 'connect');
    await eventually(connects, { what: 'somebody to listen' });
    await open();
  });

  it('no-name: the name is not found for a while', async () => {
    link.hideName(100);
    await new Client().ends('error');
    await eventually(() => link.host === '127.0.0.1', { what: 'the name' });
    await open();
  });

  it('no-answer: who connects hears nothing, not even later', async () => {
    link.silence(50);
    const client = new Client();
    client.socket.write('anybody?');
    await once(client.socket, 'connect');
    await eventually(() => link.isAnswering, { what: 'the end of it' });
    await open();
    expect(client.heard).toBe('');
    expect(client.ended).toBe('no');
  });

  it('broker-cuts: the client hears of the end, or of a break', async () => {
    const first = await open();
    link.cutOff(true);
    await first.ends('end');
    const second = await open();
    link.cutOff(false);
    await second.ends('error');
    await eventually(() => accepted.every(({ destroyed }) => destroyed), { what: "the server's ends" });
  });
});
