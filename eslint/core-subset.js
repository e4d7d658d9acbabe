/**
 * The language the core may use, as ESLint rules. The files in `src/` (but for `src/client/` and
 * `src/packets/inspect*.ts`) run unchanged under XS on an ESP32, under Espruino, and in Node: what one of those engines
 * cannot run, shares by accident, freezes, or pays for on every message is an error here, and each message says which
 * engine and why. Knows nothing of types: every rule reads the syntax, so it works on a snippet as well.
 *
 * "Espruino" below means firmware 2v29 as it was tried, "XS" Moddable SDK 8.2 on an ESP32.
 */

/** The core, and what is in `src/` without being part of it. */
export const coreFiles = ['src/**/*.ts'];
export const coreIgnores = ['src/client/**', 'src/packets/inspect*.ts'];

/** The rooms where code runs per packet: no function may be made there while another one runs. */
const closureFreeFiles = ['src/wire/**/*.ts', 'src/packets/**/*.ts', 'src/session/**/*.ts', 'src/topic.ts'];

/** The one place that chooses between an engine's native copy and a loop. */
const nativeCopyFiles = ['src/wire/bytes.ts'];

/** One row of no-restricted-syntax. */
function ban(selector, message) {
  return { selector, message };
}

// --- Syntax -----------------------------------------------------------------------------------------------------

/** Words that Espruino's parser does not take as the name of a method. */
const KEYWORDS =
  'break|case|catch|class|const|continue|debugger|default|delete|do|else|export|extends|false|finally|for|function|if|' +
  'import|in|instanceof|let|new|null|return|static|super|switch|this|throw|true|try|typeof|var|void|while|with|yield';

/** `new` of one of these at module level makes a table; the rule module-state sees to it that it stays one. */
const TYPED_ARRAYS =
  'Uint8Array|Int8Array|Uint16Array|Int16Array|Uint32Array|Int32Array|Float32Array|Float64Array';

/** Selectors for the initial value of a module-level constant, exported or not. */
function moduleLevelValue(selector) {
  return [
    `Program > VariableDeclaration > VariableDeclarator > ${selector}.init`,
    `Program > ExportNamedDeclaration > VariableDeclaration > VariableDeclarator > ${selector}.init`,
  ].join(', ');
}

const STATE_BELONGS_TO =
  'XS preloads modules into ROM and freezes what they hold, and Espruino shares it between all sessions. ' +
  'Make it in the constructor of the object it belongs to.';

