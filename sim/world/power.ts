/**
 * The power behind a device's storage: when it goes, and how far the operation came that it went in. One for each
 * device; whatever the device writes to asks it. Knows no medium.
 */
import { PowerLost } from './sim-board.ts';

/** Where random numbers come from: 0 up to and without `count`. */
export interface Dice {
  below(count: number): number;
}

/** What is still done before the power goes: so many operations, or so many bytes, whichever comes first. */
export interface PowerLimit {
  /** Operations that end; the one behind them is cut somewhere within. */
  operations?: number;
  /** Bytes that change; the one behind them may be torn. An operation without bytes counts for none. */
  bytes?: number;
}

export class Power {
  readonly dice: Dice;
  isLost = false;
  /** Operations that ended, and bytes they changed, in all lives. */
  operations = 0;
  bytes = 0;
  /** Called when the power goes. */
  onLost: (() => void) | undefined;
  private operationsLeft = Infinity;
  private bytesLeft = Infinity;

  /** `dice` says how far what is cut came, and which bits of a torn byte are there. */
  constructor(dice: Dice) {
    this.dice = dice;
  }

  /** Sets when the power goes, counted from now; replaces what was set before. */
  cutAfter(limit: PowerLimit): void {
    this.operationsLeft = limit.operations ?? Infinity;
    this.bytesLeft = limit.bytes ?? Infinity;
  }

  /** The power goes now, between two operations. */
  cut(): void {
    if (this.isLost) return;
    this.isLost = true;
    this.onLost?.();
  }

  /** The power is back, for good unless `cutAfter` says otherwise. */
  revive(): void {
    this.isLost = false;
    this.cutAfter({});
  }

  /** Throws PowerLost when there is no power. */
  check(): void {
    if (this.isLost) throw new PowerLost();
  }

  /**
   * Begins an operation that is to change `byteLength` bytes, in order. Returns `byteLength`: it will end. Or -1 - count:
   * only the first `count` bytes change, the one behind them may be torn, and then the operation has to `lose`.
   */
  begin(byteLength: number): number {
    this.check();
    if (this.operationsLeft === 0) return -1 - this.dice.below(byteLength);
    if (this.bytesLeft < byteLength) return -1 - this.bytesLeft;
    this.operationsLeft--;
    this.bytesLeft -= byteLength;
    this.operations++;
    this.bytes += byteLength;
    return byteLength;
  }

  /** The power goes in the middle of an operation. */
  lose(): never {
    this.cut();
    throw new PowerLost();
  }
}
