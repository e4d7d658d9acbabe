/**
 * TypeScript sources made ready for the bundler: what a file exports and imports, and constants moved to where the
 * bundler writes their values in place of their names.
 */
import { dirname, resolve } from 'node:path';
import ts from 'typescript';

/** Where imports of constants lead, so that they find their values and nothing else. */
export const CONSTANTS = 'constants';
/** Where imports from a layer below lead, so that each name is imported once. */
export const LAYER = 'layer';

/** What one file of TypeScript exports by name, and which of its constants are numbers, texts and truth values. */
export interface Contents {
  /** What it declares and exports. */
  names: string[];
  /** What it exports and other files declare. */
  passedOn: string[];
  /** Files of which it exports all that they do. */
  stars: string[];
  /** Exported or not: the text of the value. */
  constants: Map<string, string>;
}

export type ContentsAt = (path: string) => Contents;

function isExported(node: ts.Statement): boolean {
  const modifiers = ts.canHaveModifiers(node) ? ts.getModifiers(node) : undefined;
  return modifiers?.some((one) => one.kind === ts.SyntaxKind.ExportKeyword) === true;
}

/** The text of a value that can stand wherever its name does, or undefined. */
function constantText(node: ts.Expression | undefined): string | undefined {
  if (node === undefined) return undefined;
  const isSigned = ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.MinusToken;
  const value = isSigned ? node.operand : node;
  const isValue =
    ts.isNumericLiteral(value) ||
    (ts.isIdentifier(value) && value.text === 'Infinity') ||
    (!isSigned && (ts.isStringLiteral(value) || /^(true|false)$/.test(value.getText())));
  return isValue ? node.getText() : undefined;
}

/** The names and texts of the constants that a statement declares; undefined when it declares anything else. */
function constantsOf(statement: ts.Statement): Map<string, string> | undefined {
  if (!ts.isVariableStatement(statement) || !(statement.declarationList.flags & ts.NodeFlags.Const)) {
    return undefined;
  }
  const found = new Map<string, string>();
  for (const { name, initializer } of statement.declarationList.declarations) {
    const text = constantText(initializer);
    if (text === undefined) return undefined;
    found.set(name.getText(), text);
  }
  return found;
}

/** The specifier of an `export * from`. */
function starOf(statement: ts.Statement): string | undefined {
  if (!ts.isExportDeclaration(statement) || statement.exportClause !== undefined || statement.isTypeOnly) {
    return undefined;
  }
  const specifier = statement.moduleSpecifier;
  return specifier !== undefined && ts.isStringLiteral(specifier) ? specifier.text : undefined;
}

export function contentsOf(path: string, text: string): Contents {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: Contents = { names: [], passedOn: [], stars: [], constants: new Map() };
  for (const statement of source.statements) {
    const star = starOf(statement);
    if (star !== undefined) found.stars.push(resolve(dirname(path), star));
    const named = namedImportOf(statement);
    if (named?.keyword === 'export') {
      for (const one of named.elements) if (!one.isTypeOnly) found.passedOn.push(one.name.text);
    }
    for (const [name, value] of constantsOf(statement) ?? []) found.constants.set(name, value);
    if (!isExported(statement)) continue;
    if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations) found.names.push(name.getText());
    } else if ((ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) && statement.name) {
      const isDefault = ts.getModifiers(statement)?.some((one) => one.kind === ts.SyntaxKind.DefaultKeyword);
      found.names.push(isDefault === true ? 'default' : statement.name.text);
    }
  }
  return found;
}

/** An import or export-from of named values from a file beside: its names and its specifier. */
export interface NamedImport {
  keyword: 'import' | 'export';
  elements: readonly ts.ImportOrExportSpecifier[];
  specifier: string;
}

export function namedImportOf(statement: ts.Statement): NamedImport | undefined {
  const isImport = ts.isImportDeclaration(statement);
  if (!isImport && !ts.isExportDeclaration(statement)) return undefined;
  const bindings = isImport ? statement.importClause?.namedBindings : statement.exportClause;
  const isTypeOnly = isImport
    ? statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
    : statement.isTypeOnly;
  const specifier = statement.moduleSpecifier;
  if (isTypeOnly || bindings === undefined || specifier === undefined || !ts.isStringLiteral(specifier)) {
    return undefined;
  }
  if (!ts.isNamedImports(bindings) && !ts.isNamedExports(bindings)) return undefined;
  const elements: readonly ts.ImportOrExportSpecifier[] = bindings.elements;
  return { keyword: isImport ? 'import' : 'export', elements, specifier: specifier.text };
}

/** Exports of everything that the file at `path` exports, by name: what is in another module, no bundler can look up. */
function exportAll(path: string, contentsAt: ContentsAt): string {
  const { names, passedOn, stars, constants } = contentsAt(path);
  const list = (isConstant: boolean): string =>
    [...names, ...passedOn]
      .filter((one) => one !== 'default' && constants.has(one) === isConstant)
      .join(', ');
  return [
    `export { ${list(true)} } from ${JSON.stringify(`${CONSTANTS}:${path}`)};`,
    `export { ${list(false)} } from ${JSON.stringify(path)};`,
    ...stars.map((one) => exportAll(one, contentsAt)),
  ].join('');
}

/**
 * The text with its constants gone, and an import of them from `constants:` and the file's path in their place; and
 * with the constants of other files split off their imports in the same way. For a bundler puts a value in place of
 * its name only when it comes from another file, and only when that file is in the same bundle.
 */
export function moveConstants(path: string, text: string, contentsAt: ContentsAt): string {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  let result = text;
  const replace = (node: ts.Node, by: string): void => {
    result = result.slice(0, node.getStart()) + by + result.slice(node.getEnd());
  };
  // From the end, so that what was found before stays where it is.
  for (const statement of [...source.statements].reverse()) {
    const constants = constantsOf(statement);
    if (constants !== undefined) {
      const list = `{ ${[...constants.keys()].join(', ')} }`;
      const from = `from ${JSON.stringify(`${CONSTANTS}:${path}`)};`;
      replace(statement, `import ${list} ${from}${isExported(statement) ? `export ${list} ${from}` : ''}`);
      continue;
    }
    const star = starOf(statement);
    if (star !== undefined) {
      replace(statement, exportAll(resolve(dirname(path), star), contentsAt));
      continue;
    }
    const named = namedImportOf(statement);
    if (!named?.specifier.startsWith('.')) continue;
    const from = resolve(dirname(path), named.specifier);
    const theirs = contentsAt(from).constants;
    const isConstant = (one: ts.ImportOrExportSpecifier): boolean =>
      theirs.has((one.propertyName ?? one.name).text);
    const write = (some: readonly ts.ImportOrExportSpecifier[], specifier: string): string => {
      const list = some.map((one) => one.getText()).join(', ');
      return list === '' ? '' : `${named.keyword} { ${list} } from ${JSON.stringify(specifier)};`;
    };
    const values = named.elements.filter((one) => !one.isTypeOnly);
    replace(
      statement,
      write(values.filter(isConstant), `${CONSTANTS}:${from}`) +
        write(
          values.filter((one) => !isConstant(one)),
          named.specifier,
        ),
    );
  }
  return result;
}
