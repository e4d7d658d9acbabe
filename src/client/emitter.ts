/**
 * Typed events, the few that a client needs, on any engine.
 */

type Listener<T> = (value: T) => void;

export class Emitter<Events extends object> {
  /** Made when the first listener comes: most of a fleet's clients have none. */
  private listeners: Map<keyof Events, Listener<never>[]> | undefined = undefined;

  /** Calls `listener` at every `name` from now on; returns what takes it off again. */
  on<K extends keyof Events>(name: K, listener: Listener<Events[K]>): () => void {
    this.listeners ??= new Map();
    // A new list: who is told at the moment is not told of by those who listen from now on.
    this.listeners.set(name, [...(this.listeners.get(name) ?? []), listener]);
    return () => {
      this.off(name, listener);
    };
  }

  /** Calls `listener` at the next `name` only. */
  once<K extends keyof Events>(name: K, listener: Listener<Events[K]>): () => void {
    const off = this.on(name, (value) => {
      off();
      listener(value);
    });
    return off;
  }

  off<K extends keyof Events>(name: K, listener: Listener<Events[K]>): void {
    const list = this.listeners?.get(name);
    const at = list === undefined ? -1 : list.indexOf(listener);
    // A new list: one that is being gone through must not lose its place.
    if (list !== undefined && at >= 0) {
      this.listeners?.set(
        name,
        list.filter((_, i) => i !== at),
      );
    }
  }

  /** Whether anybody listens. */
  has(name: keyof Events): boolean {
    return (this.listeners?.get(name)?.length ?? 0) > 0;
  }

  /** Tells every listener; what one throws is thrown outside, after the others were told. */
  protected emit<K extends keyof Events>(name: K, value: Events[K]): void {
    for (const listener of this.listeners?.get(name) ?? [])
      callSafely(() => {
        (listener as Listener<Events[K]>)(value);
      });
  }
}

/**
 * Calls an application's function from within the client: an exception becomes an unhandled rejection, which engines
 * report, instead of leaving the client's own loop halfway through.
 */
export function callSafely(call: () => void): void {
  try {
    call();
  } catch (error) {
    void Promise.reject(error);
  }
}
