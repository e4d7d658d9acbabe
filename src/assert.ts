/**
 * The caller's mistakes: thrown at once, naming the argument and the rule it breaks.
 */

/** An error with a stable `code`, as every error thrown by the core has. */
export interface CodedError extends Error {
  code: string;
}

/** Makes an error with a stable code; `message` names argument and rule. */
export function codedError(code: string, message: string): CodedError {
  const error = new Error(message) as CodedError;
  error.code = code;
  return error;
}

/** Throws `code: message` unless `condition` holds. */
export function check(condition: boolean, code: string, message: string): void {
  if (!condition) throw codedError(code, message);
}

/** Throws `ERR_INVALID_ARGUMENT: message` unless `condition` holds. */
export function checkArgument(condition: boolean, message: string): void {
  check(condition, 'ERR_INVALID_ARGUMENT', message);
}

/** Throws `ERR_OUT_OF_RANGE: message` unless `condition` holds. */
export function checkRange(condition: boolean, message: string): void {
  check(condition, 'ERR_OUT_OF_RANGE', message);
}

/** Throws ERR_OUT_OF_RANGE unless `value` is an integer from `min` to `max`. */
export function checkInteger(value: number, min: number, max: number, name: string): void {
  if (typeof value !== 'number' || value < min || value > max || Math.floor(value) !== value) {
    throw codedError(
      'ERR_OUT_OF_RANGE',
      name + ' must be an integer from ' + String(min) + ' to ' + String(max) + ', not ' + String(value),
    );
  }
}
