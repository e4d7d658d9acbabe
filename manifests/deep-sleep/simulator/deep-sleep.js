/**
 * Deep sleep where there is none: RAM stays as it is, and the app is told to start over.
 */
import Timer from 'timer';

/** Calls `wake` in `ms`; the app must have closed what it had open, and must not use what it had in RAM. */
export default function deepSleep(ms, wake) {
  trace(`asleep for ${ms} ms\n`);
  Timer.set(wake, ms);
}
