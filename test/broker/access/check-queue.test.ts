/**
 * Work with a bound: how much is under way, in which order, and when no more is taken.
 */
import { describe, expect, it } from 'vitest';
import { CheckQueue } from '../../../sim/broker/access/check-queue.ts';

/** Tasks that end when they are told to. */
class Tasks {
  readonly begun: string[] = [];
  private readonly ends = new Map<string, (error?: Error) => void>();

  task(name: string): () => Promise<string> {
    return () =>
      new Promise((resolve, reject) => {
        this.begun.push(name);
        this.ends.set(name, (error) => (error === undefined ? resolve(name) : reject(error)));
      });
  }

  end(name: string, error?: Error): void {
    this.ends.get(name)!(error);
  }
}

describe('the queue', () => {
  it('has so many at once, and the others wait in their order', async () => {
    const [queue, tasks] = [new CheckQueue(2, 10), new Tasks()];
    const results = ['a', 'b', 'c', 'd'].map((name) => queue.run(tasks.task(name)));
    expect(tasks.begun).toEqual(['a', 'b']);
    tasks.end('b');
    expect(await results[1]).toBe('b');
    await Promise.resolve();
    expect(tasks.begun).toEqual(['a', 'b', 'c']);
    tasks.end('a');
    await results[0];
    tasks.end('c');
    expect(await results[2]).toBe('c');
    tasks.end('d');
    expect(await results[3]).toBe('d');
  });

  it('takes no more when too many wait, and again when fewer do', async () => {
    const [queue, tasks] = [new CheckQueue(1, 1), new Tasks()];
    const first = queue.run(tasks.task('a'));
    const second = queue.run(tasks.task('b'));
    expect(queue.run(tasks.task('c'))).toBeNull();
    tasks.end('a');
    await first;
    const third = queue.run(tasks.task('d'));
    expect(third).not.toBeNull();
    tasks.end('b');
    await second;
    tasks.end('d');
    expect(await third).toBe('d');
    expect(tasks.begun).toEqual(['a', 'b', 'd']);
  });

  it('goes on after a failure', async () => {
    const [queue, tasks] = [new CheckQueue(1, 1), new Tasks()];
    const first = queue.run(tasks.task('a'));
    const second = queue.run(tasks.task('b'));
    tasks.end('a', new Error('no'));
    await expect(first).rejects.toThrow('no');
    tasks.end('b');
    expect(await second).toBe('b');
    const third = queue.run(tasks.task('c'));
    expect(tasks.begun).toEqual(['a', 'b', 'c']);
    tasks.end('c');
    await third;
  });
});
