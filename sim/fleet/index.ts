/**
 * The fleet simulator: a run, its result, and the ways to show it.
 */
export { runFleet, type FleetObserver } from './fleet.ts';
export { FleetError } from './failure.ts';
export type { FleetOptions } from './settings.ts';
export { FLEET_RESULT_FORMAT } from './report.ts';
export type {
  FleetBroker,
  FleetBytes,
  FleetConnections,
  FleetEvent,
  FleetEventKind,
  FleetFirmware,
  FleetHost,
  FleetMachines,
  FleetMemory,
  FleetOutlier,
  FleetOutliers,
  FleetProtocol,
  FleetRates,
  FleetReportOptions,
  FleetResult,
  FleetSpread,
  FleetTimeline,
} from './report.ts';
export type { DeviceTotals, LatencyBin, LatencySummary, LedgerTotals, Verdict } from './ledger.ts';
export { ProgressView, renderPlainProgress, renderProgress, wantsColour } from './progress.ts';
export type { ProgressSnapshot, ProgressStream } from './progress.ts';
export { renderHtmlReport } from './report-html.ts';
export { renderSummary, type SummaryOptions } from './summary.ts';
