/**
 * The public face of `motemq/broker`.
 */
export { AccessFileError } from './access/access-file.ts';
export { Broker, type RestartOptions, type StopOptions } from './broker.ts';
export type { Faults, LocalPublishOptions, SessionView } from './core.ts';
export type { Counters, Gauges } from './counters.ts';
export type * from './hooks.ts';
export { LIMITS, LIMIT_NAMES, type Limit, type LimitName, type Limits } from './limits.ts';
export type { LinkTransport, Origin } from './link.ts';
export type { Listener } from './listeners.ts';
export type { Message } from './message.ts';
export type { BrokerOptions, Log, LogLevel, ShareStrategy, TlsOptions } from './options.ts';
export { StoreError, type StoreErrorCode } from './store-error.ts';
