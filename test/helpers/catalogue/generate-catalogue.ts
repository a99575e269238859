/**
 * A made-up update catalogue of any size that has the shape of a real one (package-formats 1.5 and 4): taxonomy
 * first, then detectoids, then bundles behind their hidden children, definition updates by the thousand in one
 * product, and drivers. The same size and seed give the same bytes on every machine, so a writer that needs two
 * passes asks twice. Memory does not grow with the size: what later documents refer to is kept in short rings.
 */
import { createHash } from 'node:crypto';
import type { PackageEntry, PackageFile, PackageHeader } from '../../../src/model/export-package.js';
import { DEFAULT_LANGUAGES } from '../../../src/model/language.js';
import type { UpdateId, UpdateIdentity } from '../../../src/model/update-identity.js';
import { type SeededRandom, seededRandom } from '../seeded-random.js';
import {
  type Clause,
  categoryData,
  cbsData,
  commandData,
  type DocumentText,
  type DriverText,
  driverRules,
  type EulaText,
  elements,
  type FileText,
  HANDLERS,
  type LocalizedText,
  patchData,
  serializeDocument,
} from './documents.js';
import { cbsRules, deepExpression, deltaRules, expression, rule, version } from './rules.js';
import { CLASSIFICATIONS, DEFENDER_TITLE, FAMILIES, fill, PHRASES } from './texts.js';

export interface CatalogueOptions {
  /** exact number of documents, {@link MIN_REVISIONS} or more */
  readonly revisions: number;
  readonly seed: number;
  /** bytes; every file and licence text is at most so long and its bytes exist; default: none do, sizes are any */
  readonly maxFileSize?: number;
}

/** A content file whose digests and size are those that the documents give. */
export interface CatalogueContent {
  readonly sha1: string;
  readonly fileName: string;
  readonly bytes: Buffer;
}

export interface CatalogueItem {
  readonly identity: UpdateIdentity;
  /** the update document in UTF-8 */
  readonly document: Buffer;
  readonly entry: PackageEntry;
  /** rows of the top-level `Files` list that no earlier item has brought */
  readonly files: readonly PackageFile[];
  /** of `files`, and of licence texts; empty without `maxFileSize` */
  readonly content: readonly CatalogueContent[];
}

/** Fewer leave no room for one of everything. */
export const MIN_REVISIONS = 150;

const MAX_DETECTOIDS = 3_800;
const MAX_CATEGORIES = 450;
/** From here on a catalogue holds categories of no type and one giant detectoid, as big real ones do. */
const LARGE_CATALOGUE = 2_000;
const HUGE_CATALOGUE = 20_000;
/** Characters of the longest record measured in a real package (package-formats 0.2a). */
const LONGEST_DOCUMENT = 850_000;

const MICROSOFT = '56309036-4c77-4dd9-951a-99ee9c246a94';
const PUBLISHER = '395392a0-19c0-48b7-a927-f7c15066d905';
const DEFENDER_PUBLISHER = 'bccf8ca0-2819-4598-8d15-c1506e363e92';
const DRIVERS = 'ebfc1fc5-71a4-4f7b-9aca-3b9a503104a0';
const DEFINITIONS = 'e0789628-ce08-4437-be74-2495b842f43b';
const SECURITY = '0fa1201d-4330-4fa8-8ae9-b877473b6441';

const FIRST_DAY = Date.UTC(2014, 0, 14, 18);
const LAST_DAY = Date.UTC(2026, 9, 13, 17);

/** A document before it is serialized, with what the package says about it. */
interface Draft {
  readonly text: DocumentText;
  readonly categories: readonly UpdateId[];
  readonly classifications: readonly UpdateId[];
  /** URL of each file of `text.files` that is new */
  readonly newFiles: readonly PackageFile[];
  /** bytes are the document with every tag on its own line, CR LF between them */
  readonly indented?: boolean;
}

interface Product {
  readonly id: UpdateId;
  readonly title: string;
  /** newest bundles, for supersedence */
  readonly recent: UpdateId[];
}

interface World {
  readonly random: SeededRandom;
  readonly total: number;
  /** documents yielded so far; dates grow with it */
  made: number;
  readonly classifications: Map<string, UpdateId>;
  readonly products: Product[];
  readonly defender: Product;
  readonly languageDetectoids: UpdateId[];
  readonly detectoids: UpdateId[];
  /** hidden Defender children of past releases, alternatives for the next */
  readonly definitionLeaves: UpdateIdentity[];
  readonly definitionVersions: string[];
  readonly driverPairs: UpdateId[];
  /** next revisions of updates already yielded */
  readonly revised: Draft[];
  readonly maxFileSize: number | undefined;
  /** made and not yielded yet */
  content: CatalogueContent[];
}

/** Attributes and languages of the generated package. */
export function catalogueHeader(options: CatalogueOptions): PackageHeader {
  return {
    serverId: seededRandom(~options.seed).guid(),
    creationTime: '2026-10-31T08:15:00Z',
    formatVersion: '1.0',
    protocolVersion: '1.20',
    languages: DEFAULT_LANGUAGES,
  };
}

