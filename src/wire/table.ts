/**
 * Tables of numbers written as text: on XS a list of numbers takes ten bytes of code for each, a digit of a text one.
 */

/**
 * Fills `table` with the numbers that `text` spells, `digits` hexadecimal digits each, and returns it. What the text
 * does not reach stays 0.
 */
export function fillTable<Table extends Uint8Array | Uint16Array>(
  table: Table,
  digits: number,
  text: string,
): Table {
  for (let at = 0; at < text.length; at += digits) {
    table[at / digits] = parseInt(text.substring(at, at + digits), 16);
  }
  return table;
}
