/**
 * Where things are in the table that the scan fills, as assembly/scan.ts writes them: rows of four words of 32 bits, one
 * to four for a packet.
 *
 * | word | PUBLISH                                       | acknowledgements, lists, PINGRESP        |
 * |------|-----------------------------------------------|------------------------------------------|
 * | 0    | head: flags, kind, lengths, alias (see below) | kind; from bit 16 the reason code        |
 * | 1    | offset of the packet                          | the same                                 |
 * | 2    | length of the Topic Name; from bit 16 the id  | packet type; from bit 16 the identifier  |
 * | 3    | offset of the payload                         | offset of the properties                 |
 * | 4    | PUBLISH_FULL: which properties are there      | which properties are there               |
 * | 5, 6 |                                               | values of Reason String, User Property   |
 * | 7    |                                               | SUBACK, UNSUBACK: offset of the codes    |
 * | 8-15 | values of rows 0 to 5, alias, User Property   |                                          |
 *
 * Of a PUBLISH's head bits 0 to 3 are the flags as the packet has them, 4 to 7 the kind, 8 to 11 the length of the fixed
 * header, 12 to 15 those of Packet Identifier and Property Length together, from 16 on the alias where it is the only
 * property, or 0. A packet ends where that of the next row begins.
 */

/** Kinds, as they are in the head: up to PUBLISH_FULL a PUBLISH, from ASK on nothing that is described. */
export const PUBLISH_BARE = 0x00;
export const PUBLISH_FULL = 0x10;
export const ACK = 0x20;
export const ACK_FULL = 0x30;
export const LIST = 0x40;
export const PING = 0x50;
export const ASK = 0x60;
export const MORE = 0x70;

/** The most a packet takes, and the row behind the last packet. */
export const ROWS_BYTES_MIN = 80;
