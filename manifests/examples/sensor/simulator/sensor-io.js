/**
 * A pin that there is not: it swings once an hour.
 */
const HOUR_MS = 3600000;

export default class SensorIo {
  /** 0 to 1. */
  readLevel() {
    return 0.5 + 0.5 * Math.sin(((Date.now() % HOUR_MS) / HOUR_MS) * 2 * Math.PI);
  }

  close() {}
}
