/**
 * Firmware of a climate sensor on a battery: temperature and humidity when they change, the battery now and then, in
 * messages of several samples. Runs on a board, in the XS tests and in a fleet alike.
 *
 * Of `board` it wants temperature() in °C, humidity() in % and batteryVolts(); version, if there is one, is text.
 */
import { defineDevice } from 'motemq/device';

export default defineDevice({
  id: 'climate-1',
  metrics: {
    temperature: {
      unit: 'Cel',
      everyMs: 10000,
      deadband: 0.2,
      maxSilenceMs: 600000,
      digits: 1,
      read(board) {
        return board.temperature();
      },
    },
    humidity: {
      unit: '%RH',
      everyMs: 10000,
      deadband: 1,
      maxSilenceMs: 600000,
      digits: 0,
      read(board) {
        return board.humidity();
      },
    },
    battery: {
      unit: 'V',
      everyMs: 300000,
      digits: 2,
      read(board) {
        return board.batteryVolts();
      },
    },
  },
  // A message when eight samples wait, or when the oldest has waited for a minute.
  batchSamples: 8,
  batchMs: 60000,
  offlineSamples: 256,
  status(board) {
    return { firmware: 'climate', version: board.version };
  },
});
