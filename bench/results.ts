/**
 * What a run has measured, as its JSON has it. Benches that were not wanted are missing. Every ratio: larger is better
 * for us.
 */
import type { AllocationFigures } from './allocation/allocation-bench.ts';
import type { ClientResult } from './client/client-bench.ts';
import type { Numbers } from './codec.ts';
import type { ConnectionResult } from './connections/connections-bench.ts';
import type { FleetFigures } from './connections/fleet-bench.ts';
import type { ManyFigures } from './connections/many-child.ts';
import type { Curve } from './growth/growth-bench.ts';
import type { Noise } from './measure.ts';

export interface Results {
  codec?: Record<string, Numbers>;
  wasm?: Numbers;
  client?: Record<string, ClientResult>;
  connection?: ConnectionResult;
  fleet?: Record<string, FleetFigures>;
  many?: ManyFigures;
  allocation?: Record<string, AllocationFigures>;
  growth?: Record<string, Curve>;
  run: RunFigures;
}

/** Where and when it was measured. */
export interface RunFigures {
  /** `2025-06-21`. */
  date: string;
  node: string;
  cores: number;
  seconds: number;
  noise?: Noise | undefined;
}
