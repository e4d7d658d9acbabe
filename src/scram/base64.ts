/**
 * Base64 (RFC 4648, 4): with padding, and nothing that is not canonical.
 */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const group = (bytes[i] << 16) | (left > 1 ? bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
    text += ALPHABET.charAt(group >> 18) + ALPHABET.charAt((group >> 12) & 63);
    text += left > 1 ? ALPHABET.charAt((group >> 6) & 63) : '=';
    text += left > 2 ? ALPHABET.charAt(group & 63) : '=';
  }
  return text;
}

/** The bytes that `text` stands for, or null when it is not Base64, or not the one form that its bytes have. */
export function decodeBase64(text: string): Uint8Array | null {
  const length = text.length;
  if ((length & 3) !== 0) return null;
  let count = (length >> 2) * 3;
  let digits = length;
  while (digits > 0 && length - digits < 2 && text.charAt(digits - 1) === '=') {
    digits--;
    count--;
  }
  const bytes = new Uint8Array(count);
  let bits = 0;
  let bitCount = 0;
  let at = 0;
  for (let i = 0; i < digits; i++) {
    const value = ALPHABET.indexOf(text.charAt(i));
    if (value < 0) return null;
    bits = ((bits << 6) | value) & 0xfff;
    bitCount += 6;
    if (bitCount >= 8) {
      bitCount -= 8;
      bytes[at++] = bits >> bitCount;
    }
  }
  // Bits of the last digit that belong to no byte.
  return (bits & ((1 << bitCount) - 1)) === 0 ? bytes : null;
}
