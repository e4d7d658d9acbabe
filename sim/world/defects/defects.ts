/**
 * All deliberate defects, in the order in which they are told. What is done with them: docs/reliability.md.
 */
import { BROKER_DEFECTS } from './broker-defects.ts';
import { CLIENT_DEFECTS } from './client-defects.ts';
import type { Defect } from './defect.ts';

export const DEFECTS: readonly Defect[] = [...CLIENT_DEFECTS, ...BROKER_DEFECTS];
