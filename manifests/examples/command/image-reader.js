/**
 * A large message piece by piece, as firmware from afar comes: hashed, and forgotten. A product would write the pieces to
 * its second partition, and start from there once the hash is the one it was told. Knows no MQTT.
 */
import { Digest } from 'crypt';

export default class ImageReader {
  #digest = new Digest('SHA256');
  #offset = 0;
  #startMs = Date.now();

  /** Takes the piece at `offset`. Throws when one is missing: a connection ended in the middle of the message. */
  add(offset, bytes) {
    if (offset !== this.#offset) throw new Error(`the piece at ${this.#offset} is missing`);
    this.#digest.write(bytes);
    this.#offset += bytes.byteLength;
  }

  /** What was read. */
  finish() {
    const hash = new Uint8Array(this.#digest.close());
    let sha256 = '';
    for (const byte of hash) sha256 += (byte < 16 ? '0' : '') + byte.toString(16);
    return { byteLength: this.#offset, sha256, ms: Date.now() - this.#startMs };
  }
}
