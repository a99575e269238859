import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MAX_UPDATE_DOCUMENT_SIZE } from '../../../src/formats/update-xml/limits.js';
import { parseUpdateDocument } from '../../../src/formats/update-xml/parse-update.js';
import { fc } from '../../helpers/properties.js';

const FIXTURES = resolve(import.meta.dirname, '../../../fixtures/update-xml');
const NAMESPACE = 'http://schemas.microsoft.com/msus/2002/12/Update';
const ID = '11111111-aaaa-4000-8000-000000000001';

const fixture = (name: string): Buffer => readFileSync(resolve(FIXTURES, name));
const parse = (text: string) => parseUpdateDocument(Buffer.from(text, 'utf8'));

const IDENTITY = `<UpdateIdentity UpdateID="${ID}" RevisionNumber="7"/>`;
const PROPERTIES = '<Properties UpdateType="Software"/>';
const update = (content: string): string => `<Update xmlns="${NAMESPACE}">${content}</Update>`;
const withFile = (attributes: string, children = ''): string =>
  update(`${IDENTITY}${PROPERTIES}<Files><File ${attributes}>${children}</File></Files>`);
const DIGEST = 'Digest="qvTGHdzF6KLavt4PO0gs2a6pQ00="';

/** sha1 and sha256 of the text "hello", sha1 of "world" */
const HELLO_SHA1 = 'AAF4C61DDCC5E8A2DABEDE0F3B482CD9AEA9434D';
const HELLO_SHA256 = '2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824';
const WORLD_SHA1 = '7C211433F02071597741E6FF5A8EA34789ABBF43';

/** What a document without anything optional says. */
const DEFAULTS = {
  defaultLanguage: undefined,
  publicationState: undefined,
  creationDate: undefined,
  createdAt: undefined,
  publisherId: undefined,
  legacyName: undefined,
  detectoidType: undefined,
  handler: undefined,
  explicitlyDeployable: false,
  autoSelectOnWebSites: false,
  isPublic: true,
  isBeta: false,
  browseOnly: false,
  perUser: false,
  osUpgrade: false,
  maxDownloadSize: undefined,
  minDownloadSize: undefined,
  msrcSeverity: undefined,
  eulaId: undefined,
  requiresReacceptanceOfEula: false,
  installationBehavior: undefined,
  uninstallationBehavior: undefined,
  languages: [],
  supportUrl: undefined,
  moreInfoUrls: [],
  securityBulletinIds: [],
  kbArticleIds: [],
  cveIds: [],
  hasSecuredFragment: false,
  localized: [],
  eulaFiles: [],
  prerequisites: [],
  bundledUpdates: [],
  supersededUpdates: [],
  files: [],
  handlerData: undefined,
  category: undefined,
  drivers: [],
};

