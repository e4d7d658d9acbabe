/**
 * The session's deadlines: milliseconds on the caller's clock, which the state has as `…AtMs`.
 */

/** A deadline that is not running. */
export const NEVER = Infinity;
