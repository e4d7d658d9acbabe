/**
 * Wi-Fi that goes and comes back: who is told, once, and how the device gets connected again.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { WifiKeeper, WifiWatch } from '../../../targets/moddable/wifi.ts';
import { PlayedClock } from './played-clock.ts';

let diary: string[];
const user = {
  drop: (error: Error): void => void diary.push(`drop: ${error.message}`),
  retry: (): void => void diary.push('retry'),
};

beforeEach(() => {
  diary = [];
});

describe('a watch', () => {
  it('reads the messages of the module wifi', () => {
    const watch = new WifiWatch(user);
    for (const told of ['start', 'connect', 'gotIP', 'station_connect', 'disconnect', 'lostIP', 'connect']) {
      watch.handleNotify(told);
    }
    expect(diary).toEqual(['retry', 'drop: the network is gone']);
    watch.handleNotify('gotIP');
    watch.handleNotify('lostIP');
    expect(diary.slice(2)).toEqual(['retry', 'drop: the network is gone']);
  });

  it("reads ECMA-419's states", () => {
    const watch = new WifiWatch(user);
    for (const state of [500, 400, 200, 300, 400, 500]) watch.handleConnection(state);
    expect(diary).toEqual(['retry', 'drop: the network is gone', 'retry']);
  });
});

describe('a keeper', () => {
  let clock: PlayedClock;

  /** ECMA-419's Wi-Fi as on an ESP32: it connects when told to, and after a loss does nothing by itself. */
  class PlayedWifi {
    static last: PlayedWifi;
    static atStart = 200;
    static isUnwilling = false;
    connection = PlayedWifi.atStart;
    isClosed = false;
    private readonly onChanged: (property: string) => void;
    constructor({ onChanged }: { onChanged: (property: string) => void }) {
      this.onChanged = onChanged;
      PlayedWifi.last = this;
    }
    connect(access: object): void {
      expect(access).toEqual({ SSID: 'home', password: 'secret' });
      diary.push('connect');
      if (PlayedWifi.isUnwilling) throw new Error('connect failed');
      this.connection = 300;
    }
    disconnect(): void {
      diary.push('disconnect');
      this.connection = 200; // of which it says nothing
    }
    close(): void {
      this.isClosed = true;
    }
    become(connection: number): void {
      this.connection = connection;
      this.onChanged('connection');
    }
  }

  function keep(): { wifi: PlayedWifi; keeper: WifiKeeper } {
    const access = { SSID: 'home', password: 'secret' };
    const keeper = new WifiKeeper(PlayedWifi, access, user, {
      setTimer: (callback, ms) => clock.set(callback, ms),
      clearTimer: (timer) => clock.clear(timer as never),
    });
    return { wifi: PlayedWifi.last, keeper };
  }

  beforeEach(() => {
    clock = new PlayedClock();
    PlayedWifi.atStart = 200;
    PlayedWifi.isUnwilling = false;
  });

  it('connects a device that is not', () => {
    const { wifi } = keep();
    wifi.become(400);
    wifi.become(500);
    expect(diary).toEqual(['connect', 'drop: the network is gone', 'retry']);
    expect(clock.left).toEqual([]);
  });

  it('leaves a connected device alone until it loses its connection', () => {
    PlayedWifi.atStart = 500;
    const { wifi } = keep();
    clock.advance(1e6);
    expect(diary).toEqual([]);
    wifi.become(200);
    expect(diary).toEqual(['drop: the network is gone']);
    clock.advance(4999);
    expect(diary).toHaveLength(1);
    clock.advance(1);
    wifi.become(500);
    expect(diary.slice(1)).toEqual(['connect', 'retry']);
    clock.advance(1e6);
    expect(diary).toHaveLength(3);
  });

  it('goes on trying', () => {
    PlayedWifi.atStart = 500;
    const { wifi } = keep();
    wifi.become(200);
    for (let attempt = 0; attempt < 3; attempt++) {
      clock.advance(5000);
      wifi.become(200);
    }
    PlayedWifi.isUnwilling = true;
    clock.advance(15_000);
    expect(diary).toEqual(['drop: the network is gone', ...Array.from({ length: 6 }, () => 'connect')]);
  });

  it('begins anew when an attempt comes to nothing', () => {
    const { wifi } = keep();
    wifi.become(400);
    clock.advance(30_000);
    expect(diary).toEqual(['connect', 'drop: the network is gone', 'disconnect']);
    clock.advance(5000);
    expect(diary.slice(3)).toEqual(['connect']);
    wifi.become(500);
    expect(clock.left).toEqual([]);
  });

  it('stops when it is closed', () => {
    const { wifi, keeper } = keep();
    keeper.close();
    expect(wifi.isClosed).toBe(true);
    expect(clock.left).toEqual([]);
  });
});