describe('facts', () => {
  test('the least an update can be', () => {
    expect(parse(update(IDENTITY + PROPERTIES))).toEqual({
      ...DEFAULTS,
      identity: { updateId: ID, revisionNumber: 7 },
      updateType: 'Software',
    });
  });

  test('a software update with everything', () => {
    expect(parseUpdateDocument(fixture('software.xml'))).toEqual({
      ...DEFAULTS,
      identity: { updateId: ID, revisionNumber: 204 },
      updateType: 'Software',
      defaultLanguage: 'en',
      publicationState: 'Published',
      creationDate: '2026-10-04T12:00:58.287Z',
      createdAt: Date.UTC(2026, 9, 4, 12, 0, 58, 287),
      publisherId: '395392a0-19c0-48b7-a927-f7c15066d905',
      legacyName: 'KB999-x64',
      handler: 'http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/CommandLineInstallation',
      explicitlyDeployable: true,
      autoSelectOnWebSites: true,
      isPublic: false,
      isBeta: true,
      browseOnly: true,
      osUpgrade: true,
      maxDownloadSize: 11_606_440,
      minDownloadSize: 0,
      msrcSeverity: 'Critical',
      eulaId: '22222222-aaaa-4000-8000-000000000002',
      requiresReacceptanceOfEula: true,
      installationBehavior: {
        rebootBehavior: 'CanRequestReboot',
        impact: 'Minor',
        canRequestUserInput: false,
        requiresNetworkConnectivity: true,
      },
      uninstallationBehavior: {
        rebootBehavior: 'NeverReboots',
        impact: undefined,
        canRequestUserInput: true,
        requiresNetworkConnectivity: false,
      },
      languages: ['en', 'de'],
      supportUrl: 'https://support.example/?a=1&b=2',
      moreInfoUrls: ['https://info.example/1', 'https://info.example/2'],
      securityBulletinIds: ['MS26-001'],
      kbArticleIds: ['999999'],
      cveIds: ['CVE-2026-0001', 'CVE-2026-0002'],
      hasSecuredFragment: true,
      localized: [
        {
          language: 'en',
          title: 'Security Update (KB999999)',
          description: 'Resolves an issue.',
          uninstallNotes: 'Use the control panel.',
          moreInfoUrls: ['https://info.example/en'],
          supportUrl: 'https://support.example/en',
        },
        {
          language: 'ja',
          title: '更新プログラム — 𠮷',
          description: undefined,
          uninstallNotes: undefined,
          moreInfoUrls: [],
          supportUrl: undefined,
        },
      ],
      eulaFiles: [
        {
          sha1: HELLO_SHA1,
          sha256: HELLO_SHA256,
          fileName: 'eula.rtf',
          size: 5,
          language: 'en',
          geoId: undefined,
        },
        { sha1: HELLO_SHA1, sha256: undefined, fileName: 'eula.rtf', size: 5, language: 'de', geoId: 'DEU' },
        {
          sha1: HELLO_SHA1,
          sha256: undefined,
          fileName: 'eula.rtf',
          size: 5,
          language: 'fr',
          geoId: undefined,
        },
      ],
      prerequisites: [
        { atLeastOne: false, isCategory: false, members: ['33333333-aaaa-4000-8000-000000000003'] },
      ],
      files: [
        {
          sha1: HELLO_SHA1,
          sha256: HELLO_SHA256,
          fileName: 'AM_Delta.exe',
          size: 11_606_440,
          modified: '2026-10-04T09:39:26Z',
          patchingType: 'SelfContained',
          isEncrypted: true,
        },
        {
          sha1: WORLD_SHA1,
          sha256: undefined,
          fileName: 'sub\\old.psf',
          size: Number.MAX_SAFE_INTEGER,
          modified: undefined,
          patchingType: undefined,
          isEncrypted: false,
        },
      ],
      handlerData: {
        type: 'CommandLineInstallation',
        items: [
          { name: 'InstallCommand', attributes: { Program: 'AM_Delta.exe', Arguments: 'WD /q' } },
          { name: 'ReturnCode', attributes: { Code: '0', Result: 'Succeeded' } },
          { name: 'ReturnCode', attributes: { Code: '-1', Result: 'Failed' } },
        ],
      },
    });
  });

  test('a bundle with both forms of every relation', () => {
    const facts = parseUpdateDocument(fixture('bundle.xml'));
    expect(facts).toMatchObject({
      publicationState: 'Expired',
      createdAt: Date.UTC(2004, 1, 29, 2, 17, 34, 103),
      prerequisites: [
        { atLeastOne: false, isCategory: false, members: ['33333333-aaaa-4000-8000-000000000003'] },
        {
          atLeastOne: true,
          isCategory: false,
          members: ['33333333-aaaa-4000-8000-000000000004', '33333333-aaaa-4000-8000-000000000005'],
        },
        { atLeastOne: true, isCategory: true, members: ['33333333-aaaa-4000-8000-000000000006'] },
        { atLeastOne: false, isCategory: false, members: ['33333333-aaaa-4000-8000-000000000007'] },
      ],
      bundledUpdates: [
        {
          atLeastOne: false,
          members: [{ updateId: '44444444-aaaa-4000-8000-000000000001', revisionNumber: 200 }],
        },
        {
          atLeastOne: true,
          members: [
            { updateId: '44444444-aaaa-4000-8000-000000000002', revisionNumber: 0 },
            { updateId: '44444444-aaaa-4000-8000-000000000003', revisionNumber: 4_294_967_295 },
          ],
        },
      ],
      supersededUpdates: ['55555555-aaaa-4000-8000-000000000001', '55555555-aaaa-4000-8000-000000000002'],
      handler: undefined,
      files: [],
    });
  });

  test('a driver with its metadata, and not what its rules mention', () => {
    const facts = parseUpdateDocument(fixture('driver.xml'));
    expect(facts.createdAt).toBe(Date.UTC(2022, 5, 14, 14, 20, 24));
    expect(facts.drivers).toEqual([
      {
        hardwareId: 'USB\\VID_1234&PID_0001',
        driverVerDate: '2022-05-30',
        driverVerVersion: '22.150.0.6',
        whqlDriverId: '7',
        driverClass: 'Bluetooth',
        company: 'Company',
        provider: 'Provider',
        manufacturer: 'Maker',
        model: 'Model 1',
        featureScores: [
          { operatingSystem: 'Windows.10.0.x64', featureScore: 'FF' },
          { operatingSystem: 'Windows.10.0.x86', featureScore: '0A' },
        ],
        distributionComputerHardwareIds: ['66666666-aaaa-4000-8000-000000000001'],
        targetComputerHardwareIds: ['66666666-aaaa-4000-8000-000000000002'],
      },
      expect.objectContaining({
        hardwareId: 'USB\\VID_1234&PID_0002',
        company: undefined,
        featureScores: [],
      }),
    ]);
  });

  test('a category under another prefix, its id in upper case and braces', () => {
    expect(parseUpdateDocument(fixture('category.xml'))).toMatchObject({
      identity: { updateId: '11111111-aaaa-4000-8000-00000000003f', revisionNumber: 0 },
      updateType: 'Category',
      category: {
        categoryType: 'Product',
        prohibitsSubcategories: true,
        prohibitsUpdates: false,
        excludedByDefault: false,
        displayOrder: -3,
      },
      handlerData: { type: 'Category' },
    });
  });

  test('a detectoid in the default namespace, with markup in its title', () => {
    const facts = parseUpdateDocument(fixture('detectoid.xml'));
    expect(facts.localized).toEqual([expect.objectContaining({ language: 'de', title: 'A < B\n' })]);
    expect(facts).toMatchObject({
      detectoidType: 'SKU or Feature',
      creationDate: '2009-07-14',
      createdAt: Date.UTC(2009, 6, 14),
    });
  });

  test.each(['', 'CategoryType="SomethingNew"'])(
    'a category without a known CategoryType is accepted: "%s"',
    (type) => {
      const document = update(
        `${IDENTITY}<Properties UpdateType="Category"/><HandlerSpecificData>` +
          `<CategoryInformation ${type} xmlns="http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category"/></HandlerSpecificData>`,
      );
      expect(parse(document).category).toMatchObject({ categoryType: undefined });
    },
  );

  test('a digest, an id or a text of one document does not reach the next', () => {
    const first = parseUpdateDocument(fixture('software.xml'));
    const copy = structuredClone(first);
    parseUpdateDocument(fixture('driver.xml'));
    expect(() => parse(update(IDENTITY))).toThrow();
    expect(parse(update(IDENTITY + PROPERTIES)).files).toEqual([]);
    expect(first).toEqual(copy);
  });

  test('attribute names that JavaScript knows are data', () => {
    const document = update(
      `${IDENTITY}${PROPERTIES}<HandlerSpecificData><x __proto__="a" constructor="b"/></HandlerSpecificData>`,
    );
    const item = parse(document).handlerData?.items[0];
    expect(Object.entries(item?.attributes ?? {})).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
  });
});

