/**
 * The other end of guest/remote.ts: has an application in an XS machine do things, and waits for what it tells.
 */
import type { XsMachine } from '../../sim/xs/machine.ts';
import { eventually, withDeadline } from '../support/wait.ts';
import { startShipped, type ShippedOptions } from './shipped.ts';

const CALL_MS_MAX = 20_000;

/** What happened, and its values. */
export type Told = [what: string, ...values: any[]];

interface Call {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

export class Remote {
  readonly machine: XsMachine;
  /** What was told and not taken yet. */
  private readonly told: Told[];
  private readonly calls: Call[];

  private constructor(machine: XsMachine, told: Told[], calls: Call[]) {
    this.machine = machine;
    this.told = told;
    this.calls = calls;
    void machine.ended.then((error) => {
      for (const call of calls.splice(0)) call.reject(error ?? new Error('the machine was stopped'));
    });
  }

  /** With the application of this path, as startShipped takes it. `listeners` are told of what is not kept. */
  static async start(
    application: string,
    options: ShippedOptions,
    listeners: Record<string, (remote: Remote) => void> = {},
  ): Promise<Remote> {
    const made: { remote?: Remote } = {};
    const told: Told[] = [];
    const calls: Call[] = [];
    const machine = await startShipped(application, {
      ...options,
      onMessage: (bytes) => {
        const message = JSON.parse(Buffer.from(bytes).toString()) as Told;
        const [what, value, code, reasonCode] = message;
        if (what === 'done') calls.shift()?.resolve(value);
        else if (what === 'failed') {
          calls.shift()?.reject(Object.assign(new Error(String(value)), { code, reasonCode }));
        } else if (what in listeners) listeners[what](made.remote!);
        else told.push(message);
      },
    });
    return (made.remote = new Remote(machine, told, calls));
  }

  /** Has a verb done; settles as it does. Verbs are answered in the order in which they are called. */
  call(verb: string, ...args: unknown[]): Promise<any> {
    const answer = new Promise((resolve, reject) => {
      this.calls.push({ resolve, reject });
    });
    this.machine.post(Buffer.from(JSON.stringify([verb, ...args]))).catch(() => undefined);
    return withDeadline(answer, CALL_MS_MAX, `the answer to ${verb}`);
  }

  /** Waits for the next thing of this name, takes it, and returns its values. */
  async next(what: string): Promise<any[]> {
    const find = (): number => this.told.findIndex(([one]) => one === what);
    await eventually(() => find() >= 0, {
      what: `"${what}"; there is ${JSON.stringify(this.told)}`,
      withinMs: CALL_MS_MAX,
    });
    return this.told.splice(find(), 1)[0].slice(1);
  }

  /** What was told under this name and not taken. */
  all(what: string): any[][] {
    return this.told.filter(([one]) => one === what).map(([, ...values]) => values);
  }

  stop(): Promise<void> {
    return this.machine.stop();
  }
}
