/**
 * Bytes that a Topic Alias keeps off the wire, message by message. Runs here and in XS machines alike.
 */

/** Of the property: identifier and two bytes of number. */
const ALIAS_BYTES = 3;

export class AliasSavings {
  private isKnown = false;

  /** A connection begins: the server knows no aliases. */
  reset(): void {
    this.isKnown = false;
  }

  /** What the alias saved in the message that was sent last; below 0 in the one that announced it; 0 without one. */
  take(alias: number, topicByteLength: number): number {
    if (alias === 0) return 0;
    const saved = this.isKnown ? topicByteLength - ALIAS_BYTES : -ALIAS_BYTES;
    this.isKnown = true;
    return saved;
  }
}
