/** What store-process.mjs needs of the sources. */
export { openLmdbStore } from '../../sim/broker/lmdb-store.ts';
export { Message } from '../../sim/broker/message.ts';
