/**
 * A sensor on a battery: wakes, connects, sends its reading, hears the commands that came while it slept, and sleeps again.
 * What the server did not acknowledge before the power went is in flash, and goes out at the next wake.
 */
import config from 'mc/config';
import Preference from 'preference';
import Timer from 'timer';
import deepSleep from 'motemq/deep-sleep';
import { createDevice } from 'motemq/device';
import { FlashStore, preferenceValues } from 'motemq/flash-store';
import network from 'motemq/network';
import addressOf from 'broker-address';
import firmware from 'firmware';
import SensorIo from 'sensor-io';

/** Without a server by then, the board sleeps and tries again with the next reading. */
const AWAKE_MS_MAX = 20000;
/** What the last packet takes to leave the board. */
const GOODBYE_MS = 300;
const SLEEP_MS_MIN = 1000;

function wake() {
  const io = new SensorIo(Number(config.pin));
  let isLeaving = false;

  const sleep = () => {
    if (isLeaving) return;
    isLeaving = true;
    const ms = Math.max(SLEEP_MS_MIN, device.nextSampleInMs());
    device.sleep(ms); // says so on the status topic, and disconnects; the session stays
    Timer.clear(patience);
    Timer.set(() => {
      network.remove(device.line);
      io.close();
      deepSleep(ms, wake);
    }, GOODBYE_MS);
  };

  const device = createDevice(
    firmware,
    {
      ...addressOf(config.broker),
      id: config.id,
      store: new FlashStore(preferenceValues(Preference, 'motemq')),
      // Messages are numbered over all wakes, so that a gap shows.
      sequence: Preference.get('sensor', 'sequence') ?? 0,
    },
    io,
    {
      handleConnected: (sessionPresent) => trace(`connected, session ${sessionPresent ? 'kept' : 'new'}\n`),
      handleDisconnected: ({ reconnectInMs }) => trace(`disconnected, again in ${reconnectInMs} ms\n`),
      handleSent: (sequence) => Preference.set('sensor', 'sequence', sequence + 1),
      handlePublished: (sequence) => trace(`reading ${sequence} is with the server\n`),
      handleCommand: (name, isOk) => trace(`command ${name} ${isOk ? 'done' : 'failed'}\n`),
      handleError: (code, message) => trace(`${code}: ${message}\n`),
      handleIdle: sleep,
    },
  );
  const patience = Timer.set(sleep, AWAKE_MS_MAX);
  network.add(device.line);
  device.start();
}

wake();
