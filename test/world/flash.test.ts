/**
 * The modelled chip, and NVS on it: what can be changed and what it wears, and what is there when the power goes.
 */
import { describe, expect, it } from 'vitest';
import { FlashFailure, SECTOR_BYTES, SimFlash } from '../../sim/world/flash.ts';
import { SimNvs } from '../../sim/world/nvs.ts';
import type { Dice } from '../../sim/world/power.ts';
import { Power } from '../../sim/world/power.ts';
import { PowerLost } from '../../sim/world/sim-board.ts';
import { Random, SEED } from '../seed.ts';
import { ALL_DICE, NO_DICE } from './store-benches.ts';

function chip(dice: Dice = NO_DICE, sectorCount = 6): SimFlash {
  return new SimFlash(new Power(dice), { sectorCount });
}

describe('a flash chip', () => {
  it('clears bits when it is programmed, and sets them a sector at a time', () => {
    const flash = chip();
    flash.program(10, Uint8Array.of(0b11110000, 0b10101010));
    flash.program(10, Uint8Array.of(0b11001100, 0xff));
    expect([...flash.read(9, 4)]).toEqual([255, 0b11000000, 0b10101010, 255]);
    flash.program(SECTOR_BYTES, Uint8Array.of(1));
    flash.erase(0);
    expect(flash.read(0, SECTOR_BYTES).every((byte) => byte === 255)).toBe(true);
    expect([...flash.read(SECTOR_BYTES, 1)]).toEqual([1]);
  });

  it('counts what wears it out, and how long that takes', () => {
    const power = new Power(NO_DICE);
    const times = { eraseMicroseconds: 1000, programMicroseconds: 100, byteMicroseconds: 10 };
    const flash = new SimFlash(power, { sectorCount: 3, ...times });
    flash.program(0, new Uint8Array(7));
    flash.program(100, new Uint8Array(1));
    flash.erase(2);
    flash.erase(2);
    expect([...flash.erasures]).toEqual([0, 0, 2]);
    expect(flash).toMatchObject({ erasureCount: 2, programs: 2, programmedBytes: 8, busyMicroseconds: 2280 });
    expect(power).toMatchObject({ operations: 4, bytes: 8 + 4 * SECTOR_BYTES });
  });

  it('takes nothing while it fails', () => {
    const flash = chip();
    flash.isFailing = true;
    expect(() => flash.program(0, new Uint8Array(1))).toThrow(FlashFailure);
    expect(() => flash.erase(0)).toThrow(FlashFailure);
    flash.isFailing = false;
    expect([...flash.read(0, 1)]).toEqual([255]);
    expect(flash.erasureCount).toBe(0);
  });

  it('has the first bytes of what is cut, any bits of the next, and nothing more', () => {
    const old = [0xf3, 0xf3, 0xf3, 0xf3];
    const bytes = [0x0f, 0x1f, 0x2f, 0x3f];
    for (let count = 0; count < 4; count++) {
      const seen = new Set<number>();
      for (let seed = 0; seed < 200; seed++) {
        const flash = chip(new Random(SEED + seed));
        flash.program(50, Uint8Array.from(old));
        flash.power.cutAfter({ bytes: count });
        expect(() => flash.program(50, Uint8Array.from(bytes))).toThrow(PowerLost);
        for (const call of [
          () => flash.read(0, 1),
          () => flash.program(0, new Uint8Array(1)),
          () => flash.erase(0),
        ])
          expect(call).toThrow(PowerLost);
        flash.power.revive();
        const found = [...flash.read(50, 4)];
        expect(found.slice(0, count)).toEqual(bytes.slice(0, count).map((byte, i) => byte & old[i]));
        expect(found.slice(count + 1)).toEqual(old.slice(count + 1));
        seen.add(found[count]);
      }
      // Of the bits that were to be cleared, every subset.
      const cleared = old[count] & ~bytes[count];
      expect([...seen].every((byte) => (byte | cleared) === old[count])).toBe(true);
      expect(seen.size).toBe(2 ** cleared.toString(2).replaceAll('0', '').length);
    }
  });

  it('has zeros, then ones, up to where an erasure was cut', () => {
    for (const [bytes, first, behind] of [
      [0, 0x55, 0x55],
      [100, 0, 0x55],
      [SECTOR_BYTES, 0, 0],
      [SECTOR_BYTES + 100, 255, 0],
      [2 * SECTOR_BYTES - 1, 255, 0],
    ]) {
      const flash = chip();
      flash.program(SECTOR_BYTES, new Uint8Array(SECTOR_BYTES).fill(0x55));
      flash.power.cutAfter({ bytes });
      expect(() => flash.erase(1)).toThrow(PowerLost);
      flash.power.revive();
      const found = flash.read(SECTOR_BYTES, SECTOR_BYTES);
      const at = bytes % SECTOR_BYTES;
      expect(found.subarray(0, at).every((byte) => byte === first)).toBe(true);
      expect(found.subarray(at + 1).every((byte) => byte === behind)).toBe(true);
      expect([...flash.read(0, 1), ...flash.read(2 * SECTOR_BYTES, 1)]).toEqual([255, 255]);
    }
  });

  it('ends so many operations, is cut in the next, and says so once', () => {
    for (const dice of [NO_DICE, ALL_DICE]) {
      const flash = chip(dice);
      let lost = 0;
      flash.power.onLost = () => lost++;
      flash.power.cutAfter({ operations: 2 });
      flash.program(0, Uint8Array.of(1, 2));
      flash.program(2, Uint8Array.of(3));
      expect(() => flash.program(3, Uint8Array.of(0, 0))).toThrow(PowerLost);
      flash.power.cut();
      expect(lost).toBe(1);
      flash.power.revive();
      // The first byte torn with all its bits cleared; or the first whole, and the second torn with none.
      expect([...flash.read(0, 5)]).toEqual([1, 2, 3, 0, 255]);
      flash.program(5, Uint8Array.of(7));
    }
  });
});

