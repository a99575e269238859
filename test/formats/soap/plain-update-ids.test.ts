import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { readUpdateIds } from '../../../src/formats/server-sync/requests.js';
import { KnownParts, readSoapCall } from '../../../src/formats/soap/request-reader.js';

const ID = '6407468e-edc7-4ecd-8c32-521f64cee65e';
const one = (id = ID, number = '101') =>
  `<UpdateIdentity><UpdateID>${id}</UpdateID><RevisionNumber>${number}</RevisionNumber></UpdateIdentity>`;
const NAMESPACE = 'http://www.microsoft.com/SoftwareDistribution';
const call = (list: string, head = '') =>
  Buffer.from(
    `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">${head}<s:Body><GetUpdateData xmlns="${NAMESPACE}"><cookie/>${list}</GetUpdateData></s:Body></s:Envelope>`,
  );
const read = (bytes: Buffer) => {
  const { element, updateIds } = readSoapCall(bytes);
  return { isPlain: updateIds !== undefined, ids: readUpdateIds(element, 3, updateIds) };
};

test.each<[string, string, boolean]>([
  ['as everybody writes it', `<updateIds>${one()}</updateIds>`, true],
  ['in capitals', `<updateIds>${one(ID.toUpperCase())}</updateIds>`, false],
  ['with white space', `<updateIds>\n ${one()}\n</updateIds>`, false],
  ['with an attribute', `<updateIds a="b">${one()}</updateIds>`, false],
  [
    'with a prefix',
    `<p:updateIds xmlns:p="${NAMESPACE}">${one().replaceAll(/<(\/?)/g, '<$1p:')}</p:updateIds>`,
    false,
  ],
  ['with a comment', `<updateIds><!-- x -->${one()}</updateIds>`, false],
])('a list %s is read to the same ids', (_how, list, isPlain) => {
  expect(read(call(list))).toEqual({ isPlain, ids: [{ updateId: ID, revisionNumber: 101 }] });
});

test('an empty list is one', () => {
  expect(read(call('<updateIds></updateIds>')).ids).toEqual([]);
});

test.each<[string, Buffer]>([
  ['too long', call(`<updateIds>${one().repeat(4)}</updateIds>`)],
  ['missing', call('')],
  ['only in the header', call('', `<s:Header><updateIds>${one()}</updateIds></s:Header>`)],
  ['in a namespace of its own', call(`<updateIds xmlns="urn:x">${one()}</updateIds>`)],
  ['with an id that is none', call(`<updateIds>${one(`${ID}0`)}</updateIds>`)],
  ['with a number that is none', call(`<updateIds>${one(ID, '-1')}</updateIds>`)],
])('a list that is %s is refused', (_how, bytes) => {
  expect(() => read(bytes)).toThrow('updateIds');
});

test('what is remembered is the same array for the same list, and never changes what is read', () => {
  const known = new KnownParts();
  const first = readSoapCall(call(`<updateIds>${one()}</updateIds>`), known);
  const again = readSoapCall(call(`<updateIds>${one()}</updateIds>`), known);
  expect(again).toEqual(readSoapCall(call(`<updateIds>${one()}</updateIds>`)));
  expect(again.updateIds).toBe(first.updateIds);
  const other = readSoapCall(call(`<updateIds>${one(ID, '102')}</updateIds>`), known);
  expect(other.updateIds).toEqual([{ updateId: ID, revisionNumber: 102 }]);
  const elsewhere = call('', `<s:Header><updateIds>${one()}</updateIds></s:Header>`);
  for (let round = 0; round < 2; round++) {
    const { element, updateIds } = readSoapCall(elsewhere, known);
    expect(() => readUpdateIds(element, 3, updateIds)).toThrow('updateIds');
    expect(() => readSoapCall(Buffer.from(`<a><updateIds>${one()}</updateIds></b>`), known)).toThrow(
      'not SOAP',
    );
    expect(readSoapCall(call(`<updateIds>${one('x')}</updateIds>`), known).updateIds).toBeUndefined();
  }
  for (let n = 0; n < 1_000; n++)
    readSoapCall(call(`<updateIds>${one(ID, String(n))}</updateIds><n>${n}</n>`), known);
  expect([known.lists.size, known.calls.size]).toEqual([256, 64]);
});

test.each<[string, (n: number) => string]>([
  ['in long requests', (n) => `<updateIds>${one(ID, String(n))}</updateIds><n>${'x'.repeat(500_000)}</n>`],
  ['of many items', (n) => `<updateIds>${one(ID, String(n)).repeat(1_000)}</updateIds>`],
])('lists %s are remembered in little memory', (_what, list) => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const usedSize = () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const known = new KnownParts();
  const before = usedSize();
  for (let n = 0; n < 256; n++) readSoapCall(call(list(n)), known);
  expect(usedSize() - before).toBeLessThan(30_000_000); // requests of 128 MB and 32 MB
  expect(known.lists.size).toBeLessThanOrEqual(256);
});
