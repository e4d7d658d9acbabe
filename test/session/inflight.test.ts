/**
 * Finding the slot of a packet identifier, wherever in the slots it is.
 */
import { describe, expect, it } from 'vitest';
import { AWAIT_PUBACK } from '../../src/session/delivery.ts';
import { Inflight } from '../../src/session/inflight.ts';

function slotsOf(packetIds: readonly number[]): Inflight {
  const inflight = new Inflight(64);
  for (const packetId of packetIds) inflight.add(packetId, AWAIT_PUBACK, -1, packetId);
  return inflight;
}

/** Identifiers that are found in the slot that has them. */
function found(inflight: Inflight, packetIds: readonly number[]): number[] {
  return packetIds.filter((packetId) => {
    const at = inflight.find(packetId);
    return at >= 0 && inflight.packetId(at) === packetId;
  });
}

describe('a slot is found by its packet identifier', () => {
  it.each([
    ['one after the other', [7, 8, 9, 10]],
    ['beyond the largest', [65533, 65534, 65535, 1, 2]],
    ['with identifiers left out that others use', [7, 9, 10, 14]],
    ['in any order', [9, 7, 10, 8]],
  ])('when they are %s', (_, packetIds) => {
    const inflight = slotsOf(packetIds);
    expect(found(inflight, packetIds)).toEqual(packetIds);
    expect(inflight.find(30)).toBe(-1);
    inflight.free(inflight.find(packetIds[0]));
    inflight.free(inflight.find(packetIds[2]));
    expect(found(inflight, packetIds)).toEqual(packetIds.filter((_id, i) => i !== 0 && i !== 2));
    expect(inflight.find(packetIds[2])).toBe(-1);
  });

  it('and not when there is none', () => {
    expect(slotsOf([]).find(1)).toBe(-1);
  });
});
