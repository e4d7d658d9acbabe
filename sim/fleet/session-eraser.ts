/**
 * Makes a 3.1.1 server forget sessions that it would otherwise keep for ever: by connecting once more with a clean one.
 */
import { Driver } from '../../src/client/driver.ts';
import type { Platform } from '../../src/client/platform.ts';
import { V3_1_1 } from '../../src/packets/types.ts';
import { EVENT_CONNECTED, EVENT_DISCONNECTED, type SessionEvent } from '../../src/session/event.ts';
import type { FleetSettings } from './settings.ts';

/** So many at once. */
const BATCH = 100;
const CONNECT_TIMEOUT_MS = 3000;

/** Resolves when it was tried for each of `clientIds`; that one of them does not connect is nobody's failure any more. */
export async function forgetSessions(
  platform: Platform,
  settings: FleetSettings,
  clientIds: readonly string[],
): Promise<void> {
  for (let first = 0; first < clientIds.length; first += BATCH) {
    const batch = clientIds.slice(first, first + BATCH);
    await Promise.all(batch.map((clientId) => forgetSession(platform, settings, clientId)));
  }
}

function forgetSession(platform: Platform, settings: FleetSettings, clientId: string): Promise<void> {
  return new Promise((resolve) => {
    const { userName, password } = settings;
    const driver = new Driver(
      platform,
      {
        protocolVersion: V3_1_1,
        clientId,
        cleanStart: true,
        userName,
        password,
        reconnect: false,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
      },
      { transmitBytes: 512 },
      {
        handleEvent(event: SessionEvent): void {
          if (event.kind === EVENT_CONNECTED) driver.disconnect(0, -1);
          if (event.kind !== EVENT_DISCONNECTED) return;
          driver.close(); // takes its timer with it
          resolve();
        },
      },
    );
    driver.connect();
  });
}
