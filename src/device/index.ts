/**
 * The public face of devices: what firmware files import, and what hosts run them with.
 */
export { DeviceRuntime, STOP_AND_ERASE, STOP_SILENTLY, STOP_WITH_GOODBYE } from './runtime.ts';
export type { DeviceOptions } from './setup.ts';
export type { DeviceOwner } from './owner.ts';
export type { Board, BoardReceiver, BoardTransport } from '../line.ts';
export { badArguments, checkDefinition, defineDevice } from './definition.ts';
export type { Command, CommandArguments, DeviceDefinition, MetricDefinition } from './definition.ts';
