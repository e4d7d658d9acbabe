/**
 * A callback client on a played board, with a diary of what it calls.
 */
import { expect } from 'vitest';
import { CallbackClient } from '../../src/callbacks/callback-client.ts';
import type { CallbackClientOptions } from '../../src/callbacks/callback-client.ts';
import { PlayedBoard } from '../support/played-board.ts';

export interface Stage {
  board: PlayedBoard;
  client: CallbackClient;
  /** What was called, in order. */
  diary: unknown[];
  take(): unknown[];
  done(name: string): (status: number, reasonCode: number) => void;
}

export function stage(options: CallbackClientOptions = {}, protocolVersion: 4 | 5 = 5): Stage {
  const board = new PlayedBoard(protocolVersion);
  const diary: unknown[] = [];
  const client = new CallbackClient(board, {
    clientId: 'c',
    protocolVersion,
    onConnected: ({ sessionPresent }) => diary.push(['connected', sessionPresent]),
    onDisconnected: ({ cause }) => diary.push(['disconnected', cause]),
    onMessage: (received) => diary.push([received.topicName(), received.text()]),
    onWritable: () => diary.push('writable'),
    onError: ({ kind, status, reasonCode }) => diary.push(['error', kind, status, reasonCode]),
    ...options,
  });
  return {
    board,
    client,
    diary,
    take: () => diary.splice(0),
    done: (name) => (status, reasonCode) => diary.push([name, status, reasonCode]),
  };
}

/** A stage whose client is connected, with an empty diary. */
export function connected(
  options: CallbackClientOptions = {},
  connack = {},
  protocolVersion: 4 | 5 = 5,
): Stage {
  const made = stage(options, protocolVersion);
  made.client.connect();
  made.board.accept(connack);
  expect(made.take()).toEqual([['connected', 0]]);
  return made;
}
