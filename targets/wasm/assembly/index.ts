/**
 * What the module exports. It has no memory, no data and no state of its own: every address comes in.
 */
export { encodePublishes } from './encode';
export { scan } from './scan';
