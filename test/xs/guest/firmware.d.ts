/**
 * The module that a test hands to device-app.ts.
 */
declare module 'firmware' {
  const firmware: import('../../../src/device/index.ts').DeviceDefinition<any>;
  export default firmware;
}
