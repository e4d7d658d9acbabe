/** What broker-process.mjs needs of the sources. */
export { Broker } from '../../sim/broker/broker.ts';
export { LmdbWriter } from '../../sim/broker/lmdb-writer.ts';