describe('refused', () => {
  test.each([
    [
      'no namespace',
      `<Update>${IDENTITY}${PROPERTIES}</Update>`,
      'the root is <Update> in no namespace, expected <Update> in',
    ],
    [
      'a foreign namespace',
      '<Update xmlns="urn:x"/>',
      `the root is <Update> in namespace "urn:x", expected <Update> in namespace "${NAMESPACE}"`,
    ],
    ['another root', `<Updates xmlns="${NAMESPACE}"/>`, 'the root is <Updates>'],
    ['no UpdateIdentity', update(PROPERTIES), 'UpdateIdentity is missing'],
    [
      'an UpdateIdentity in a foreign namespace',
      update(`<UpdateIdentity xmlns="urn:x" UpdateID="${ID}" RevisionNumber="1"/>${PROPERTIES}`),
      'UpdateIdentity is missing; <UpdateIdentity> is in namespace "urn:x"',
    ],
    ['two identities', update(IDENTITY + IDENTITY + PROPERTIES), 'UpdateIdentity occurs twice'],
    ['no Properties', update(IDENTITY), `update ${ID}:7: Properties is missing`],
    ['two Properties', update(IDENTITY + PROPERTIES + PROPERTIES), 'Properties occurs twice'],
    ['no UpdateType', update(`${IDENTITY}<Properties/>`), 'UpdateType is missing'],
    [
      'an unknown UpdateType',
      update(`${IDENTITY}<Properties UpdateType="Firmware"/>`),
      'UpdateType is "Firmware", expected one of Category, Detectoid, Software, Driver',
    ],
    [
      'an id that is no GUID',
      update('<UpdateIdentity UpdateID="12" RevisionNumber="1"/>'),
      'UpdateID is "12", expected a GUID',
    ],
    ['no revision', update(`<UpdateIdentity UpdateID="${ID}"/>`), 'RevisionNumber is missing'],
    [
      'a revision of more than 32 bits',
      update(`<UpdateIdentity UpdateID="${ID}" RevisionNumber="4294967296"/>`),
      'RevisionNumber is "4294967296"',
    ],
    [
      'a prerequisite without id',
      update(
        `${IDENTITY}${PROPERTIES}<Relationships><Prerequisites><UpdateIdentity/></Prerequisites></Relationships>`,
      ),
      'Prerequisites: UpdateID is missing',
    ],
    [
      'a bundled update without revision',
      update(
        `${IDENTITY}${PROPERTIES}<Relationships><BundledUpdates><UpdateIdentity UpdateID="${ID}"/></BundledUpdates></Relationships>`,
      ),
      'BundledUpdates: RevisionNumber is missing',
    ],
    [
      'a boolean that is none',
      update(`${IDENTITY}<Properties UpdateType="Driver" IsBeta="maybe"/>`),
      'IsBeta is "maybe"',
    ],
    [
      'a negative size',
      update(`${IDENTITY}<Properties UpdateType="Driver" MaxDownloadSize="-1"/>`),
      'MaxDownloadSize is "-1"',
    ],
    [
      'another digest algorithm',
      withFile(`${DIGEST} DigestAlgorithm="MD5" FileName="a" Size="1"`),
      'DigestAlgorithm is "MD5"',
    ],
    ['no digest', withFile('DigestAlgorithm="SHA1" FileName="a" Size="1"'), 'Digest is missing'],
    [
      'a short digest',
      withFile('Digest="AAAA" DigestAlgorithm="SHA1" FileName="a" Size="1"'),
      '"AAAA" is not the Base64',
    ],
    ['a file without name', withFile(`${DIGEST} DigestAlgorithm="SHA1" Size="1"`), 'FileName is missing'],
    [
      'a file name whose extension leads elsewhere',
      withFile(`${DIGEST} DigestAlgorithm="SHA1" FileName="a./../../x" Size="1"`),
      'has a separator in its extension',
    ],
    [
      'a size beyond 2^53',
      withFile(`${DIGEST} DigestAlgorithm="SHA1" FileName="a" Size="9007199254740992"`),
      'Size is "9007199254740992"',
    ],
    [
      'a bad SHA-256',
      withFile(
        `${DIGEST} DigestAlgorithm="SHA1" FileName="a" Size="1"`,
        '<AdditionalDigest Algorithm="SHA256">x</AdditionalDigest>',
      ),
      'is not the Base64 of a SHA256 digest',
    ],
    [
      'an EULA without language',
      update(
        `${IDENTITY}${PROPERTIES}<LocalizedPropertiesCollection><EulaFile ${DIGEST} DigestAlgorithm="SHA1" FileName="a" Size="1"/></LocalizedPropertiesCollection>`,
      ),
      'EulaFile "a": Language is missing',
    ],
    [
      'a broken rule',
      update(`${IDENTITY}${PROPERTIES}<ApplicabilityRules><a></b></ApplicabilityRules>`),
      '</b> where </a> is expected',
    ],
    ['a truncated document', update(IDENTITY + PROPERTIES).slice(0, -1), 'the document ends too early'],
    ['nothing', '', 'there is no element'],
  ])('%s', (_name, document, message) => {
    expect(() => parse(document)).toThrow(
      expect.objectContaining({ code: 'UPDATE_MALFORMED', message: expect.stringContaining(message) }),
    );
  });

  test('broken XML keeps its offset in bytes and its cause', () => {
    const document = update(`${IDENTITY}${PROPERTIES}<Future>ü</future>`);
    expect(() => parse(document)).toThrow(
      expect.objectContaining({
        code: 'UPDATE_MALFORMED',
        message: expect.stringMatching(new RegExp(`^update ${ID}:7: </future> where </Future> is expected`)),
        details: { offset: Buffer.from(document).indexOf('</future>'), updateId: ID, revisionNumber: 7 },
        cause: expect.objectContaining({ code: 'XML_MALFORMED' }),
      }),
    );
  });

  test('a document that is not UTF-8', () => {
    const document = Buffer.from(update(`${IDENTITY}${PROPERTIES}<x>\u00fc</x>`), 'latin1');
    expect(() => parseUpdateDocument(document)).toThrow(
      expect.objectContaining({
        code: 'UPDATE_MALFORMED',
        message: expect.stringContaining('not valid UTF-8'),
      }),
    );
  });

  test.each([
    ['a document larger than any', 'x'.repeat(MAX_UPDATE_DOCUMENT_SIZE + 1)],
    ['rules nested without end', update('<ApplicabilityRules>'.repeat(1000))],
    [
      'too many languages',
      update(
        `${IDENTITY}${PROPERTIES}<LocalizedPropertiesCollection>${'<LocalizedProperties/>'.repeat(1025)}</LocalizedPropertiesCollection>`,
      ),
    ],
    [
      'a file name without end',
      withFile(`${DIGEST} DigestAlgorithm="SHA1" FileName="${'a'.repeat(1025)}" Size="1"`),
    ],
  ])('%s exceeds a limit', (_name, document) => {
    expect(() => parse(document)).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }));
  });

  test('any damage to a fixture is either harmless or refused with a code and a hint', () => {
    const names = ['software.xml', 'bundle.xml', 'driver.xml', 'category.xml', 'detectoid.xml'];
    const fixtures = names.map(fixture);
    const damage = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      remove: fc.nat(30),
      insert: fc.oneof(
        fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
        fc
          .constantFrom(
            '<',
            '>',
            '"',
            '&',
            ' ',
            'upd:',
            '/',
            'true',
            '-1',
            '<upd:AtLeastOne>',
            '</upd:Files>',
            'xmlns=""',
          )
          .map((text) => Buffer.from(text)),
      ),
    });
    let refused = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...fixtures),
        fc.array(damage, { minLength: 1, maxLength: 3 }),
        (whole, damages) => {
          let document = whole;
          for (const { at, remove, insert } of damages) {
            const index = Math.floor(at * document.length);
            document = Buffer.concat([
              document.subarray(0, index),
              insert,
              document.subarray(index + remove),
            ]);
          }
          try {
            expect(parseUpdateDocument(document).identity.updateId).toMatch(/^[0-9a-f-]{36}$/);
          } catch (error) {
            refused++;
            expect(error).toMatchObject({ name: 'WsusutilError', hint: expect.any(String) });
            expect((error as { code: string }).code).toMatch(/^(UPDATE_MALFORMED|LIMIT_EXCEEDED)$/);
          }
        },
      ),
      { numRuns: 3_000, seed: 20_260_102 },
    );
    expect(refused).toBeGreaterThan(100);
    expect(refused).toBeLessThan(3_000);
  });

  test('a fixture cut short anywhere', () => {
    for (const name of ['software.xml', 'detectoid.xml']) {
      const document = fixture(name);
      const end = document.lastIndexOf('>');
      for (let length = 0; length <= end; length += 7) {
        expect(() => parseUpdateDocument(document.subarray(0, length))).toThrow(
          expect.objectContaining({ code: 'UPDATE_MALFORMED' }),
        );
      }
    }
  });
});
