/**
 * Random numbers from the operating system, gathered in blocks.
 */
import { randomFillSync } from 'node:crypto';

const words = new Uint32Array(1024);
let index = words.length;

/** An integer, 0 to 4,294,967,295. */
export function systemRandom(): number {
  if (index === words.length) {
    randomFillSync(words);
    index = 0;
  }
  return words[index++];
}