const bannedSyntax = [
  // Functions.
  ban(
    ':function[async=true], AwaitExpression, ForOfStatement[await=true]',
    'async/await: Espruino cannot parse it, and on XS every call allocates a promise. Return a status and be polled.',
  ),
  ban(
    ':function[generator=true], YieldExpression',
    'Generator: Espruino cannot parse it, and on XS every call allocates. Keep the position in a field.',
  ),
  ban(
    ':function > AssignmentPattern.params',
    'Default parameter: Espruino ignores or rejects it. Pass the argument, or test for undefined in the body.',
  ),
  ban(
    ':function > RestElement.params',
    'Rest parameter: Espruino cannot parse it, and on XS every call allocates an array. Name the parameters.',
  ),
  ban(
    'ObjectPattern, ArrayPattern',
    'Destructuring (declaration, assignment, parameter or loop): Espruino cannot parse it. Read the members one by one.',
  ),
  ban(
    'SpreadElement',
    'Spread: Espruino cannot parse it, and on XS it allocates. Copy with a loop, or pass the arguments by name.',
  ),
  ban('MetaProperty', 'new.target and import.meta: Espruino has neither. Pass in what you want to know.'),
  ban(
    'ImportExpression',
    'import(): Espruino has no modules of its own to load, and XS links them before the start.',
  ),

  // Operators and literals.
  ban(
    'ChainExpression',
    'Optional chaining `?.`: Espruino cannot parse it. Test for undefined or null first.',
  ),
  ban(
    'BinaryExpression[operator="**"], AssignmentExpression[operator="**="]',
    'Operator `**`: Espruino cannot parse it. Shift, multiply, or use Math.pow.',
  ),
  ban(
    'AssignmentExpression[operator=/^(\\?\\?|\\|\\||&&)=$/]',
    'Logical assignment (`??=`, `||=`, `&&=`): Espruino cannot parse it. Write the if.',
  ),
  ban('Literal[bigint]', 'BigInt: Espruino has none. Use two 32-bit halves, or a number below 2^53.'),
  ban(
    'TaggedTemplateExpression',
    'Tagged template: Espruino cannot parse it. Call the function with arguments.',
  ),

  // Classes.
  ban(
    'PrivateIdentifier',
    '#private name: Espruino cannot parse it. Use the TypeScript keyword `private`, which leaves no trace.',
  ),
  ban(
    'ClassDeclaration[superClass], ClassExpression[superClass]',
    'Inheritance: Espruino supports one level only, and looks each method up along the chain. Hold the other object.',
  ),
  ban(
    'PropertyDefinition[value], AccessorProperty',
    'Initialised field: Espruino shares its value between all instances, and a static one is state of the module, which ' +
      'XS freezes at preload. Declare the field without a value and assign it in the constructor.',
  ),
  ban(
    'PropertyDefinition[static=true]:not([value]), StaticBlock',
    'Static state: XS freezes preloaded classes, and Espruino has no static blocks. Use a constant of the module.',
  ),
  ban(
    'PropertyDefinition[definite=true]',
    'Field with `!`: nobody checks that it is assigned, and Espruino has no uninitialised fields. Assign it in the constructor.',
  ),
  ban(
    'MethodDefinition[kind=/^(get|set)$/], Property[kind=/^(get|set)$/]',
    'Getter or setter: it hides a call in what reads like a field, on XS and Espruino a slow one. Write a method.',
  ),
  ban(
    'MethodDefinition[computed=true], PropertyDefinition[computed=true], Property[computed=true]',
    'Computed key: Espruino cannot parse it in a class or an object literal. Assign to `object[key]`.',
  ),
  ban(
    `MethodDefinition[computed=false][key.name=/^(${KEYWORDS})$/], Property[method=true][key.name=/^(${KEYWORDS})$/]`,
    'Method named like a keyword: Espruino cannot parse it. Choose another name.',
  ),

  // Statements.
  ban('LabeledStatement', 'Label: Espruino cannot parse it. Return from a function, or test a flag.'),
  ban(
    'SwitchCase:not([test]) ~ SwitchCase',
    '`case` after `default`: Espruino never reaches it. Put `default` last.',
  ),
  ban(
    'VariableDeclaration[kind="var"]',
    '`var`: Espruino hoists nothing, so it means something else there. Use let or const.',
  ),
  ban(
    'VariableDeclaration[kind=/using/]',
    '`using`: neither Espruino nor XS can parse it. Release the resource by a call.',
  ),

  // Module state.
  ban(
    'Program > VariableDeclaration[kind="let"], Program > ExportNamedDeclaration > VariableDeclaration[kind="let"]',
    `Variable at module level: ${STATE_BELONGS_TO}`,
  ),
  ban(
    [
      moduleLevelValue('ArrayExpression[elements.length=0]'),
      moduleLevelValue('ObjectExpression[properties.length=0]'),
      moduleLevelValue(`NewExpression:not([callee.name=/^(${TYPED_ARRAYS})$/])`),
    ].join(', '),
    `Something to be filled or changed, at module level: ${STATE_BELONGS_TO} (Tables, that is typed arrays and literals ` +
      'which are complete once the module has run, are welcome.)',
  ),
];

/** On top, where code runs per packet. */
const bannedClosures = [
  ban(
    ':function :function, :function ClassExpression, :function ClassDeclaration',
    'Function made inside a function: on XS and Espruino every call allocates a closure, on the path of every packet. ' +
      'Make it a method, or a function of the module.',
  ),
];

// --- Globals ----------------------------------------------------------------------------------------------------

/** Rows of no-restricted-globals: the same message for each of `names`. */
function banGlobals(names, message) {
  return names.split(' ').map((name) => ({ name, message }));
}

