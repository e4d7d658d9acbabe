/**
 * A thread of a campaign: runs the worlds it is given, one after the other, and answers each with its result.
 */
import { parentPort } from 'node:worker_threads';
import { runWorld, type WorldOptions } from './world.ts';

parentPort?.on('message', (options: WorldOptions) => {
  void runWorld(options).then((result) => parentPort?.postMessage(result));
});