/**
 * Yields exactly `revisions` documents; every prerequisite and bundled revision before what names it.
 *
 * @throws RangeError if `revisions` is below {@link MIN_REVISIONS} or not an integer
 */
export function* generateCatalogue(options: CatalogueOptions): Generator<CatalogueItem, void, undefined> {
  const total = options.revisions;
  if (!Number.isInteger(total) || total < MIN_REVISIONS) {
    throw new RangeError(`a catalogue needs at least ${MIN_REVISIONS} revisions, not ${total}`);
  }
  const random = seededRandom(options.seed);
  const defender: Product = { id: '8c3fcc84-7410-4a95-8b89-a166a0190486', title: DEFENDER_TITLE, recent: [] };
  const world: World = {
    random,
    total,
    made: 0,
    classifications: new Map(),
    products: [],
    defender,
    languageDetectoids: [],
    detectoids: [],
    definitionLeaves: [],
    definitionVersions: [],
    driverPairs: [],
    revised: [],
    maxFileSize: options.maxFileSize,
    content: [],
  };
  const emit = function* (drafts: Iterable<Draft>) {
    for (const draft of drafts) {
      if (world.made === total) return;
      world.made++;
      const { content } = world;
      world.content = [];
      yield finish(draft, content);
    }
  };
  yield* emit(taxonomy(world));
  yield* emit(detectoids(world));

  // The share of revisions each kind shall have; the kind that lags most goes next, for a run as upstream has them.
  const kinds = [
    { make: softwareRelease, share: 0.2, runLength: 1, made: 0 },
    { make: definitionRelease, share: 0.4, runLength: 4, made: 0 },
    { make: driver, share: 0.4, runLength: 40, made: 0 },
  ];
  const patience = total < LARGE_CATALOGUE ? 1 : 16;
  let onlyDrivers = false;
  while (world.made < total) {
    kinds.sort((a, b) => a.made / a.share - b.made / b.share);
    const kind = kinds[0] as (typeof kinds)[number];
    const runLength = Math.min(kind.runLength, Math.ceil(total / 500));
    for (let run = 0; run < runLength && world.made < total; run++) {
      const revisedCount = world.revised.length;
      let group = onlyDrivers ? driver(world) : kind.make(world);
      // A bundle never comes without its children: what is left over is filled with drivers, and nothing may build
      // on the group that has been thrown away.
      if (group.length > total - world.made) {
        world.revised.length = revisedCount;
        onlyDrivers = true;
        group = driver(world);
      }
      kind.made += group.length;
      yield* emit(group);
      while (world.revised.length > patience && world.made < total) {
        yield* emit([world.revised.shift() as Draft]);
      }
    }
  }
}

/** Characters that real ids are written with in old documents. */
function shout(world: World, id: UpdateId): string {
  return world.random.chance(0.3) ? id.toUpperCase() : id;
}

function dateOf(world: World): Date {
  const share = world.made / world.total;
  return new Date(
    Math.floor(FIRST_DAY + (LAST_DAY - FIRST_DAY) * share) + world.random.integer(0, 86_399_999),
  );
}

/** Writers differ: milliseconds, seven fraction digits and an offset, or a day alone (package-formats 4.4). */
function creationDate(world: World, date: Date): string {
  const iso = date.toISOString();
  if (world.random.chance(0.04)) return `${iso.slice(0, 23)}${world.random.integer(1000, 9999)}-08:00`;
  return world.random.chance(0.01) ? iso.slice(0, 10) : iso;
}

function state(world: World): string {
  return world.random.chance(0.05) ? 'Expired' : 'Published';
}

function finish(draft: Draft, content: readonly CatalogueContent[]): CatalogueItem {
  const { identity, files = [] } = draft.text;
  let document: Buffer | undefined;
  return {
    identity,
    // Made when asked for: a pass over entries or files alone takes a third of the time.
    get document() {
      document ??= serialize(draft);
      return document;
    },
    entry: {
      identity,
      fileSha1s: files.map((file) => file.sha1),
      categories: draft.categories,
      classifications: draft.classifications,
    },
    files: draft.newFiles,
    content,
  };
}

function serialize(draft: Draft): Buffer {
  const text = serializeDocument(draft.text);
  return Buffer.from(draft.indented === true ? text.replaceAll('><', '>\r\n  <') : text, 'utf8');
}

function bare(text: DocumentText, indented?: boolean): Draft {
  return { text, categories: [], classifications: [], newFiles: [], indented: indented ?? false };
}

/** Plans a later revision for about one update in thirty. */
function mayRevise(world: World, draft: Draft): Draft {
  if (world.random.chance(0.03)) {
    const { identity, properties } = draft.text;
    world.revised.push({
      ...draft,
      text: {
        ...draft.text,
        identity: { ...identity, revisionNumber: identity.revisionNumber + 1 },
        properties: {
          ...properties,
          PublicationState: 'Published',
          LegacyName: `revised-${identity.revisionNumber}`,
        },
      },
      newFiles: [],
    });
  }
  return draft;
}

