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

function isOperation(node: ts.Node, operator: ts.SyntaxKind): node is ts.BinaryExpression {
  return ts.isBinaryExpression(node) && node.operatorToken.kind === operator;
}

/** Whether an expression is a number, whatever its operands are. */
function isBits(node: ts.Node): boolean {
  if (ts.isParenthesizedExpression(node)) return isBits(node.expression);
  return ts.isBinaryExpression(node) && /^([&|^]|<<|>>>?)$/.test(node.operatorToken.getText());
}

/** An expression of which only matters whether it is true: bits need not be compared with 0. */
function testOf(node: ts.Expression): string {
  if (ts.isParenthesizedExpression(node)) return `(${testOf(node.expression)})`;
  if (!ts.isBinaryExpression(node)) return plain(node);
  const { left, right } = node;
  const operator = node.operatorToken.getText();
  if (operator === '&&' || operator === '||') return `${testOf(left)} ${operator} ${testOf(right)}`;
  if (!isBits(left) || right.getText() !== '0') return plain(node);
  if (operator === '!==' || operator === '!=') return plain(left);
  return operator === '===' || operator === '==' ? `!${plain(left)}` : plain(node);
}

/** `a && b` as the head of statements: `if (a) if (b) `. */
function headOf(condition: ts.Expression): string {
  if (!isOperation(condition, ts.SyntaxKind.AmpersandAmpersandToken)) return `if (${testOf(condition)}) `;
  return headOf(condition.left) + headOf(condition.right);
}

/** An expression whose value nobody wants, as statements. */
function statementsOf(expression: ts.Expression): string {
  if (ts.isParenthesizedExpression(expression)) return statementsOf(expression.expression);
  if (isOperation(expression, ts.SyntaxKind.CommaToken)) {
    return `${statementsOf(expression.left)} ${statementsOf(expression.right)}`;
  }
  if (isOperation(expression, ts.SyntaxKind.AmpersandAmpersandToken)) {
    return `${headOf(expression.left)}{ ${statementsOf(expression.right)} }`;
  }
  if (isOperation(expression, ts.SyntaxKind.BarBarToken)) {
    return `if (!(${testOf(expression.left)})) { ${statementsOf(expression.right)} }`;
  }
  if (ts.isConditionalExpression(expression)) {
    const { condition, whenTrue, whenFalse } = expression;
    return `if (${testOf(condition)}) { ${statementsOf(whenTrue)} } else { ${statementsOf(whenFalse)} }`;
  }
  return `${plain(expression)};`;
}

/** What stands before the last comma of an expression as statements, and what stands behind it. */
function splitAtComma(expression: ts.Expression): [before: string, value: ts.Expression] {
  if (!isOperation(expression, ts.SyntaxKind.CommaToken)) return ['', expression];
  return [`${statementsOf(expression.left)} `, expression.right];
}

/** Returning the value of an expression. */
function returnOf(expression: ts.Expression): string {
  const [before, value] = splitAtComma(expression);
  if (ts.isParenthesizedExpression(value)) return before + returnOf(value.expression);
  if (!ts.isConditionalExpression(value)) return `${before}return ${plain(value)};`;
  return `${before}${headOf(value.condition)}{ ${returnOf(value.whenTrue)} } ${returnOf(value.whenFalse)}`;
}

/** The statement as one or more that do the same, or undefined when it stays as it is. */
function plainStatements(node: ts.Node): string | undefined {
  if (ts.isExpressionStatement(node)) return statementsOf(node.expression);
  if (ts.isReturnStatement(node) && node.expression !== undefined) return returnOf(node.expression);
  if (!ts.isIfStatement(node)) return undefined;
  const [before, condition] = splitAtComma(node.expression);
  if (node.elseStatement === undefined) return before + headOf(condition) + plain(node.thenStatement);
  const otherwise = plain(node.elseStatement);
  return `${before}if (${testOf(condition)}) ${plain(node.thenStatement)} else ${otherwise}`;
}

/** Whether an expression is the condition of a loop or of a choice between two values. */
function isTest(node: ts.Node): node is ts.Expression {
  const { parent } = node;
  if (ts.isForStatement(parent) || ts.isConditionalExpression(parent)) return parent.condition === node;
  return (ts.isWhileStatement(parent) || ts.isDoStatement(parent)) && parent.expression === node;
}

/** `{ a, b } = this`, declared, as `a = this.a, b = this.b`; undefined when it is anything else. */
function plainDeclaration(node: ts.Node): string | undefined {
  if (!ts.isVariableDeclaration(node) || !ts.isObjectBindingPattern(node.name)) return undefined;
  const { name, initializer } = node;
  if (initializer === undefined) return undefined;
  const from = plain(initializer);
  if (name.elements.length > 1 && !/^\w+$/.test(from)) return undefined;
  const texts: string[] = [];
  for (const { dotDotDotToken, propertyName, name: own, initializer: standard } of name.elements) {
    const isSimple = dotDotDotToken === undefined && standard === undefined && ts.isIdentifier(own);
    const property = propertyName ?? own;
    if (!isSimple || !ts.isIdentifier(property)) return undefined;
    texts.push(`${own.text} = ${from}.${property.text}`);
  }
  return texts.join(', ');
}

/** The text of a node, with everything in it written as `writePlainly` says. */
function plain(node: ts.Node): string {
  if (ts.isVoidExpression(node) && node.expression.getText() === '0') return 'undefined';
  if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
    if (node.operand.getText() === '0') return 'true';
    if (node.operand.getText() === '1') return 'false';
  }
  if (isOperation(node, ts.SyntaxKind.LessThanLessThanToken) && /^\d+ << \d+$/.test(node.getText())) {
    return String(Number(node.left.getText()) << Number(node.right.getText()));
  }
  const declaration = plainDeclaration(node);
  if (declaration !== undefined) return declaration;
  const statements = plainStatements(node);
  if (statements !== undefined) {
    const { parent } = node;
    const isInList = ts.isBlock(parent) || ts.isSourceFile(parent) || ts.isCaseOrDefaultClause(parent);
    return isInList ? statements : `{ ${statements} }`;
  }
  let text = '';
  let at = node.getStart();
  const source = node.getSourceFile().text;
  ts.forEachChild(node, (child) => {
    text += source.slice(at, child.getStart()) + (isTest(child) ? testOf(child) : plain(child));
    at = child.getEnd();
  });
  return text + source.slice(at, node.getEnd());
}

/**
 * The bundled text with what the bundler has made shorter written out again, where that is less for XS to do: `true`,
 * `false` and `undefined` are one instruction each, for `if (a && b)` it keeps a value that `if (a) if (b)` has not, bits are
 * true or not without being compared, and taking properties by a pattern costs ten instructions more than by their names.
 */
export function writePlainly(text: string): string {
  const source = ts.createSourceFile('module.js', text, ts.ScriptTarget.Latest, true);
  return text.slice(0, source.getStart()) + plain(source);
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
