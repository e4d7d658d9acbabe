/**
 * Markup that cannot forget to escape: a template tag whose inserted values are text unless they are markup already.
 * Knows nothing of reports.
 */
import { cleanText } from './format.ts';

/** A piece of HTML or SVG that is safe to insert as it is. Only {@link markup} and {@link raw} make one. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type HtmlValue = string | number | Markup | readonly (string | number | Markup)[];

/** `<p>${name}</p>`: strings and numbers are escaped, markup is inserted, arrays are joined.
 * Not called `html`: formatters rewrite templates of that name, and here every blank ends up in the report. */
export function markup(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Markup {
  let text = parts[0];
  for (let index = 0; index < values.length; index++) {
    text += insert(values[index]) + parts[index + 1];
  }
  return new Markup(text);
}

/** Marks text written in this repository, such as the style sheet, as safe. Never for what comes from outside. */
export function raw(text: string): Markup {
  return new Markup(text);
}

/** Nothing at all: what an optional part is when it is absent. */
export const NOTHING = new Markup('');

/** Escapes for element content and for attributes in either quote; control characters, which HTML forbids, go. */
export function escapeHtml(text: string): string {
  return cleanText(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

function insert(value: HtmlValue): string {
  if (value instanceof Markup) return value.text;
  if (typeof value === 'string') return escapeHtml(value);
  if (typeof value === 'number') return String(value);
  return value.map(insert).join('');
}
