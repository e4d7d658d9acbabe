/**
 * Whether the password of a CONNECT is the user's: one after the other, because each check takes a thread and 16 MiB, and
 * only once for those that come back with a password that was right. Knows no address and no reason code.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { CheckQueue } from './check-queue.ts';
import { isPassword } from './password-hash.ts';
import type { Users } from './users-file.ts';

/** Node does such work on four threads, where files are read and written too. */
const AT_ONCE_MAX = 2;
/** About as many as have their turn before they are given up, after 10 seconds: `connectTimeoutMs`. */
const WAITING_MAX = 256;
/** Passwords remembered as right. */
const RIGHT_MAX = 10_000;

/** `dropped`: nobody wants to know any more. `busy`: too many wait. */
export type PasswordResult = 'right' | 'wrong' | 'dropped' | 'busy';

export class PasswordCheck {
  private readonly queue: CheckQueue;
  /**
   * Keyed digests of hash and password that belong together, the oldest first: ten thousand devices that all come back
   * at once would else keep the processor busy for minutes. The key never leaves the process, nor do they.
   */
  private readonly right = new Set<string>();
  private readonly key = randomBytes(32);

  constructor(waitingMax = WAITING_MAX) {
    this.queue = new CheckQueue(AT_ONCE_MAX, waitingMax);
  }

  /** `isWanted` is asked when it is this one's turn. An unknown name takes as long as one that is known. */
  async check(
    users: Users,
    userName: string,
    password: Uint8Array,
    isWanted: () => boolean,
  ): Promise<PasswordResult> {
    const expected = users.passwordOf(userName);
    if (expected === null) return 'wrong';
    const { hash, isDecoy } = expected;
    const digest = createHmac('sha256', this.key).update(`${hash.text}\n`).update(password).digest('base64');
    if (this.right.has(digest) && !isDecoy) return 'right';
    const result = this.queue.run(async (): Promise<PasswordResult> => {
      if (!isWanted()) return 'dropped';
      const isRight = await isPassword(password, hash);
      return isRight && !isDecoy ? 'right' : 'wrong';
    });
    if (result === null) return 'busy';
    if ((await result) === 'right') this.remember(digest);
    return result;
  }

  private remember(digest: string): void {
    this.right.add(digest);
    if (this.right.size <= RIGHT_MAX) return;
    for (const oldest of this.right) {
      this.right.delete(oldest);
      return;
    }
  }
}
