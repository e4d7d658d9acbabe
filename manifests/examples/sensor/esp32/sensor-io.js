/**
 * The sensor's pin: an analog input of the ESP32, by ECMA-419.
 */
import Analog from 'embedded:io/analog';

export default class SensorIo {
  #input;
  #full;

  constructor(pin) {
    this.#input = new Analog({ pin });
    this.#full = 2 ** this.#input.resolution - 1;
  }

  /** 0 to 1. */
  readLevel() {
    return this.#input.read() / this.#full;
  }

  close() {
    this.#input.close();
  }
}
