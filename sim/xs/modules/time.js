/** The module `time` of a board, as far as programs here use it. */
export default globalThis.host.Time;