// ---- taxonomy

function categoryDraft(
  world: World,
  id: UpdateId,
  revisionNumber: number,
  titles: readonly LocalizedText[],
  categoryType: string | undefined,
  parents: readonly UpdateId[],
): Draft {
  return bare({
    identity: { updateId: id, revisionNumber },
    writtenId: shout(world, id),
    prefixes: ['cat', 'lar', 'bar'],
    properties: {
      DefaultPropertiesLanguage: 'en',
      IsPublic: 'true',
      UpdateType: 'Category',
      Handler: HANDLERS.category,
      PublicationState: 'Published',
      CreationDate: `${dateOf(world).toISOString().slice(0, 23)}6027-08:00`,
      PublisherID: shout(world, PUBLISHER),
    },
    localized: titles,
    prerequisites: parents.map((parent) => ({ anyOf: [parent], isCategory: true })),
    rules: `<upd:ApplicabilityRules><upd:IsInstalled>${
      world.random.chance(0.5) ? '<lar:True />' : expression(world.random, world.random.integer(1, 4))
    }</upd:IsInstalled></upd:ApplicabilityRules>`,
    handlerData: categoryData(
      categoryType,
      world.random.chance(0.1) ? world.random.integer(1, 90) : undefined,
    ),
  });
}

/** Product names stay as they are in most languages; the description is translated. */
function categoryTitles(world: World, title: string): LocalizedText[] {
  const languages = PHRASES.slice(0, world.random.integer(18, 24));
  return languages.map(({ language, uninstallNotes }) => ({
    language,
    title: language === 'en' || world.random.chance(0.7) ? title : `${title} (${language})`,
    description: language === 'en' ? title : uninstallNotes,
  }));
}

function* taxonomy(world: World): Generator<Draft> {
  const { random, total } = world;
  const categoryCount = Math.min(MAX_CATEGORIES, Math.max(30, Math.round(total * 0.08)));
  const companies: UpdateId[] = [MICROSOFT, random.guid(), random.guid()];
  for (const [index, id] of companies.entries()) {
    const title = ['Microsoft', 'Local Publisher', 'Contoso & Söhne'][index] as string;
    yield categoryDraft(world, id, index === 0 ? 101 : 1, categoryTitles(world, title), 'Company', []);
  }
  for (const [title, wellKnown] of CLASSIFICATIONS.slice(
    0,
    categoryCount < 40 ? 12 : CLASSIFICATIONS.length,
  )) {
    const id = wellKnown ?? random.guid();
    world.classifications.set(title, id);
    const titles = categoryTitles(world, title);
    yield categoryDraft(world, id, 1, titles, 'UpdateClassification', []);
    if (id === SECURITY) yield categoryDraft(world, id, 100, titles, 'UpdateClassification', []); // as really exported
  }

  const familyCount = Math.max(3, Math.min(58, Math.round(categoryCount * 0.14)));
  const productCount = Math.max(12, Math.min(318, Math.round((categoryCount - familyCount - 23) * 0.7)));
  for (let family = 0; family < familyCount; family++) {
    const known = FAMILIES[family];
    const familyId = known?.[1] ?? random.guid();
    const title = known?.[0] ?? `Product Family ${family + 1}`;
    const company = known === undefined ? random.pick(companies) : MICROSOFT;
    yield categoryDraft(world, familyId, 50, categoryTitles(world, title), 'ProductFamily', [company]);
    const left = productCount - world.products.length;
    const share = Math.ceil(left / (familyCount - family));
    const names = known?.[2] ?? [];
    for (let index = 0; index < share; index++) {
      const [name, wellKnown] = names[index] ?? [`${title} ${2005 + index}`, undefined];
      const product =
        name === DEFENDER_TITLE
          ? world.defender
          : { id: wellKnown ?? random.guid(), title: name, recent: [] };
      world.products.push(product);
      yield categoryDraft(world, product.id, random.integer(1, 3), categoryTitles(world, name), 'Product', [
        familyId,
      ]);
    }
  }
  if (!world.products.includes(world.defender)) {
    const { id, title } = world.defender;
    world.products.push(world.defender);
    yield categoryDraft(world, id, 1, categoryTitles(world, title), 'Product', [MICROSOFT]);
  }
  if (total >= LARGE_CATALOGUE) {
    while (world.made < categoryCount) {
      const title = `Driver Category ${world.made}`;
      yield categoryDraft(world, random.guid(), 1, [{ language: 'en', title }], undefined, [MICROSOFT]);
    }
  }
}

// ---- detectoids

