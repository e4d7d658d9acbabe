/** The module `timer` of a board. */
export default globalThis.host.Timer;
