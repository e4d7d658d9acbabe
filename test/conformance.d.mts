/** Types of conformance.mjs, for the test of it. */

export type Side = 'client' | 'server';

/** A file by its path from the root of the repository, with `/`. */
export interface SurveyedFile {
  path: string;
  text: string;
}

export interface Statement {
  id: string;
  level: string;
  binds: Side | 'both';
  /** `path:line` of every test that names it. */
  places: Record<Side, string[]>;
  /** Why a side has no test. */
  reasons: Partial<Record<Side, string>>;
}

export interface Survey {
  statements: Statement[];
  problems: string[];
}

export const STATEMENTS_FILE: string;
export const NOT_PROVED_FILE: string;
export function readFiles(root: string): SurveyedFile[];
export function survey(files: readonly SurveyedFile[]): Survey;
export function bindsSide(statement: Pick<Statement, 'binds'>, side: string): boolean;
export function report(result: Survey): string[];
export function markdown(result: Survey): string;
