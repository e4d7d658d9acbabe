/**
 * The modules and globals of the Moddable SDK that are used here, as far as they are used.
 */

declare module 'timer' {
  const Timer: {
    /** Calls `callback` once, `ms` (31 bits) from now; the default is as soon as nothing else runs. */
    set(callback: () => void, ms?: number): object;
    /** Undefined, and a timer that has gone off, are ignored. */
    clear(timer: object | undefined): void;
  };
  export default Timer;
}

declare module 'crypt' {
  /** A hash that is written to piece by piece. */
  export class Digest {
    constructor(type: 'SHA256');
    reset(): void;
    write(bytes: ArrayBuffer | ArrayBufferView): void;
    /** The hash of what was written since `reset`, which has to come before the next `write`. */
    close(): ArrayBuffer;
  }
}

declare module 'time' {
  const Time: {
    /** Milliseconds from any beginning: 32 bits with a sign on a board, the date in the simulators. */
    readonly ticks: number;
  };
  export default Time;
}

/** Of ECMA-419: what this device has, by name. An application's or a board's configuration sets it. */
declare const device:
  | {
      readonly network?: Readonly<
        Record<string, Partial<import('./socket-transport.ts').SocketOptions> | undefined>
      >;
    }
  | undefined;
