/**
 * What a device's machine finds under names of its own.
 */

/** The module `motemq/device` that ships for boards. */
declare module 'fleet/device' {
  export const createDevice: typeof import('../../../targets/moddable/device.ts').createDevice;
  export const STOP_AND_ERASE: typeof import('../../../src/device/index.ts').STOP_AND_ERASE;
}

/** The firmware file. */
declare module 'fleet/firmware' {
  const definition: import('../../../src/device/index.ts').DeviceDefinition<object>;
  export default definition;
}
