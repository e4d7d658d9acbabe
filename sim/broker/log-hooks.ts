/**
 * Hooks that put a line into a log for every client that comes, goes or is refused.
 */
import { reasonCodeName } from '../../src/packets/texts.ts';
import type { ClientView, Hooks } from './hooks.ts';
import type { Origin } from './link.ts';
import type { Log } from './options.ts';

const V5 = 5;

/** Quoted and escaped: an identifier may hold a line end. */
function quoted(text: string): string {
  // What moves a terminal's cursor but is plain text to JSON.
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e]/g,
    (character) => {
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
    },
  );
}

function placeOf({ transport, remoteAddress }: Origin): string {
  return remoteAddress === '' ? transport : `${remoteAddress} (${transport})`;
}

function coded(reasonCode: number): string {
  return `0x${reasonCode.toString(16).padStart(2, '0')} ${reasonCodeName(reasonCode)}`;
}

function nameOf({ clientId, userName }: ClientView): string {
  return userName === null ? quoted(clientId) : `${quoted(clientId)}, user ${quoted(userName)}`;
}

export function logHooks(log: Log): Hooks {
  return {
    connected(client, isSessionPresent) {
      const version = client.protocolVersion === V5 ? '5.0' : '3.1.1';
      const session = isSessionPresent ? ', session resumed' : '';
      log('info', `connected: ${nameOf(client)} from ${placeOf(client.origin)}, MQTT ${version}${session}`);
    },
    disconnected(client, reasonCode, reason) {
      const code = reasonCode === null || reasonCode === 0 ? '' : ` (${coded(reasonCode)})`;
      log('info', `disconnected: ${nameOf(client)}: ${reason}${code}`);
    },
    refused(origin, clientId, reasonCode, reason) {
      const who = clientId === '' ? '' : `${quoted(clientId)} from `;
      log('info', `refused: ${who}${placeOf(origin)}: ${reason} (${coded(reasonCode)})`);
    },
  };
}
