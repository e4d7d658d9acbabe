/**
 * What runs in a device's machine that is not preloaded: as short as a board's `main` should be.
 */
import { start } from './guest.ts';

start();
