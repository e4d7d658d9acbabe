/**
 * Sockets of a machine: ECMA-419's, on real TCP, with the room of a board.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { BOARD_SEGMENT_BYTES, BOARD_SOCKET_BYTES } from '../../sim/xs/network.ts';
import { eventually, freePort } from '../support/wait.ts';
import { Bench, Peer, stopAll } from './bench.ts';

afterEach(stopAll);

/** A guest that connects and says what happens; `body` has `socket` and `say`. */
const connecting = (port: number, body: string, target = "address: '127.0.0.1'"): string => `
  import TCP from 'embedded:io/socket/tcp';
  import Timer from 'timer';
  const say = (text) => host.print(String(text));
  const attempt = (action) => { try { return action(); } catch (error) { return error.message; } };
  const text = (buffer) => String.fromCharCode(...new Uint8Array(buffer));
  let onReadable = (count) => say('readable ' + count);
  let onWritable = (count) => say('writable ' + count);
  const socket = new TCP({
    ${target}, port: ${port},
    onReadable(count) { onReadable.call(this, count); },
    onWritable(count) { onWritable.call(this, count); },
    onError() { say('error ' + (this === socket)); },
  });
  ${body}
`;

describe('sockets', () => {
  it('open with the room of a board', async () => {
    const peer = await Peer.start();
    const bench = await Bench.run(
      connecting(peer.port, 'say(attempt(() => socket.write(new Uint8Array(1))));'),
    );
    await bench.printed(`writable ${BOARD_SOCKET_BYTES}`);
    expect(bench.lines).toEqual(['not ready', `writable ${BOARD_SOCKET_BYTES}`]);
  });

  it('connect by name', async () => {
    const peer = await Peer.start();
    const bench = await Bench.run(connecting(peer.port, '', "host: 'localhost'"));
    await bench.printed(`writable ${BOARD_SOCKET_BYTES}`);
  });

  it('that are refused fail, and never open', async () => {
    const bench = await Bench.run(connecting(await freePort(), ''));
    await bench.printed('error true');
    expect(bench.lines).toEqual(['error true']);
  });

  it('want an address and a port', async () => {
    const { machine } = await Bench.start({});
    for (const options of [
      '{ port: 1 }',
      "{ address: '127.0.0.1', port: 0 }",
      "{ host: '127.0.0.1', port: 65536 }",
    ]) {
      await expect(machine.evaluate(`new host.TCP(${options})`), options).rejects.toThrow(/RangeError/);
    }
    await expect(machine.evaluate('host.TCP.prototype.read.call({})')).rejects.toThrow(/no host object/);
  });

  it('write all that there is room for, and throw at more', async () => {
    const peer = await Peer.start();
    const bench = await Bench.run(
      connecting(
        peer.port,
        `
          const total = 50000;
          let sent = 0;
          let isFirst = true;
          onWritable = function (count) {
            if (isFirst) say(attempt(() => this.write(new Uint8Array(count + 1))));
            isFirst = false;
            const bytes = new Uint8Array(Math.min(count, total - sent));
            if (bytes.length === 0) return;
            for (let i = 0; i < bytes.length; i++) bytes[i] = (sent + i) % 251;
            sent += bytes.length;
            const left = this.write(bytes);
            if (left !== count - bytes.length) say('left ' + left);
            if (sent === total) say('sent');
          };
        `,
      ),
    );
    await bench.printed('sent');
    await eventually(() => peer.received.length >= 50_000, { what: 'all bytes' });
    expect(peer.received).toEqual(Buffer.from(Array.from({ length: 50_000 }, (_, i) => i % 251)));
    expect(bench.lines).toEqual(['would block', 'sent']);
  });

  it('stop the other end while nobody reads, in segments and no more than a board holds', async () => {
    const peer = await Peer.start();
    const bench = await Bench.run(
      connecting(
        peer.port,
        `
          let held = 0;
          let largest = 0;
          onWritable = () => {};
          onReadable = (count) => { largest = Math.max(largest, count - held); held = count; if (held === ${BOARD_SOCKET_BYTES}) say('full'); };
          globalThis.onHostMessage = () => {
            say('largest ' + largest);
            let at = 0;
            onReadable = function (count) {
              while (count > 0) {
                const bytes = new Uint8Array(this.read(Math.min(count, 1000)));
                for (const byte of bytes) if (byte !== at++ % 251) say('wrong at ' + at);
                count -= bytes.length;
              }
              if (at === 50000) say('read');
            };
            onReadable.call(socket, held);
          };
        `,
      ),
    );
    await eventually(() => peer.sockets.length === 1, { what: 'the connection' });
    peer.sockets[0].write(Buffer.from(Array.from({ length: 50_000 }, (_, i) => i % 251)));
    await bench.printed('full');
    await bench.machine.post(new Uint8Array(0));
    await bench.printed('read');
    expect(bench.lines).toEqual(['full', `largest ${BOARD_SEGMENT_BYTES}`, 'read']);
  });

  it('read into buffers, by count, and all; throw at more than there is; then tell the end', async () => {
    const peer = await Peer.start();
    const bench = await Bench.run(
      connecting(
        peer.port,
        `
          onWritable = () => {};
          globalThis.onHostMessage = () => {
            say(attempt(() => socket.read(11)));
            say(attempt(() => socket.read(new Uint8Array(11))));
            say(text(socket.read(3)));
            const view = new Uint8Array(6).subarray(1, 5);
            say(socket.read(view) + ' ' + text(view.buffer).replaceAll('\\0', '.'));
            say(attempt(() => socket.read(0)));
            say(text(socket.read()));
            say(socket.read());
            say(attempt(() => socket.write('text')));
          };
        `,
      ),
    );
    await eventually(() => peer.sockets.length === 1, { what: 'the connection' });
    peer.sockets[0].end('0123456789');
    await bench.printed('readable 10');
    expect(bench.lines).toEqual(['readable 10']);
    await bench.machine.post(new Uint8Array(0));
    await bench.printed('error true');
    const [, moreThanThere, moreThanThereInto, ...rest] = bench.lines;
    expect([moreThanThere, moreThanThereInto]).toEqual(['invalid', 'invalid']);
    expect(rest.slice(0, 2)).toEqual(['012', '4 .3456.']);
    expect(rest.slice(3, 5)).toEqual(['789', 'undefined']);
    expect(rest.at(-1)).toBe('error true');
    expect(bench.lines.filter((line) => line === 'error true')).toHaveLength(1);
  });

  it('close: the other end learns it, and nothing is told any more', async () => {
    const peer = await Peer.start();
    const bench = await Bench.run(
      connecting(
        peer.port,
        `
          onWritable = function () {
            this.write(Uint8Array.of(98, 121, 101));
            this.close();
            this.close();
            say(attempt(() => this.write(new Uint8Array(1))));
            say(attempt(() => this.read()));
            Timer.set(() => say('later'), 30);
          };
        `,
      ),
    );
    await eventually(() => peer.isEnded, { what: 'the end' });
    expect(peer.received.toString()).toBe('bye');
    expect(peer.isReset).toBe(false);
    await bench.printed('later');
    expect(bench.lines).toEqual(['closed', 'closed', 'later']);
  });

  it('closed with something unread reset the connection', async () => {
    const peer = await Peer.start();
    await Bench.run(connecting(peer.port, 'onReadable = function () { this.close(); };'));
    await eventually(() => peer.sockets.length === 1, { what: 'the connection' });
    peer.sockets[0].write('unread');
    await eventually(() => peer.isReset, { what: 'the reset' });
  });

  it('are gone with the machine', async () => {
    const peer = await Peer.start();
    const { machine } = await Bench.run(connecting(peer.port, ''));
    await eventually(() => peer.sockets.length === 1, { what: 'the connection' });
    await machine.kill();
    await eventually(() => peer.isEnded || peer.isReset, { what: 'the end' });
  });
});

describe('an end', () => {
  it('comes of what nobody catches in a callback', async () => {
    const peer = await Peer.start();
    const { machine } = await Bench.run(
      connecting(peer.port, "onWritable = () => { throw new Error('boom'); };"),
    );
    expect((await machine.ended)?.message).toMatch(/uncaught Error: boom/);
  });
});
