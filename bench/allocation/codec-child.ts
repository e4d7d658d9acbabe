/**
 * What encoding and decoding allocate: `node --expose-gc --min-semi-space-size=… codec-child.js`, a process whose young heap
 * is so large that nothing is collected meanwhile. Tells its parent the bytes for each operation.
 */
import { CASES } from '../codec-cases.ts';
import { worksOf } from '../codec.ts';
import { sink, type Work } from '../measure.ts';

/** Bytes of heap and of buffers outside it for one operation. */
export interface CodecAllocation {
  readonly name: string;
  readonly title: string;
  readonly encode: number;
  readonly decode: number;
  readonly theirEncode: number;
  readonly theirDecode: number;
}

const WARM_UP = 100_000;
const COUNT = 10_000;

function bytesOf(work: Work): number {
  sink.sum += work(WARM_UP);
  globalThis.gc?.();
  const before = process.memoryUsage();
  sink.sum += work(COUNT);
  const after = process.memoryUsage();
  const bytes = after.heapUsed - before.heapUsed + after.external - before.external;
  // Asking for it allocates some hundred bytes by itself.
  return bytes < COUNT ? 0 : bytes / COUNT;
}

const results: CodecAllocation[] = CASES.map((one) => {
  const { encode, decode, theirEncode, theirDecode } = worksOf(one);
  return {
    name: one.name,
    title: one.title,
    encode: bytesOf(encode),
    decode: bytesOf(decode),
    theirEncode: bytesOf(theirEncode),
    theirDecode: bytesOf(theirDecode),
  };
});
process.send?.(results);
