/** The module `system` of a board: makes the global `device`, where configuration is put. */
globalThis.device = Object.freeze({ ...globalThis.device });

export default {};
