/**
 * Runs inside an XS machine of the size of a board: what a client of plain callbacks costs there, over the transport
 * that boards have, on a socket and a clock that do nothing. Reports each measurement as a line of JSON.
 */
import type { Board, BoardReceiver } from '../../src/line.ts';
import type { Socket, SocketCallbacks } from '../../targets/moddable/socket-transport.ts';
import { CallbackClient, SocketTransport } from '../../targets/moddable/core.ts';

/** The natives of the machine; see docs/xs-engine.md. */
declare const host: {
  meter(): number;
  slots(): number;
  chunkBytes(): number;
  collect(): void;
  post(text: string): void;
};

/** A socket that takes all that it is given and delivers what it is told to. */
class StubSocket implements Socket {
  static last: StubSocket;
  callbacks: SocketCallbacks;
  received: Uint8Array;

  constructor(callbacks: SocketCallbacks) {
    this.callbacks = callbacks;
    this.received = new Uint8Array(0);
    StubSocket.last = this;
  }

  write(_bytes: Uint8Array): number {
    return 5744;
  }

  read(bytes: Uint8Array): number {
    bytes.set(this.received);
    return this.received.length;
  }

  close(): void {
    // Nothing is open.
  }

  deliver(bytes: Uint8Array): void {
    this.received = bytes;
    this.callbacks.onReadable(bytes.length);
  }
}

const timers = { setTimer: (): number => 1, clearTimer: (): void => undefined };
const board: Board = {
  ...timers,
  nowMs: () => 5,
  random: () => 5,
  createTransport: (receiver: BoardReceiver) =>
    new SocketTransport(receiver, { address: '127.0.0.1', port: 1883, socket: { io: StubSocket } }, timers),
};

function report(name: string, values: object): void {
  host.post(JSON.stringify({ name, ...values }));
}

/** What one call takes once it has been called a few times: computrons of the call alone, and what it leaves behind. */
function measure(name: string, call: () => void): void {
  const nothing = (): void => undefined;
  for (let i = 0; i < 3; i++) call();
  nothing();
  const empty = host.meter();
  nothing();
  const overhead = host.meter() - empty;
  host.collect();
  const slots = host.slots();
  const chunkBytes = host.chunkBytes();
  const computrons = host.meter();
  call();
  const after = host.meter();
  const slotsLeft = host.slots() - slots;
  const chunkBytesLeft = host.chunkBytes() - chunkBytes;
  report(name, { computrons: after - computrons - overhead, slots: slotsLeft, chunkBytes: chunkBytesLeft });
}

const TOPIC = 'sensors/kitchen/ab';

/** All of it, once the module is there and its memory at rest. */
function run(): void {
  const payload = new Uint8Array(64);
  let received = 0;

  host.collect();
  const slotsBefore = host.slots();
  const chunkBytesBefore = host.chunkBytes();
  const client = new CallbackClient(board, {
    clientId: 'bench',
    receiveBytes: 512,
    transmitBytes: 512,
    outboxBytes: 512,
    subscriptionBytes: 64,
    inflightMax: 4,
    receiveMaximum: 4,
    callbacksMax: 4,
    onMessage: (message) => {
      received += message.event.payloadByteLength;
    },
  });
  client.connect();
  StubSocket.last.callbacks.onWritable(5744);
  // CONNACK with a Topic Alias Maximum of 10.
  StubSocket.last.deliver(new Uint8Array([0x20, 6, 0, 0, 3, 0x22, 0, 10]));
  if (!client.isConnected()) throw new Error('not connected');
  host.collect();
  // Of what was made, the buffers' bytes are what the application chooses.
  const BUFFER_BYTES = 512 + 512 + 512 + 64;
  report('connected', {
    slots: host.slots() - slotsBefore,
    chunkBytes: host.chunkBytes() - chunkBytesBefore - BUFFER_BYTES,
  });

  const topic = client.createTopic(TOPIC);
  measure('publish', () => client.publish(topic, payload, 0, false));
  measure('publishSession', () => {
    client.session.publish(topic, payload, 64, 0, 0, null, 5);
    client.session.transmit.clear();
  });

  const name = topic.bytes;
  const message = new Uint8Array(2 + 2 + name.length + 1 + payload.length);
  message[0] = 0x30;
  message[1] = message.length - 2;
  message[3] = name.length;
  message.set(name, 4);
  measure('receive', () => {
    StubSocket.last.deliver(message);
  });

  const socket = StubSocket.last;
  const window = new Uint8Array(message.length);
  measure('socketWrite', () => socket.write(payload));
  measure('socketRead', () => socket.read(window));
  if (received !== 4 * payload.length) throw new Error(`received ${received} bytes`);
}

// The bench posts a message to begin.
Object.assign(globalThis, { onHostMessage: run });