function* detectoids(world: World): Generator<Draft> {
  const { random, total } = world;
  const count = Math.min(MAX_DETECTOIDS, Math.round(total * 0.12));
  for (let index = 0; index < count; index++) {
    const id = random.guid();
    const isLanguage = index < Math.min(PHRASES.length, count);
    const language = PHRASES[index]?.language ?? 'en';
    const title = isLanguage
      ? `Windows language is ${language}`
      : `Detectoid for ${random.pick(world.products).title}`;
    const prerequisites: Clause[] = isLanguage
      ? []
      : random.sample(recentOf(world.detectoids), 1).map((one) => ({ id: one }));
    if (world.detectoids.length > 3 && random.chance(0.15))
      prerequisites.push({ anyOf: random.sample(recentOf(world.detectoids), 3) });
    const isGiant = !isLanguage && (index === 60 ? total >= HUGE_CATALOGUE : index % 1_400 === 200);
    const text: DocumentText = {
      identity: { updateId: id, revisionNumber: random.integer(100, 112) },
      writtenId: random.chance(0.05) ? id.toUpperCase() : id,
      prefixes: ['pub', 'lar', 'bar'],
      properties: {
        DefaultPropertiesLanguage: 'en',
        UpdateType: 'Detectoid',
        ExplicitlyDeployable: 'false',
        IsPublic: 'false',
        DetectoidType: isLanguage
          ? 'Language'
          : random.pick(['SKU or Feature', 'Service Pack', 'Operating System']),
        PublicationState: random.chance(0.01) ? 'Expired' : 'Published',
        CreationDate: creationDate(world, dateOf(world)),
        PublisherID: PUBLISHER,
      },
      localized: [
        {
          language: 'en',
          // Real titles end in a line break now and then, and hold letters of any script.
          title: random.chance(0.03)
            ? `${title}${random.pick(['\n', '\r\n'])}`
            : random.chance(0.02)
              ? `${title} – Größe № ${index}`
              : title,
          ...(random.chance(0.4)
            ? { description: `Tests whether ${title.toLowerCase()} applies to this computer.` }
            : {}),
        },
      ],
      prerequisites,
      ...(random.chance(0.04) ? { comment: ` ${title} ` } : {}),
      rules: `<upd:ApplicabilityRules><upd:IsInstalled>${
        isGiant
          ? giantExpression(world, index)
          : random.chance(0.01)
            ? deepExpression(random, 40)
            : expression(random, random.integer(1, 9))
      }</upd:IsInstalled></upd:ApplicabilityRules>`,
    };
    if (isLanguage) world.languageDetectoids.push(id);
    else world.detectoids.push(id);
    yield mayRevise(world, bare(text, random.chance(0.01)));
    if (world.revised.length > 4) yield world.revised.shift() as Draft;
  }
}

function recentOf(ids: readonly UpdateId[]): readonly UpdateId[] {
  return ids.slice(-200);
}

/** One as long as the longest real one, some as long as a common long one. */
function giantExpression(world: World, index: number): string {
  const target = index === 60 ? LONGEST_DOCUMENT : 140_000;
  let text = '';
  while (text.length < target) text += expression(world.random, 6);
  return `<lar:Or>${text}</lar:Or>`;
}

// ---- files

const HOSTS = [
  'http://download.windowsupdate.example.test/c',
  'http://download.windowsupdate.example.test/d',
];

interface NewFile {
  readonly file: FileText;
  readonly row: PackageFile;
}

function newFile(world: World, fileName: string, date: Date, folder: string, patchingType?: string): NewFile {
  const { random } = world;
  const drawnSha1 = random.bytes(20).toString('hex').toUpperCase();
  const dot = fileName.lastIndexOf('.');
  const query = random.chance(0.01) ? `?P1=${random.integer(1, 9e8)}&P2=402` : '';
  const month = date.toISOString().slice(0, 7).replace('-', '/');
  const file: FileText = withBytes(world, {
    sha1: drawnSha1,
    sha256: random.bytes(32).toString('hex').toUpperCase(),
    fileName,
    // Above 4 GiB now and then: sizes are 64-bit.
    size: random.chance(0.002) ? 4_294_967_296 + random.integer(1, 1e9) : random.integer(20_000, 900_000_000),
    modified: random.chance(0.5) ? `${date.toISOString().slice(0, 19)}Z` : date.toISOString(),
    ...(patchingType === undefined ? {} : { patchingType }),
  });
  const { sha1 } = file;
  const muUrl = `${random.pick(HOSTS)}/msdownload/update/${folder}/${month}/${fileName.slice(0, dot).toLowerCase()}_${sha1.toLowerCase()}${fileName.slice(dot)}${query}`;
  return { file, row: { sha1, muUrl, fileName } };
}

