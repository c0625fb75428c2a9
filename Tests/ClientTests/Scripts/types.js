// Scenarios about what ships with the modules: hand-written types, the table of limits. Node only.

import { readFile } from 'node:fs/promises';
import { check, equal } from './harness.js';

const root = new URL('../../../', import.meta.url);

/** Comments out, so that no word in them is taken for a declaration. */
async function declarations(name) {
  const text = await readFile(new URL(`clients/javascript/${name}`, root), 'utf8');
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*/g, '');
}

/** The text between the braces that follow `start`. */
function body(text, start) {
  const open = text.indexOf('{', start);
  let depth = 0;
  for (let index = open; index < text.length; index++) {
    if (text[index] === '{') depth += 1;
    if (text[index] === '}') depth -= 1;
    if (depth === 0) return text.slice(open + 1, index);
  }
  return '';
}

/** Names of the members of a class or interface: what begins a line two spaces in. */
function members(text) {
  const names = [...text.matchAll(/^ {2}(?:static |readonly |protected )*(\w+)\??[(<:]/gm)].map((match) => match[1]);
  return [...new Set(names)].sort();
}

/** What an application can reach on an object of a class; names with an underscore are for subclasses. */
function reachable(type, fields) {
  const own = Object.getOwnPropertyNames(type.prototype).filter((name) => name !== 'constructor');
  const fixed = Object.getOwnPropertyNames(type).filter((name) => !['length', 'name', 'prototype'].includes(name));
  return [...new Set([...own, ...fixed, ...fields])].filter((name) => !name.startsWith('_')).sort();
}

/** The types declare what the modules export: names, members of classes, limits. */
export async function typesMatch({ library, jwt }) {
  const fields = {
    ReconnectingClient: ['url'],
    ChannelsClient: ['userId'],
    WalkersClient: ['info'],
    ConnectionError: ['code', 'reason', 'wasClean', 'status'],
    AuthenticationError: ['status'],
    ServerError: ['data'],
  };
  for (const [file, module] of [['martlet.d.ts', library], ['jwt_utils.d.ts', jwt]]) {
    const text = await declarations(file);
    const declared = [...text.matchAll(/^export (?:abstract )?(class|const|function) (\w+)/gm)];
    equal(declared.map((match) => match[2]).sort(), Object.keys(module).sort(), `exports of ${file}`);
    for (const { 1: kind, 2: name, index } of declared) {
      const value = module[name];
      if (kind === 'function') check(typeof value === 'function', `${name} is a function`);
      if (kind !== 'class') continue;
      const named = members(body(text, index)).filter((member) => member !== 'constructor');
      // Overridden for other types, or just inherited: both are the same to who uses it.
      const actual = reachable(value, fields[name] ?? []);
      const missing = actual.filter((member) => !named.includes(member));
      equal(missing, [], `members of ${name} without a type`);
      const sample = value.prototype;
      const invented = named.filter((member) => !(member in sample) && !(member in value) && !actual.includes(member));
      equal(invented, [], `members of ${name} that are not there`);
    }
  }
  const text = await declarations('martlet.d.ts');
  const limits = members(body(text, text.indexOf('interface Limits')));
  equal(limits, Object.keys(library.DEFAULTS).sort(), 'the limits');
}

/** The page that describes the clients gives every limit with its default. */
export async function limitsDocumented({ library }) {
  const page = await readFile(new URL('docs/CLIENTS.md', root), 'utf8');
  for (const [name, value] of Object.entries(library.DEFAULTS)) {
    const text = value === Infinity ? 'no limit' : String(value).replace(/\B(?=(\d{3})+$)/g, ' ');
    check(page.includes(`| \`${name}\` | ${text} |`), `docs/CLIENTS.md: \`${name}\` is ${text}`);
  }
}

/** What a package manager reads names what is there. */
export async function packageFiles() {
  const description = JSON.parse(await readFile(new URL('clients/javascript/package.json', root), 'utf8'));
  const { name, type, dependencies } = description;
  equal([name, type, dependencies], ['martlet-client', 'module', undefined], 'the package');
  const targets = Object.values(description.exports);
  const exported = targets.flatMap((one) => (typeof one === 'string' ? one : Object.values(one)));
  for (const path of [...description.files, ...exported]) {
    const text = await readFile(new URL(`clients/javascript/${path}`, root), 'utf8');
    check(text.length > 0, `${path} is there`);
  }
  const source = await readFile(new URL('clients/javascript/martlet.js', root), 'utf8');
  check(!/^import\b|\brequire\(/m.test(source), 'the module needs nothing else');
}