const bannedGlobals = [
  ...banGlobals('Map Set WeakMap WeakSet', 'Espruino has none. Use arrays or typed arrays of a fixed size.'),
  ...banGlobals('WeakRef FinalizationRegistry', 'Espruino has none. Release what you hold by a call.'),
  ...banGlobals('Symbol Proxy Reflect', 'Espruino has none. Use plain methods with names.'),
  ...banGlobals('BigInt BigInt64Array BigUint64Array', 'Espruino has none. Use two 32-bit halves.'),
  ...banGlobals(
    'TextEncoder TextDecoder',
    'Espruino has none, nor has a base app on XS. Use src/wire/utf8.ts.',
  ),
  ...banGlobals(
    'Promise queueMicrotask',
    'Espruino has half of it, XS allocates one a call. Return a status, be polled.',
  ),
  ...banGlobals(
    'setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate',
    'A base app on XS has no timers, and a simulator could not move the time. Take nowMs and answer with a deadline.',
  ),
  ...banGlobals(
    'Date performance',
    'The core has no clock of its own, a simulator passes the time in: take nowMs.',
  ),
  ...banGlobals('console', 'A base app on XS has none. Return a status or an event.'),
  ...banGlobals(
    'Buffer process require',
    'Only Node has it; XS and Espruino do not. Belongs in targets/node.',
  ),
  ...banGlobals(
    'crypto structuredClone URL AbortController fetch Intl Atomics SharedArrayBuffer WebAssembly',
    'Neither Espruino nor a base app on XS has it. Take what it gives as an argument.',
  ),
  ...banGlobals(
    'globalThis self window global',
    'A way around this list: name what you need, or take it as an argument.',
  ),
];

// --- Properties -------------------------------------------------------------------------------------------------

/** Rows of no-restricted-properties: the same message for each of the `object.property` in `names`. */
function banProperties(names, message) {
  return names.split(' ').map((name) => {
    const [object, property] = name.split('.');
    return { object, property, message };
  });
}

const bannedProperties = [
  ...banProperties('Math.trunc Math.imul Math.clz32', 'Espruino has none. Use `| 0`, `>>> 0` or Math.floor.'),
  ...banProperties(
    'Math.random',
    'The core has no random source of its own: take the one that is passed in.',
  ),
  ...banProperties(
    'Number.isInteger Number.isNaN Number.isFinite Number.isSafeInteger',
    'Espruino has none. Compare: `Math.floor(x) === x`, `x !== x`.',
  ),
  ...banProperties(
    'Object.freeze Object.is Object.seal',
    'Espruino has none. Use `readonly` and `as const`.',
  ),
  ...banProperties('Array.from Array.of', 'Espruino has none. Fill the array with a loop.'),
  ...TYPED_ARRAYS.split('|').flatMap((name) =>
    banProperties(`${name}.from ${name}.of`, 'Espruino has none. Fill the array with a loop.'),
  ),
  {
    property: 'slice',
    message:
      'On Espruino the slice of a Uint8Array is none. Use subarray or a copy for bytes, substring for text.',
  },
];

const bannedNativeCopy = [
  {
    property: 'copyWithin',
    message: 'Espruino has none. Use moveDown of src/wire/bytes.ts, which knows which engine does.',
  },
];

// --- What a selector cannot say ---------------------------------------------------------------------------------

/** Methods that change the array or view they are called on. */
const MUTATORS =
  /^(push|pop|shift|unshift|splice|sort|reverse|fill|set|copyWithin|set(Uint|Int|Float|BigUint|BigInt)\d+)$/;

/** How `identifier` is changed through, as in `identifier.a[0] = 1`: "assign", "call", or undefined when it is not. */
function changeThrough(identifier) {
  let node = identifier;
  let isMember = false;
  while (node.parent.type === 'MemberExpression' && node.parent.object === node) {
    node = node.parent;
    isMember = true;
  }
  if (!isMember) return undefined;
  const parent = node.parent;
  if (parent.type === 'AssignmentExpression' && parent.left === node) return 'assign';
  if (parent.type === 'UpdateExpression') return 'assign';
  if (parent.type === 'UnaryExpression' && parent.operator === 'delete') return 'assign';
  if (parent.type === 'CallExpression' && parent.callee === node && MUTATORS.test(node.property.name))
    return 'call';
  return undefined;
}