/** The same file with the digests and the size of bytes that exist, if such are wanted. */
function withBytes<T extends { sha1: string; sha256: string; fileName: string; size: number }>(
  world: World,
  file: T,
): T {
  if (world.maxFileSize === undefined) return file;
  const seed = Number.parseInt(file.sha1.slice(0, 8), 16);
  const bytes = seededRandom(seed).bytes(1 + (file.size % world.maxFileSize));
  const digest = (algorithm: string) => createHash(algorithm).update(bytes).digest('hex').toUpperCase();
  const sha1 = digest('sha1');
  world.content.push({ sha1, fileName: file.fileName, bytes });
  return { ...file, sha1, sha256: digest('sha256'), size: bytes.length };
}

// ---- software

const SEVERITIES = ['Critical', 'Important', 'Important', 'Important', 'Moderate', 'Low'];
const ARCHITECTURES = ['x64', 'x64', 'x64', 'x86', 'ARM64'];
/** Classifications of bundles and how often each is drawn. */
const BUNDLE_CLASSES = [
  'Security Updates',
  'Security Updates',
  'Security Updates',
  'Critical Updates',
  'Updates',
  'Updates',
  'Update Rollups',
  'Service Packs',
  'Feature Packs',
];

/** The bundles of one day: the hidden children of all of them, then what an administrator sees. */
function softwareRelease(world: World): Draft[] {
  const { random, total } = world;
  const languageCount = random.integer(24, PHRASES.length);
  const date = dateOf(world);
  const children: Draft[] = [];
  const bundles: Draft[] = [];
  const bundleCount = total < LARGE_CATALOGUE ? 3 : random.integer(3, 6);
  for (let index = 0; index < bundleCount; index++) {
    // A part of the bundles is English only.
    const software = softwareBundle(world, date, random.chance(0.4) ? 1 : languageCount);
    children.push(...software.children);
    bundles.push(software.bundle);
  }
  return [...children, ...bundles];
}

function softwareBundle(
  world: World,
  date: Date,
  languageCount: number,
): { readonly children: readonly Draft[]; readonly bundle: Draft } {
  const { random } = world;
  const product = random.pick(world.products.filter((one) => one !== world.defender));
  const className = random.pick(BUNDLE_CLASSES);
  const classification = world.classifications.get(className) as UpdateId;
  const products = random.chance(0.85)
    ? [product.id]
    : [
        product.id,
        ...random
          .sample(world.products, 2)
          .map(({ id }) => id)
          .filter((id) => id !== product.id),
      ];
  const isSecurity = classification === SECURITY;
  const article = String(random.integer(2_500_000, 5_060_000));
  const architecture = random.pick(ARCHITECTURES);
  const children: Draft[] = [];
  const leafCount = random.integer(1, 4);
  for (let index = 0; index < leafCount; index++) {
    children.push(softwareLeaf(world, { products, classification, article, architecture, date, index }));
  }

  const id = random.guid();
  const url = `https://support.microsoft.example.test/help/${article}`;
  const values = { p: product.title, d: date.toISOString().slice(0, 7), a: architecture, k: article };
  const hasNotes = random.chance(0.5);
  const emoji = random.chance(0.02) ? ' 🔒🛡️' : '';
  const eula = random.chance(0.04) ? eulaFiles(world, article) : undefined;
  const severity = isSecurity ? random.pick(SEVERITIES) : undefined;
  const text: DocumentText = {
    identity: { updateId: id, revisionNumber: random.chance(0.9) ? 200 : random.integer(100, 210) },
    prefixes: ['pub'],
    properties: {
      DefaultPropertiesLanguage: 'en',
      UpdateType: 'Software',
      ExplicitlyDeployable: 'true',
      AutoSelectOnWebSites: random.chance(0.6) ? 'true' : 'false',
      MsrcSeverity: severity,
      EulaID: eula === undefined ? undefined : random.guid(),
      RequiresReacceptanceOfEula: eula !== undefined && random.chance(0.2) ? 'true' : undefined,
      IsPublic: 'false',
      IsBeta: random.chance(0.01) ? 'true' : 'false',
      PublicationState: state(world),
      CreationDate: creationDate(world, date),
      PublisherID: PUBLISHER,
      LegacyName: `KB${article}-${product.title.replaceAll(/[^A-Za-z0-9]/g, '')}-RTM-${architecture}-TSL-World`,
    },
    propertyElements:
      elements('SupportUrl', [url]) +
      elements('MoreInfoUrl', random.chance(0.2) ? [url] : []) +
      elements(
        'SecurityBulletinID',
        isSecurity && random.chance(0.3)
          ? [`MS${random.integer(14, 17)}-${String(random.integer(1, 150)).padStart(3, '0')}`]
          : [],
      ) +
      elements('KBArticleID', [article]) +
      elements('CveID', isSecurity ? cves(world, date, random.integer(1, random.chance(0.2) ? 60 : 8)) : []),
    localized: PHRASES.slice(0, languageCount).map((phrase) => ({
      language: phrase.language,
      title: fill(phrase.title, values) + (phrase.language === 'en' ? emoji : ''),
      description: fill(phrase.description, values) + emoji,
      ...(hasNotes ? { uninstallNotes: phrase.uninstallNotes } : {}),
      moreInfoUrl: url,
      supportUrl: url,
    })),
    ...(eula === undefined ? {} : { eulaFiles: eula }),
    superseded: random.sample(product.recent, random.integer(0, 6)),
    prerequisites: [
      ...random.sample(recentOf(world.detectoids), random.integer(1, 2)).map((one) => ({ id: one })),
      { anyOf: [classification], isCategory: true },
      { anyOf: products, isCategory: true },
    ],
    bundled: children.map((child) => [child.text.identity]),
  };
  remember(product.recent, id, 16);
  const bundle = mayRevise(world, {
    text,
    categories: products,
    classifications: [classification],
    newFiles: [],
    indented: random.chance(0.005),
  });
  return { children, bundle };
}

