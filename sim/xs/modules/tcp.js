/** The module `embedded:io/socket/tcp` of a board. */
export default globalThis.host.TCP;
