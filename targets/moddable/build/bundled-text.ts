/**
 * JavaScript as it leaves the bundler, made fit for preloading into ROM.
 */
import ts from 'typescript';
import { CONSTANTS, LAYER, namedImportOf } from './source-text.ts';

/** The names that JavaScript imports, by specifier. */
export function importsOf(text: string): Map<string, string[]> {
  const source = ts.createSourceFile('module.js', text, ts.ScriptTarget.Latest, true);
  const imports = new Map<string, string[]>();
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) continue;
    const specifier = statement.moduleSpecifier;
    if (specifier === undefined || !ts.isStringLiteral(specifier)) continue;
    const names = namedImportOf(statement)?.elements.map((one) => (one.propertyName ?? one.name).text) ?? [];
    imports.set(specifier.text, [...(imports.get(specifier.text) ?? []), ...names]);
  }
  return imports;
}

function isAssignment(kind: ts.SyntaxKind): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

/**
 * The bundled text made fit for preloading: what the bundler declares as variables are constants again, and tables are
 * frozen to the bottom. What is not would cost RAM for each table, and a warning of the linker. Throws when a variable
 * of the module is assigned to: preloaded modules have no state.
 */
export function freeze(text: string): string {
  const source = ts.createSourceFile('module.js', text, ts.ScriptTarget.Latest, true);
  const edits: [at: number, end: number, text: string][] = [];
  const names = new Set<string>();
  for (const statement of source.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    const list = statement.declarationList;
    edits.push([list.getStart(), list.getStart() + list.getText().search(/\s/), 'const']);
    for (const { name, initializer } of list.declarations) {
      names.add(name.getText());
      if (initializer === undefined) throw new Error(`${name.getText()} is a variable without a value`);
      if (ts.isArrayLiteralExpression(initializer) || ts.isObjectLiteralExpression(initializer)) {
        edits.push([initializer.getStart(), initializer.getStart(), 'Object.freeze(']);
        // The second argument is XS's: freeze what is inside, too.
        edits.push([initializer.getEnd(), initializer.getEnd(), ', true)']);
      }
    }
  }
  const visit = (node: ts.Node): void => {
    const target =
      ts.isBinaryExpression(node) && isAssignment(node.operatorToken.kind)
        ? node.left
        : (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) &&
            (node.operator === ts.SyntaxKind.PlusPlusToken || node.operator === ts.SyntaxKind.MinusMinusToken)
          ? node.operand
          : undefined;
    if (target !== undefined && ts.isIdentifier(target) && names.has(target.text)) {
      throw new Error(`${target.text} may be assigned to: preloaded modules have no state`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  let result = text;
  for (const [at, end, by] of edits.sort((a, b) => b[0] - a[0])) {
    result = result.slice(0, at) + by + result.slice(end);
  }
  return result;
}

/** What `object.property = constant` assigns to which object, as text; undefined when it is anything else. */
function constantAssignment(node: ts.Expression): { object: string; value: ts.Expression } | undefined {
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.EqualsToken) return undefined;
  if (!ts.isPropertyAccessExpression(node.left)) return undefined;
  const isConstant = /^(-?\d+|!0|!1|null|1 \/ 0)$/.test(node.right.getText());
  return isConstant ? { object: node.left.expression.getText(), value: node.right } : undefined;
}

/**
 * The bundled text with `a.b = 0, a.c = 0` written as `a.b = a.c = 0`, which XS does in two thirds of the byte code:
 * constructors are made of it.
 */
export function chainAssignments(text: string): string {
  const source = ts.createSourceFile('module.js', text, ts.ScriptTarget.Latest, true);
  const edits: [at: number, end: number][] = [];
  const visit = (node: ts.Node): void => {
    ts.forEachChild(node, visit);
    if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.CommaToken) return;
    // a, b, c is (a, b), c: what stands before is at the end of the left side.
    const { left, right } = node;
    const isList = ts.isBinaryExpression(left) && left.operatorToken.kind === ts.SyntaxKind.CommaToken;
    const before = constantAssignment(isList ? left.right : left);
    const after = constantAssignment(right);
    if (before === undefined || before.object !== after?.object) return;
    if (before.value.getText() !== after.value.getText()) return;
    edits.push([before.value.getStart(), right.getStart()]);
  };
  visit(source);
  let result = text;
  for (const [at, end] of edits.sort(([a], [b]) => b - a)) result = result.slice(0, at) + result.slice(end);
  return result;
}

/** The text with one import for each module, at its beginning. */
export function joinImports(text: string): string {
  const source = ts.createSourceFile('module.js', text, ts.ScriptTarget.Latest, true);
  const lists = new Map<string, string[]>();
  let rest = text;
  for (const statement of [...source.statements].reverse()) {
    const named = namedImportOf(statement);
    if (named?.keyword !== 'import') continue;
    const list = named.elements.map((one) => one.getText());
    lists.set(named.specifier, [...list, ...(lists.get(named.specifier) ?? [])]);
    rest = rest.slice(0, statement.getStart()) + rest.slice(statement.getEnd() + 1);
  }
  return [...lists]
    .map(([specifier, list]) => `import { ${list.sort().join(', ')} } from ${JSON.stringify(specifier)};\n`)
    .sort()
    .concat(rest)
    .join('')
    .replace(new RegExp(`^// (${CONSTANTS}|${LAYER}):.*\\n+`, 'gm'), '');
}