interface LeafPlan {
  readonly products: readonly UpdateId[];
  readonly classification: UpdateId;
  readonly article: string;
  readonly architecture: string;
  readonly date: Date;
  readonly index: number;
}

function softwareLeaf(world: World, plan: LeafPlan): Draft {
  const { random } = world;
  const { article, architecture, date } = plan;
  const kind = random.pick(['cbs', 'cbs', 'command', 'patch'] as const);
  const base = `windows10.0-kb${article}-${architecture.toLowerCase()}${plan.index === 0 ? '' : `-${plan.index}`}`;
  const identityText = `Package_for_RollupFix~31bf3856ad364e35~${architecture === 'x64' ? 'amd64' : architecture.toLowerCase()}~~${version(random)}`;
  const files: NewFile[] = [];
  const folder = `software/${plan.classification === SECURITY ? 'secu' : 'updt'}`;
  if (kind === 'cbs') {
    files.push(newFile(world, `${base}.cab`, date, folder, 'SelfContained'));
    if (random.chance(0.35)) files.push(newFile(world, `${base}-express.cab`, date, folder, 'SelfContained'));
    if (files.length === 2) files.push(newFile(world, `${base}.psf`, date, folder, 'Express'));
  } else {
    files.push(newFile(world, `${base}.${kind === 'patch' ? 'cab' : 'exe'}`, date, folder, 'SelfContained'));
  }
  const handler = HANDLERS[kind];
  const rules =
    kind === 'cbs'
      ? cbsRules(identityText)
      : `<upd:ApplicabilityRules>${rule('IsInstalled', expression(random, random.integer(2, 8)))}${rule('IsInstallable', expression(random, random.integer(1, 6)))}</upd:ApplicabilityRules>`;
  // Half of the hidden children name product and classification themselves, in plain groups; the others inherit.
  const ownCategories: Clause[] = random.chance(0.5)
    ? [{ anyOf: [plan.classification] }, { anyOf: plan.products }]
    : [];
  const text: DocumentText = {
    identity: { updateId: random.guid(), revisionNumber: 200 },
    prefixes: ['pub', 'bar', 'lar', kind === 'command' ? 'cmd' : kind === 'cbs' ? 'cbs' : 'psf'],
    properties: {
      UpdateType: 'Software',
      DefaultPropertiesLanguage: 'en',
      Handler: handler,
      MaxDownloadSize: files.reduce((sum, { file }) => sum + file.size, 0),
      MinDownloadSize: 0,
      PublicationState: state(world),
      CreationDate: creationDate(world, date),
      PublisherID: PUBLISHER,
    },
    propertyElements: `<upd:InstallationBehavior RebootBehavior="${random.pick(['NeverReboots', 'CanRequestReboot', 'AlwaysRequiresReboot'])}" />${
      kind === 'cbs' ? '<upd:UninstallationBehavior RebootBehavior="CanRequestReboot" />' : ''
    }${elements('Language', random.chance(0.1) ? [random.pick(PHRASES).language] : [])}`,
    localized: [{ language: 'en', title: `${base} (${kind})` }],
    prerequisites: [
      ...random.sample(recentOf(world.detectoids), random.integer(1, 3)).map((one) => ({ id: one })),
      ...ownCategories,
    ],
    rules,
    files: files.map(({ file }) => file),
    handlerData:
      kind === 'cbs'
        ? cbsData(identityText)
        : kind === 'patch'
          ? patchData()
          : commandData(`${base}.exe`, '/quiet /norestart', [0, 3010, 1603]),
  };
  return mayRevise(world, {
    text,
    categories: plan.products,
    classifications: [plan.classification],
    newFiles: files.map(({ row }) => row),
    indented: random.chance(0.01),
  });
}

function cves(world: World, date: Date, count: number): string[] {
  const first = world.random.integer(1_000, 49_000);
  const ids: string[] = [];
  for (let index = 0; index < count; index++) ids.push(`CVE-${date.getUTCFullYear()}-${first + index * 3}`);
  return ids;
}

