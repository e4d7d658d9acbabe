/**
 * What Moddable's TLS sockets leave to whoever uses them. They throw from within the callbacks of the TCP socket below
 * them, where nobody can catch it: a certificate that is no good would end the program. And they say that they are open
 * also when somebody on the way has cut the handshake short by an alert: what is written then goes out as it is,
 * passwords included. Both can be told from the TCP socket, which this stands in for.
 */
import type { IoOptions, Socket, SocketCallbacks } from './io.ts';

/** Gets what a guarded TLS socket does. */
export interface TlsGuardOwner {
  /** The client has changed to its cipher: what follows is encrypted. Until then nothing may be written. */
  handleEncrypted(): void;
  /** A callback threw. */
  handleThrown(error: unknown): void;
}

/** The type of the TLS record ChangeCipherSpec, its first byte. */
const CHANGE_CIPHER_SPEC = 20;

function firstByte(bytes: Uint8Array | ArrayBuffer): number {
  return ArrayBuffer.isView(bytes) ? bytes[0] : new Uint8Array(bytes)[0];
}

/** The class `io` for sockets below TLS sockets of `owner`. */
export function guardTls(io: IoOptions<Socket>['io'], owner: TlsGuardOwner): IoOptions<Socket>['io'] {
  function GuardedSocket(options: SocketCallbacks): Socket {
    const socket = new io({
      ...options,
      onReadable: (byteLength: number) => {
        try {
          options.onReadable(byteLength);
        } catch (error) {
          owner.handleThrown(error);
        }
      },
      onWritable: (byteLength: number) => {
        try {
          options.onWritable(byteLength);
        } catch (error) {
          owner.handleThrown(error);
        }
      },
    } as never);
    // eslint-disable-next-line @typescript-eslint/unbound-method -- called on the socket
    const { write } = socket;
    // Not by assignment: XS freezes what the socket inherits from, and refuses.
    Object.defineProperty(socket, 'write', {
      configurable: true,
      value: (bytes: Uint8Array) => {
        const isChanging = firstByte(bytes) === CHANGE_CIPHER_SPEC;
        // From now on the socket's own again.
        if (isChanging) Reflect.deleteProperty(socket, 'write');
        const room = write.call(socket, bytes);
        if (isChanging) owner.handleEncrypted();
        return room;
      },
    });
    return socket;
  }
  return GuardedSocket as unknown as IoOptions<Socket>['io'];
}