/** A module's constants, imports and classes may be filled while the module loads, and not changed by any function. */
const moduleState = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { state: 'Changes `{{name}}`, which is state of a module: {{why}}' },
  },
  create(context) {
    return {
      'Program:exit'() {
        const scope = context.sourceCode.scopeManager.scopes.find((one) => one.type === 'module');
        for (const variable of scope.variables) {
          const isImport = variable.defs.some((def) => def.type === 'ImportBinding');
          for (const reference of variable.references) {
            if (reference.from.variableScope === scope) continue;
            const change = changeThrough(reference.identifier);
            // What looks like a mutator may be a plain function of what was imported.
            if (change === undefined || (change === 'call' && isImport)) continue;
            const data = { name: variable.name, why: STATE_BELONGS_TO };
            context.report({ node: reference.identifier, messageId: 'state', data });
          }
        }
      },
    };
  },
};

/** Every field is assigned in the constructor, by name. TypeScript asks for that only where undefined is no value. */
const fieldsInConstructor = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      field:
        'Field `{{name}}` is not assigned in the constructor: Espruino has no uninitialised fields, and on XS a field that ' +
        'comes later is an allocation. Assign `this.{{name}}` there, undefined included.',
    },
  },
  create(context) {
    const classes = [];
    return {
      ClassBody() {
        classes.push(new Set());
      },
      'MethodDefinition[kind="constructor"] AssignmentExpression > MemberExpression.left[object.type="ThisExpression"]'(
        node,
      ) {
        classes.at(-1).add(node.property.name);
      },
      'ClassBody:exit'(node) {
        const assigned = classes.pop();
        for (const member of node.body) {
          // Static and initialised fields are errors already.
          if (member.type !== 'PropertyDefinition' || member.static || member.value) continue;
          const name = member.key.name ?? member.key.value;
          if (!assigned.has(name)) context.report({ node: member, messageId: 'field', data: { name } });
        }
      },
    };
  },
};

/** A function declaration is not used before it by the code of the same scope. Bodies of other functions run later. */
const noHoisting = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      hoisted: '`{{name}}` is used before its declaration: Espruino hoists nothing. Move the function up.',
    },
  },
  create(context) {
    return {
      'Program:exit'() {
        for (const scope of context.sourceCode.scopeManager.scopes) {
          for (const variable of scope.variables) {
            const definition = variable.defs.find((def) => def.node.type === 'FunctionDeclaration');
            if (!definition) continue;
            for (const { from, identifier } of variable.references) {
              if (from.variableScope !== scope.variableScope || identifier.parent.type === 'ExportSpecifier')
                continue;
              if (identifier.range[0] > definition.name.range[0]) continue;
              context.report({ node: identifier, messageId: 'hoisted', data: { name: variable.name } });
            }
          }
        }
      },
    };
  },
};

const plugin = {
  meta: { name: 'core-subset' },
  rules: {
    'module-state': moduleState,
    'fields-in-constructor': fieldsInConstructor,
    'no-hoisting': noHoisting,
  },
};

// --- The configuration ------------------------------------------------------------------------------------------

/** Flat configuration objects: later ones replace the rules of earlier ones, so each repeats what still holds. */
export const coreSubset = [
  {
    name: 'core-subset/core',
    files: coreFiles,
    ignores: coreIgnores,
    plugins: { 'core-subset': plugin },
    rules: {
      'no-restricted-syntax': ['error', ...bannedSyntax],
      'no-restricted-globals': ['error', ...bannedGlobals],
      'no-restricted-properties': ['error', ...bannedProperties, ...bannedNativeCopy],
      // Espruino has one `let` for all rounds of a loop, so a closure made there sees the last round.
      'no-loop-func': 'error',
      'core-subset/module-state': 'error',
      'core-subset/fields-in-constructor': 'error',
      'core-subset/no-hoisting': 'error',
    },
  },
  {
    name: 'core-subset/per-packet',
    files: closureFreeFiles,
    ignores: coreIgnores,
    rules: { 'no-restricted-syntax': ['error', ...bannedSyntax, ...bannedClosures] },
  },
  {
    name: 'core-subset/native-copy',
    files: nativeCopyFiles,
    rules: { 'no-restricted-properties': ['error', ...bannedProperties] },
  },
];