function eulaFiles(world: World, article: string): EulaText[] {
  return PHRASES.slice(0, world.random.integer(1, 5)).map(({ language }, index) =>
    withBytes(world, {
      sha1: world.random.bytes(20).toString('hex').toUpperCase(),
      sha256: world.random.bytes(32).toString('hex').toUpperCase(),
      fileName: `eula-${article}-${language}.txt`,
      size: world.random.integer(2_000, 60_000),
      language,
      ...(index === 1 ? { geoId: 'USA' } : {}),
    }),
  );
}

// ---- definition updates

/** A release: deltas and full packages, a hidden bundle with any number of alternatives, the visible bundle. */
function definitionRelease(world: World): Draft[] {
  const { random, defender } = world;
  const date = dateOf(world);
  const previous = world.definitionVersions;
  const versionText = `1.${300 + Math.floor(world.made / 2_000)}.${world.made}.0`;
  const leaves: Draft[] = [];
  const leafCount = random.integer(7, 12);
  for (let index = 0; index < leafCount; index++) {
    const isFull = index >= leafCount - 2;
    leaves.push(
      // The one real delta that is public tests for sixteen versions before it (wsus-2025/266f6222, 14.5 KB).
      definitionLeaf(world, versionText, date, isFull ? [] : previous.slice(-random.integer(8, 20)), index),
    );
  }
  remember(previous, versionText, 60);
  for (const { text } of leaves) remember(world.definitionLeaves, text.identity, 110);

  const drafts = [...leaves];
  const hidden: UpdateIdentity = { updateId: random.guid(), revisionNumber: 200 };
  const own = leaves.map(({ text }) => text.identity);
  // A group of about seven and, now and then, one of about a hundred: both were seen (package-formats 4.6).
  const alternatives = random.chance(0.08)
    ? [...world.definitionLeaves.filter((one) => !own.includes(one)), ...own]
    : own;
  drafts.push({
    text: {
      identity: hidden,
      prefixes: ['pub'],
      properties: {
        UpdateType: 'Software',
        DefaultPropertiesLanguage: 'en',
        PublicationState: state(world),
        CreationDate: creationDate(world, date),
        PublisherID: DEFENDER_PUBLISHER,
      },
      localized: [
        {
          language: 'en',
          title: `HIDDEN: Defender definitions ${versionText} for amd64 (alternatives ${alternatives.length})`,
        },
      ],
      prerequisites: [{ anyOf: [DEFINITIONS] }, { anyOf: [defender.id] }],
      bundled: [alternatives],
    },
    categories: [defender.id],
    classifications: [DEFINITIONS],
    newFiles: [],
  });

  const id = random.guid();
  drafts.push({
    text: {
      identity: { updateId: id, revisionNumber: 200 },
      prefixes: ['pub'],
      properties: {
        UpdateType: 'Software',
        DefaultPropertiesLanguage: 'en',
        ExplicitlyDeployable: 'true',
        AutoSelectOnWebSites: 'true',
        PublicationState: state(world),
        CreationDate: creationDate(world, date),
        PublisherID: DEFENDER_PUBLISHER,
      },
      propertyElements: elements('KBArticleID', ['2267602']),
      localized: PHRASES.slice(0, random.chance(0.4) ? 24 : 1).map((phrase) => ({
        language: phrase.language,
        title: `${defender.title} KB2267602 (${versionText}) – ${phrase.language}`,
        description: fill(phrase.description, { p: defender.title, d: '', a: '', k: '' }),
      })),
      superseded: random.sample(defender.recent, random.integer(1, 2)),
      prerequisites: [
        ...random.sample(recentOf(world.detectoids), 2).map((one) => ({ id: one })),
        { anyOf: [DEFINITIONS], isCategory: true },
        { anyOf: [defender.id], isCategory: true },
      ],
      bundled: [[hidden]],
    },
    categories: [defender.id],
    classifications: [DEFINITIONS],
    newFiles: [],
  });
  remember(defender.recent, id, 16);
  return drafts;
}

function definitionLeaf(
  world: World,
  versionText: string,
  date: Date,
  from: readonly string[],
  index: number,
): Draft {
  const { random } = world;
  const name = from.length === 0 ? 'mpam-fe.exe' : `AM_Delta${index === 0 ? '' : `_Patch_${index}`}.exe`;
  const { file, row } = newFile(world, name, date, 'software/defu');
  return {
    text: {
      identity: { updateId: random.guid(), revisionNumber: 200 },
      prefixes: ['pub', 'bar', 'lar', 'cmd'],
      properties: {
        UpdateType: 'Software',
        DefaultPropertiesLanguage: 'en',
        Handler: HANDLERS.command,
        MaxDownloadSize: file.size,
        MinDownloadSize: 0,
        PublicationState: state(world),
        CreationDate: creationDate(world, date),
        PublisherID: DEFENDER_PUBLISHER,
      },
      propertyElements: '<upd:InstallationBehavior Impact="Minor" />',
      localized: [
        {
          language: 'en',
          title: `${from.length === 0 ? 'Full package' : 'Full Deltas'} ${versionText} for Defender amd64fre [Broad, Delayed]`,
        },
      ],
      prerequisites: [
        ...random.sample(recentOf(world.detectoids), 2).map((one) => ({ id: one })),
        { anyOf: [world.defender.id] },
      ],
      rules: deltaRules(versionText, from),
      files: [file],
      handlerData: commandData(name, 'WD /q', [0]),
    },
    categories: [world.defender.id],
    classifications: [], // it names a product, so it does not inherit what its bundle names
    newFiles: [row],
  };
}

