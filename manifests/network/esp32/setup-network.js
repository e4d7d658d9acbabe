/**
 * In the place of the SDK's `setup/network`, which waits for the access point and then turns its back on it: connects
 * Wi-Fi, again whenever it is lost, tells `motemq/network` about it, and sets the clock once. The app starts when there is
 * a network and a clock; without them after a time, for it may have better to do than to wait.
 */
import config from 'mc/config';
import Time from 'time';
import Timer from 'timer';
import WiFi from 'embedded:network/interface/wifi';
import SNTP from 'sntp';
import network from 'motemq/network';
import { WifiKeeper } from 'motemq/wifi';

/** How long the app waits for the network, and from then on for the clock. */
const NETWORK_MS_MAX = 30000;
const CLOCK_MS_MAX = 10000;
/** A clock that says less has not been set. */
const EPOCH_MS_MIN = 1735689600000;

const timers = Object.freeze(
  {
    setTimer: (callback, ms) => Timer.set(callback, ms),
    clearTimer: (timer) => Timer.clear(timer),
  },
  true, // XS's own: freezes what is inside, too
);

export default function (done) {
  if (!config.ssid) {
    trace('no ssid: no network\n');
    done();
    return;
  }
  let isWaiting = true;
  let hasAsked = false;
  const finish = () => {
    if (!isWaiting) return;
    isWaiting = false;
    Timer.clear(patience);
    done();
  };
  const patience = Timer.set(finish, NETWORK_MS_MAX);

  const askTime = () => {
    if (hasAsked || !config.sntp || Date.now() > EPOCH_MS_MIN) {
      finish();
      return;
    }
    hasAsked = true;
    if (isWaiting) Timer.schedule(patience, CLOCK_MS_MAX);
    new SNTP({ host: config.sntp }, (message, value) => {
      if (message === SNTP.retry) return undefined;
      if (message === SNTP.time) Time.set(value);
      // Asked again with the next connection, for without a clock there is no TLS.
      else hasAsked = false;
      finish();
      return undefined;
    });
  };

  const access = { SSID: config.ssid };
  if (config.password) Object.assign(access, { password: config.password, secure: true });
  const user = {
    drop(error) {
      network.drop(error);
    },
    retry() {
      trace('network is there\n');
      network.retry();
      askTime();
    },
  };
  new WifiKeeper(WiFi, access, user, timers);
}
