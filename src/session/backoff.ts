/**
 * How long to wait before the next attempt to connect: doubling, with jitter, up to a maximum. A thousand devices
 * that lost the same access point must not come back in the same millisecond.
 */

/**
 * Milliseconds to wait after `attempts` that failed, 0 and more: from half of the step to the whole of it. The step is
 * `firstMs`, doubled for each attempt, `maximumMs` at most; `random` an integer, 0 to 4,294,967,295 or the same signed.
 */
export function backoffMs(attempts: number, firstMs: number, maximumMs: number, random: number): number {
  let stepMs = firstMs;
  for (; attempts > 0 && stepMs < maximumMs; attempts--) stepMs *= 2;
  if (stepMs > maximumMs) stepMs = maximumMs;
  const half = Math.floor(stepMs / 2);
  return stepMs - half + Math.floor((half * (random >>> 0)) / 4294967296);
}