// ---- drivers

const VENDORS = [
  'Intel Corporation',
  'Realtek Semiconductor Corp.',
  'Advanced Micro Devices, Inc.',
  'Synaptics',
  'Qualcomm Atheros & Co',
  'Lenovo',
  'HP Inc.',
];
const CLASSES = ['Bluetooth', 'Net', 'Display', 'System', 'MEDIA', 'Firmware', 'Printer', 'Other Hardware'];
const DRIVER_SYSTEMS = ['amd64.10.0', 'x86.10.0', 'arm64.10.0', 'amd64.6.3'];

function driver(world: World): Draft[] {
  const { random } = world;
  const date = dateOf(world);
  const vendor = random.pick(VENDORS);
  const driverClass = random.pick(CLASSES);
  const verVersion = version(random);
  const verDate = date.toISOString().slice(0, 10);
  const bus = random.pick(['PCI\\VEN_', 'USB\\VID_', 'HDAUDIO\\FUNC_01&VEN_']);
  const vendorId = random.integer(0x1000, 0xffff).toString(16).toUpperCase();
  const drivers: DriverText[] = [];
  const hardwareCount = random.chance(0.7) ? 1 : random.integer(2, 6);
  for (let index = 0; index < hardwareCount; index++) {
    const device = random.integer(0x1000, 0xffff).toString(16).toUpperCase();
    drivers.push({
      hardwareId: `${bus}${vendorId}&${bus.startsWith('USB') ? 'PID' : 'DEV'}_${device}&REV_${String(index).padStart(4, '0')}`,
      verDate,
      verVersion,
      driverClass,
      company: vendor,
      model: `${vendor} ${driverClass} Adapter ${device}`,
      featureScores: random
        .sample(DRIVER_SYSTEMS, random.integer(1, 2))
        .map((system) => [system, random.pick(['FF', '7F', '01'])] as const),
      distributionIds: random.chance(0.3) ? [random.guid(), random.guid()] : [],
      targetIds: random.chance(0.2) ? [random.guid()] : [],
    });
  }
  const { file, row } = newFile(world, `${random.guid()}.cab`, date, 'driver/drvs');
  const windows = world.products.filter((one) => one.title.startsWith('Windows'));
  const products = random.sample(windows, random.integer(1, 4)).map(({ id }) => id);
  const draft: Draft = {
    text: {
      identity: {
        updateId: random.guid(),
        revisionNumber: random.chance(0.9) ? 200 : random.integer(1, 210),
      },
      prefixes: ['pub', 'drv'],
      properties: {
        UpdateType: 'Driver',
        DefaultPropertiesLanguage: 'en',
        AutoSelectOnWebSites: 'true',
        Handler: HANDLERS.driver,
        ExplicitlyDeployable: 'true',
        MaxDownloadSize: file.size,
        MinDownloadSize: 0,
        PublicationState: state(world),
        CreationDate: creationDate(world, date),
        PublisherID: 'fa34d14e-27d3-42c2-bc5f-070f466300d1',
      },
      propertyElements:
        '<upd:InstallationBehavior Impact="Normal" RebootBehavior="CanRequestReboot" RequiresNetworkConnectivity="false" CanRequestUserInput="false" />' +
        elements('SupportUrl', ['http://support.microsoft.example.test/select/?target=hub']) +
        elements(
          'Language',
          (random.chance(0.3) ? PHRASES.slice(0, 1) : PHRASES).map(({ language }) => language),
        ),
      localized: [
        {
          language: 'en',
          title: `${vendor} - ${driverClass} - ${verVersion}`,
          description: `${vendor} ${driverClass}  driver update released in ${verDate.slice(0, 7)}`,
          moreInfoUrl: 'http://sysdev.microsoft.example.test/support/default.aspx',
        },
      ],
      prerequisites: [
        { anyOf: world.languageDetectoids },
        ...random.sample(recentOf(world.detectoids), 2).map((one) => ({ id: one })),
        { anyOf: [DRIVERS], isCategory: true },
        { anyOf: products, isCategory: true },
      ],
      rules: driverRules(drivers),
      files: [file],
    },
    categories: products,
    classifications: [DRIVERS],
    newFiles: [row],
    indented: random.chance(0.01),
  };
  return [mayRevise(world, draft)];
}

/** Keeps the newest `limit`. */
function remember<T>(ring: T[], item: T, limit: number): void {
  ring.push(item);
  if (ring.length > limit) ring.shift();
}
