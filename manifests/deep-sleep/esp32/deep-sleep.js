/**
 * Deep sleep on an ESP32: the SDK's System.deepSleep does nothing there. The chip's timer wakes it, and the app starts
 * from the beginning, with nothing in RAM.
 */

/** Sleeps for `ms`, 1 to 2,592,000,000 (30 days), and does not return. `wake` is not called: the board starts anew. */
export default function deepSleep(ms, wake) {
  return native('xs_motemq_deep_sleep').call(this, ms, wake);
}
