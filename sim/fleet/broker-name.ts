/**
 * Asks a server what it is, by the retained message that Mosquitto and its kin keep on `$SYS/broker/version`. On a
 * connection of its own: some servers close one that subscribes to what it may not.
 */
import { Driver } from '../../src/client/driver.ts';
import type { Platform } from '../../src/client/platform.ts';
import {
  EVENT_CONNECTED,
  EVENT_DISCONNECTED,
  EVENT_MESSAGE,
  type SessionEvent,
} from '../../src/session/event.ts';
import { FilterList, subscriptionOptions } from '../../src/session/filter-list.ts';
import { decodeUtf8 } from '../../src/wire/utf8.ts';
import type { FleetSettings } from './settings.ts';

const VERSION_TOPIC = '$SYS/broker/version';
/** A server that knows answers at once. */
const ANSWER_MS_MAX = 1000;
const NAME_BYTES_MAX = 60;

/** Resolves with `mosquitto 2.0.11`, or undefined where the server does not say. */
export function askBrokerName(
  platform: Platform,
  settings: FleetSettings,
  protocolVersion: number,
  clientId: string,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    let name: string | undefined;
    const end = (): void => {
      clearTimeout(timer);
      driver.close();
      resolve(name);
    };
    const timer = setTimeout(end, ANSWER_MS_MAX);
    const handleEvent = (event: SessionEvent): void => {
      if (event.kind === EVENT_CONNECTED) {
        const filters = new FilterList(new Uint8Array(64));
        filters.add(VERSION_TOPIC, subscriptionOptions(0, false, false, 0));
        driver.subscribe(filters, 0, null);
      } else if (event.kind === EVENT_MESSAGE && event.fragmentOffset === 0) {
        const { bytes, payloadOffset } = event;
        const byteLength = Math.min(event.payloadByteLength, NAME_BYTES_MAX);
        name = decodeUtf8(bytes, payloadOffset, payloadOffset + byteLength).replace(' version ', ' ');
        driver.disconnect(0, -1);
      } else if (event.kind === EVENT_DISCONNECTED) {
        end();
      }
    };
    const { userName, password } = settings;
    const options = { protocolVersion, clientId, userName, password, reconnect: false } as const;
    const driver = new Driver(platform, options, {}, { handleEvent });
    driver.connect();
  });
}