describe('NVS', () => {
  const open = (flash: SimFlash): SimNvs => new SimNvs(flash);

  it('keeps numbers and bytes of domains apart, through restarts', () => {
    const flash = chip();
    const nvs = open(flash);
    nvs.set('wifi', 'a', 5);
    nvs.set('motemq', 'a', -5);
    nvs.set('motemq', 'b', Uint8Array.of(1, 2, 3).buffer);
    nvs.set('motemq', 'c', new ArrayBuffer(0));
    nvs.set('motemq', 'b', 70_000);
    nvs.delete('motemq', 'x');
    nvs.delete('nowhere', 'x');
    for (const one of [nvs, open(flash), open(flash)]) {
      expect(one.get('wifi', 'a')).toBe(5);
      expect(one.get('motemq', 'a')).toBe(-5);
      expect(one.get('motemq', 'b')).toBe(70_000);
      expect(one.get('motemq', 'c')).toEqual(new ArrayBuffer(0));
      expect(one.get('motemq', 'd')).toBeUndefined();
      expect(one.get('nowhere', 'a')).toBeUndefined();
      expect(one.keys('motemq').sort()).toEqual(['a', 'b', 'c']);
      expect(one.keys('nowhere')).toEqual([]);
    }
    expect(() => nvs.set('motemq', 'sixteen letters!', 1)).toThrow();
  });

  it.each([
    ['a number', 5, 1],
    ['no bytes', new ArrayBuffer(0), 2],
    ['1 byte', new ArrayBuffer(1), 3],
    ['32 bytes', new ArrayBuffer(32), 3],
    ['84 bytes', new ArrayBuffer(84), 5],
    // A page takes 4000 bytes.
    ['4001 bytes', new ArrayBuffer(4001), 2 + 126 + 1],
  ])('takes entries of 32 bytes: %s', (_, value, entries) => {
    const nvs = open(chip());
    nvs.set('motemq', 'first', 1);
    const before = nvs.usedEntries;
    // Its own, and its domain's name.
    expect(before).toBe(2);
    nvs.set('motemq', 'a', value);
    expect(nvs.usedEntries - before).toBe(entries);
    nvs.delete('motemq', 'a');
    expect(nvs.usedEntries).toBe(before);
  });

  it('takes up to what is there, keeps one page free, and loses nothing when it is full', () => {
    const flash = chip(NO_DICE, 4);
    const nvs = open(flash);
    let count = 0;
    expect(() => {
      for (;;) nvs.set('motemq', `n${count++}`, count);
    }).toThrow('no room');
    expect(nvs.usedEntries).toBe(3 * 126);
    const erasures = flash.erasureCount;
    expect(() => nvs.set('motemq', 'm', 1)).toThrow('no room');
    expect(() => nvs.set('motemq', 'm', new ArrayBuffer(500))).toThrow('no room');
    expect(flash.erasureCount).toBe(erasures);
    const again = open(flash);
    expect(again.keys('motemq')).toHaveLength(3 * 126 - 1);
    again.delete('motemq', 'n7');
    again.set('motemq', 'm', 1);
    expect(open(flash).get('motemq', 'm')).toBe(1);
  });

  it('changes nothing more after the chip failed, until it is opened again', () => {
    const flash = chip();
    const nvs = open(flash);
    nvs.set('motemq', 'a', 1);
    flash.isFailing = true;
    expect(() => nvs.set('motemq', 'b', new ArrayBuffer(100))).toThrow(FlashFailure);
    flash.isFailing = false;
    expect(() => nvs.set('motemq', 'c', 1)).toThrow('refused');
    expect(() => nvs.delete('motemq', 'a')).toThrow('refused');
    const again = open(flash);
    again.set('motemq', 'c', 1);
    expect(again.keys('motemq')).toEqual(['a', 'c']);
  });

  it('reads no bytes that have changed', () => {
    const flash = chip();
    const nvs = open(flash);
    nvs.set('motemq', 'a', new Uint8Array(40).fill(255).buffer);
    nvs.set('motemq', 'n', 1);
    // Head, table, the domain's name, what 'a' begins with: its bytes are behind that.
    flash.program(64 + 3 * 32, Uint8Array.of(254));
    expect(nvs.get('motemq', 'a')).toBeUndefined();
    flash.program(64 + 5 * 32 + 24, Uint8Array.of(0));
    expect(open(flash).keys('motemq')).toEqual(['a']);
  });
});
