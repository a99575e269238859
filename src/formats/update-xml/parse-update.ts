/**
 * Update metadata → {@link RevisionFacts}. Elements are found by namespace and local name, never by prefix.
 * What an element of another kind holds is passed over, but must be well-formed. Source: package-formats 4.
 */
import { isUtf8 } from 'node:buffer';
import { errorText, isWsusutilError, WsusutilError } from '../../errors.js';
import type { ContentFile, EulaFile } from '../../model/content-file.js';
import { digestFromBase64, type Sha1Hex, type Sha256Hex } from '../../model/digest.js';
import {
  type BundleClause,
  CATEGORY_TYPES,
  type CategoryInformation,
  type DriverFacts,
  type HandlerData,
  type InstallBehavior,
  type LocalizedProperties,
  type PrerequisiteClause,
  type RevisionFacts,
  UPDATE_TYPES,
} from '../../model/revision.js';
import { formatIdentity, type UpdateId, type UpdateIdentity } from '../../model/update-identity.js';
import { type StartAction, type XmlElement, type XmlHandler, XmlReader } from '../xml/xml-reader.js';
import {
  MAX_DRIVERS_PER_UPDATE,
  MAX_EULA_FILES_PER_UPDATE,
  MAX_FILE_NAME_LENGTH,
  MAX_FILES_PER_UPDATE,
  MAX_HANDLER_ITEMS,
  MAX_LOCALIZED_PER_UPDATE,
  MAX_RELATIONS_PER_UPDATE,
  MAX_REPEATED_TEXTS,
  MAX_UPDATE_DOCUMENT_SIZE,
} from './limits.js';
import {
  malformed,
  parseInstant,
  readBoolean,
  readFamiliarUpdateId,
  readInteger,
  readRevisionNumber,
  readSize,
  readUpdateId,
  shown,
} from './update-values.js';

/** Namespaces of update documents (package-formats 4.2). */
const UPDATE_NAMESPACE = 'http://schemas.microsoft.com/msus/2002/12/Update';
const CATEGORY_NAMESPACE = 'http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category';
const DRIVER_NAMESPACE = 'http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/WindowsDriver';
const XSI_NAMESPACE = 'http://www.w3.org/2001/XMLSchema-instance';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** The facts while they are collected. */
interface Draft extends Omit<Writable<RevisionFacts>, 'identity' | 'updateType' | 'localized'> {
  identity: UpdateIdentity | undefined;
  updateType: RevisionFacts['updateType'] | undefined;
  languages: string[];
  moreInfoUrls: string[];
  securityBulletinIds: string[];
  kbArticleIds: string[];
  cveIds: string[];
  localized: LocalizedDraft[];
  eulaFiles: Writable<EulaFile>[];
  prerequisites: PrerequisiteClause[];
  bundledUpdates: BundleClause[];
  supersededUpdates: UpdateId[];
  files: Writable<ContentFile>[];
  drivers: DriverDraft[];
}

type LocalizedDraft = Writable<LocalizedProperties> & { moreInfoUrls: string[] };
type DriverDraft = Writable<DriverFacts> & {
  featureScores: { operatingSystem: string; featureScore: string }[];
  distributionComputerHardwareIds: string[];
  targetComputerHardwareIds: string[];
};

function newDraft(): Draft {
  return {
    identity: undefined,
    updateType: undefined,
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
}

function tooMany(limit: number, what: string): WsusutilError {
  return new WsusutilError('LIMIT_EXCEEDED', `more than ${limit} ${what}`, {
    hint: 'No real update comes near this limit: check where the document came from.',
  });
}

/** Puts a list's next entry in, unless the list is full. */
function push<T>(list: T[], entry: T, limit: number, what: string): void {
  if (list.length >= limit) throw tooMany(limit, what);
  list.push(entry);
}

/** Top-level elements; the one the reader is in. */
type Section =
  | 'none'
  | 'Properties'
  | 'LocalizedPropertiesCollection'
  | 'Relationships'
  | 'ApplicabilityRules'
  | 'Files'
  | 'HandlerSpecificData';

/** The element one level further in, where the next level's meaning depends on it. */
type Group =
  | 'none'
  | 'LocalizedProperties'
  | 'EulaFile'
  | 'Prerequisites'
  | 'BundledUpdates'
  | 'SupersededUpdates'
  | 'Metadata'
  | 'File';

class UpdateHandler implements XmlHandler {
  private extent: ParseExtent = 'full';
  draft = newDraft();
  private hasProperties = false;
  private section: Section = 'none';
  private group: Group = 'none';
  private relationCount = 0;
  /** members of the open `AtLeastOne` */
  private members: UpdateId[] | undefined;
  private bundleMembers: UpdateIdentity[] | undefined;
  private handlerItems: { name: string; attributes: Record<string, string> }[] = [];
  /** a top-level element's name seen in a foreign namespace, for the message when it is missed */
  private foreign: string | undefined;

  /** Depth of the element whose text is collected; 0: none. */
  private textDepth = 0;
  private collected = '';

  begin(extent: ParseExtent): void {
    this.extent = extent;
    this.draft = newDraft();
    this.hasProperties = false;
    this.section = 'none';
    this.group = 'none';
    this.relationCount = 0;
    this.members = undefined;
    this.bundleMembers = undefined;
    this.handlerItems = [];
    this.foreign = undefined;
    this.textDepth = 0;
    this.collected = '';
  }

  /** @throws WsusutilError `UPDATE_MALFORMED` if something is missing that every update has */
  finish(): RevisionFacts {
    const { identity, updateType } = this.draft;
    const foreign = this.foreign === undefined ? '' : `; ${this.foreign}`;
    if (identity === undefined) throw malformed(`UpdateIdentity is missing${foreign}`);
    if (!this.hasProperties || updateType === undefined) throw malformed(`Properties is missing${foreign}`);
    return Object.assign(this.draft, { identity, updateType });
  }

  start(element: XmlElement): StartAction {
    if (this.textDepth > 0) return 'skip';
    const { depth } = element;
    if (depth === 1) return this.startRoot(element);
    if (depth === 2) return this.startSection(element);
    switch (this.section) {
      case 'Properties':
        return this.startProperty(element);
      case 'LocalizedPropertiesCollection':
        return this.startLocalized(element);
      case 'Relationships':
        return this.startRelationship(element);
      case 'ApplicabilityRules':
        return this.startRule(element);
      case 'Files':
        return this.startFile(element);
      case 'HandlerSpecificData':
        return this.startHandlerItem(element);
      default:
        return 'skip';
    }
  }

  text(text: string): void {
    if (this.textDepth > 0) this.collected += text;
  }

  end(local: string, depth: number): void {
    if (this.textDepth > 0) {
      if (this.textDepth === depth) this.endText(local);
      return;
    }
    if (depth === 2) {
      if (this.section === 'HandlerSpecificData') this.handlerItems = [];
      this.section = 'none';
    } else if (depth === 3) this.group = 'none';
    else if (depth === 4 && local === 'AtLeastOne') {
      this.members = undefined;
      this.bundleMembers = undefined;
    }
  }

  private startRoot(element: XmlElement): StartAction {
    const { local, uri } = element;
    if (local !== 'Update' || uri !== UPDATE_NAMESPACE) {
      const actual = `<${shown(local).slice(1, -1)}> in ${uri === '' ? 'no namespace' : `namespace ${shown(uri)}`}`;
      throw malformed(`the root is ${actual}, expected <Update> in namespace "${UPDATE_NAMESPACE}"`);
    }
  }

  private startSection(element: XmlElement): StartAction {
    const { local } = element;
    if (element.uri !== UPDATE_NAMESPACE) {
      if (local === 'UpdateIdentity' || local === 'Properties') {
        const namespace = element.uri === '' ? 'no namespace' : `namespace ${shown(element.uri)}`;
        this.foreign = `<${local}> is in ${namespace}, expected "${UPDATE_NAMESPACE}"`;
      }
      return 'skip';
    }
    switch (local) {
      case 'UpdateIdentity':
        if (this.draft.identity !== undefined) throw malformed('UpdateIdentity occurs twice');
        this.draft.identity = readIdentity(element, 'UpdateIdentity');
        return 'skip';
      case 'Properties':
        if (this.hasProperties) throw malformed('Properties occurs twice');
        this.hasProperties = true;
        this.readProperties(element);
        break;
      case 'HandlerSpecificData':
        if (this.draft.handlerData !== undefined) throw malformed('HandlerSpecificData occurs twice');
        this.draft.handlerData = this.readHandlerData(element);
        break;
      case 'ApplicabilityRules':
        if (this.extent === 'indexed') return 'raw';
        break;
      case 'LocalizedPropertiesCollection':
      case 'Relationships':
      case 'Files':
        break;
      default:
        return 'skip';
    }
    this.section = local;
  }

  private readProperties(element: XmlElement): void {
    const { draft } = this;
    for (const { prefix, local, value } of element.attributes()) {
      if (prefix !== '') continue;
      switch (local) {
        case 'UpdateType':
          draft.updateType = UPDATE_TYPES.find((type) => type === value);
          if (draft.updateType === undefined) {
            throw malformed(`UpdateType is ${shown(value)}, expected one of ${UPDATE_TYPES.join(', ')}`);
          }
          break;
        case 'DefaultPropertiesLanguage':
          draft.defaultLanguage = value;
          break;
        case 'PublicationState':
          draft.publicationState = value;
          break;
        case 'CreationDate':
          draft.creationDate = value;
          draft.createdAt = parseInstant(value);
          break;
        case 'PublisherID':
          draft.publisherId = value.toLowerCase();
          break;
        case 'LegacyName':
          draft.legacyName = value;
          break;
        case 'DetectoidType':
          draft.detectoidType = value;
          break;
        case 'Handler':
          draft.handler = value;
          break;
        case 'ExplicitlyDeployable':
          draft.explicitlyDeployable = readBoolean(value, false, local);
          break;
        case 'AutoSelectOnWebSites':
          draft.autoSelectOnWebSites = readBoolean(value, false, local);
          break;
        case 'IsPublic':
          draft.isPublic = readBoolean(value, true, local);
          break;
        case 'IsBeta':
          draft.isBeta = readBoolean(value, false, local);
          break;
        case 'BrowseOnly':
          draft.browseOnly = readBoolean(value, false, local);
          break;
        case 'PerUser':
          draft.perUser = readBoolean(value, false, local);
          break;
        case 'OSUpgrade':
          // Not a plain boolean in every schema version ("swap"); anything but a no is a yes.
          draft.osUpgrade = !/^\s*(?:false|0|)\s*$/i.test(value);
          break;
        case 'MaxDownloadSize':
          draft.maxDownloadSize = readSize(value, local);
          break;
        case 'MinDownloadSize':
          draft.minDownloadSize = readSize(value, local);
          break;
        case 'MsrcSeverity':
          draft.msrcSeverity = value;
          break;
        case 'EulaID':
          draft.eulaId = value.toLowerCase();
          break;
        case 'RequiresReacceptanceOfEula':
          draft.requiresReacceptanceOfEula = readBoolean(value, false, local);
          break;
      }
    }
    if (draft.updateType === undefined) throw malformed('Properties: UpdateType is missing');
  }

  private startProperty(element: XmlElement): StartAction {
    if (element.uri !== UPDATE_NAMESPACE || element.depth !== 3) return 'skip';
    switch (element.local) {
      case 'InstallationBehavior':
        this.draft.installationBehavior = readBehavior(element);
        return 'skip';
      case 'UninstallationBehavior':
        this.draft.uninstallationBehavior = readBehavior(element);
        return 'skip';
      case 'SecuredFragment':
        this.draft.hasSecuredFragment = true;
        return 'skip';
      case 'Language':
      case 'SupportUrl':
      case 'MoreInfoUrl':
      case 'SecurityBulletinID':
      case 'KBArticleID':
      case 'CveID':
        this.collect(element.depth);
        return;
      default:
        return 'skip';
    }
  }

  private startLocalized(element: XmlElement): StartAction {
    const { local, depth } = element;
    if (element.uri !== UPDATE_NAMESPACE) return 'skip';
    if (depth === 3) {
      if (local === 'LocalizedProperties') {
        this.group = local;
        const entry: LocalizedDraft = {
          language: '',
          title: undefined,
          description: undefined,
          uninstallNotes: undefined,
          moreInfoUrls: [],
          supportUrl: undefined,
        };
        push(this.draft.localized, entry, MAX_LOCALIZED_PER_UPDATE, 'LocalizedProperties');
        return;
      }
      if (local === 'EulaFile') {
        this.group = local;
        push(this.draft.eulaFiles, readEulaFile(element), MAX_EULA_FILES_PER_UPDATE, 'EulaFile elements');
        return;
      }
      return 'skip';
    }
    if (this.group === 'LocalizedProperties') {
      switch (local) {
        case 'Description':
        case 'UninstallNotes':
        case 'MoreInfoUrl':
        case 'SupportUrl':
          if (this.extent === 'indexed') return 'raw';
          this.collect(depth);
          return;
        case 'Language':
        case 'Title':
          this.collect(depth);
          return;
      }
    } else if (isSha256Digest(element)) {
      this.collect(depth);
      return;
    }
    return 'skip';
  }

  private startRelationship(element: XmlElement): StartAction {
    const { local, depth } = element;
    if (element.uri !== UPDATE_NAMESPACE) return 'skip';
    if (depth === 3) {
      if (local !== 'Prerequisites' && local !== 'BundledUpdates' && local !== 'SupersededUpdates')
        return 'skip';
      this.group = local;
      return;
    }
    if (++this.relationCount > MAX_RELATIONS_PER_UPDATE) {
      throw tooMany(MAX_RELATIONS_PER_UPDATE, 'related updates');
    }
    if (local === 'UpdateIdentity') {
      this.readRelation(element);
      return 'skip';
    }
    if (local !== 'AtLeastOne' || depth !== 4) return 'skip';
    if (this.group === 'Prerequisites') {
      this.members = [];
      const isCategory = readBoolean(element.attribute('IsCategory'), false, 'AtLeastOne: IsCategory');
      this.draft.prerequisites.push({ atLeastOne: true, isCategory, members: this.members });
    } else if (this.group === 'BundledUpdates') {
      this.bundleMembers = [];
      this.draft.bundledUpdates.push({ atLeastOne: true, members: this.bundleMembers });
    } else return 'skip';
  }

  private readRelation(element: XmlElement): void {
    const { draft, group } = this;
    if (group === 'BundledUpdates') {
      const identity = readIdentity(element, group);
      if (this.bundleMembers !== undefined) this.bundleMembers.push(identity);
      else draft.bundledUpdates.push({ atLeastOne: false, members: [identity] });
      return;
    }
    const updateId = readFamiliarUpdateId(element, group);
    if (group === 'SupersededUpdates') draft.supersededUpdates.push(updateId);
    else if (this.members !== undefined) this.members.push(updateId);
    else draft.prerequisites.push({ atLeastOne: false, isCategory: false, members: [updateId] });
  }

  private startRule(element: XmlElement): StartAction {
    const { local, uri, depth } = element;
    if (depth === 3) {
      if (local !== 'Metadata' || uri !== UPDATE_NAMESPACE) return 'skip';
      this.group = local;
      return;
    }
    if (uri !== DRIVER_NAMESPACE) return 'skip';
    if (depth === 4) {
      if (local !== 'WindowsDriverMetaData') return 'skip';
      push(this.draft.drivers, readDriver(element), MAX_DRIVERS_PER_UPDATE, 'WindowsDriverMetaData elements');
      return;
    }
    switch (local) {
      case 'FeatureScore': {
        const score = {
          operatingSystem: element.attribute('OperatingSystem') ?? '',
          featureScore: element.attribute('FeatureScore') ?? '',
        };
        const { featureScores } = this.draft.drivers.at(-1) as DriverDraft;
        push(featureScores, score, MAX_DRIVERS_PER_UPDATE, 'FeatureScore elements');
        return 'skip';
      }
      case 'DistributionComputerHardwareId':
      case 'TargetComputerHardwareId':
        this.collect(depth);
        return;
      default:
        return 'skip';
    }
  }

  private startFile(element: XmlElement): StartAction {
    const { local, depth } = element;
    if (element.uri !== UPDATE_NAMESPACE) return 'skip';
    if (depth === 3 && local === 'File') {
      this.group = local;
      push(this.draft.files, readContentFile(element), MAX_FILES_PER_UPDATE, 'files');
      return;
    }
    if (depth === 4 && isSha256Digest(element)) {
      this.collect(depth);
      return;
    }
    return 'skip';
  }

  private readHandlerData(element: XmlElement): HandlerData {
    const type = element.attributeNs(XSI_NAMESPACE, 'type') ?? element.attribute('type') ?? '';
    return { type: type.slice(type.indexOf(':') + 1).trim(), items: this.handlerItems };
  }

  private startHandlerItem(element: XmlElement): StartAction {
    const attributes = Object.fromEntries(element.attributes().map(({ local, value }) => [local, value]));
    push(this.handlerItems, { name: element.local, attributes }, MAX_HANDLER_ITEMS, 'handler elements');
    if (element.local === 'CategoryInformation' && element.uri === CATEGORY_NAMESPACE) {
      this.draft.category = readCategory(element);
    }
  }

  private collect(depth: number): void {
    this.textDepth = depth;
    this.collected = '';
  }

  private endText(local: string): void {
    const text = this.collected;
    this.textDepth = 0;
    this.collected = '';
    const { draft } = this;
    if (this.section === 'Properties') {
      this.endProperty(local, text.trim());
    } else if (this.section === 'Files') {
      (draft.files.at(-1) as Writable<ContentFile>).sha256 = digestFromBase64(text.trim(), 'SHA256');
    } else if (this.section === 'ApplicabilityRules') {
      const driver = draft.drivers.at(-1) as DriverDraft;
      const list =
        local === 'TargetComputerHardwareId'
          ? driver.targetComputerHardwareIds
          : driver.distributionComputerHardwareIds;
      push(list, text.trim().toLowerCase(), MAX_DRIVERS_PER_UPDATE, `${local} elements`);
    } else if (this.group === 'EulaFile') {
      (draft.eulaFiles.at(-1) as Writable<EulaFile>).sha256 = digestFromBase64(text.trim(), 'SHA256');
    } else {
      endLocalized(draft.localized.at(-1) as LocalizedDraft, local, text);
    }
  }

  private endProperty(local: string, text: string): void {
    const { draft } = this;
    if (local === 'SupportUrl') {
      draft.supportUrl = text;
      return;
    }
    if (text === '') return;
    switch (local) {
      case 'Language':
        push(draft.languages, text, MAX_REPEATED_TEXTS, 'languages');
        break;
      case 'MoreInfoUrl':
        push(draft.moreInfoUrls, text, MAX_REPEATED_TEXTS, 'MoreInfoUrl elements');
        break;
      case 'SecurityBulletinID':
        push(draft.securityBulletinIds, text, MAX_REPEATED_TEXTS, 'security bulletins');
        break;
      case 'KBArticleID':
        push(draft.kbArticleIds, text.replace(/^KB(?=[0-9])/i, ''), MAX_REPEATED_TEXTS, 'KB articles');
        break;
      case 'CveID':
        push(draft.cveIds, text, MAX_REPEATED_TEXTS, 'CVEs');
        break;
    }
  }
}

/** Titles and descriptions stay as written, with their white space; the rest are tokens. */
function endLocalized(entry: LocalizedDraft, local: string, text: string): void {
  switch (local) {
    case 'Language':
      entry.language = text.trim();
      break;
    case 'Title':
      entry.title = text;
      break;
    case 'Description':
      entry.description = text;
      break;
    case 'UninstallNotes':
      entry.uninstallNotes = text;
      break;
    case 'MoreInfoUrl':
      push(entry.moreInfoUrls, text.trim(), MAX_REPEATED_TEXTS, 'MoreInfoUrl elements');
      break;
    case 'SupportUrl':
      entry.supportUrl = text.trim();
      break;
  }
}

function readIdentity(element: XmlElement, place: string): UpdateIdentity {
  return {
    updateId: readUpdateId(element, place),
    revisionNumber: readRevisionNumber(element.attribute('RevisionNumber'), place),
  };
}

function readBehavior(element: XmlElement): InstallBehavior {
  const { local } = element;
  const boolean = (name: string): boolean => readBoolean(element.attribute(name), false, `${local}: ${name}`);
  return {
    rebootBehavior: element.attribute('RebootBehavior'),
    impact: element.attribute('Impact'),
    canRequestUserInput: boolean('CanRequestUserInput'),
    requiresNetworkConnectivity: boolean('RequiresNetworkConnectivity'),
  };
}

/** What `File` and `EulaFile` share. */
function readFile(element: XmlElement): {
  sha1: Sha1Hex;
  sha256: Sha256Hex | undefined;
  fileName: string;
  size: number;
} {
  const { local } = element;
  const fileName = element.attribute('FileName') ?? '';
  if (fileName === '') throw malformed(`${local}: FileName is missing or empty`);
  if (fileName.length > MAX_FILE_NAME_LENGTH) {
    throw new WsusutilError(
      'LIMIT_EXCEEDED',
      `${local}: FileName has ${fileName.length} characters, at most ${MAX_FILE_NAME_LENGTH} are read`,
    );
  }
  // Content is stored under its digest with this name's extension, which must not lead anywhere else.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those are refused
  if (/[\x00-\x1f\x7f]|\.[^.]*[/\\][^.]*$/.test(fileName)) {
    throw malformed(
      `${local}: FileName ${shown(fileName)} has a separator in its extension or a control character`,
    );
  }
  const algorithm = element.attribute('DigestAlgorithm');
  if (algorithm !== 'SHA1') {
    throw malformed(`${local} ${shown(fileName)}: DigestAlgorithm is ${shown(algorithm)}, expected "SHA1"`);
  }
  const digest = element.attribute('Digest');
  if (digest === undefined) throw malformed(`${local} ${shown(fileName)}: Digest is missing`);
  return {
    sha1: digestFromBase64(digest, 'SHA1'),
    sha256: undefined,
    fileName,
    size: readSize(element.attribute('Size'), `${local} ${shown(fileName)}: Size`),
  };
}

function readContentFile(element: XmlElement): Writable<ContentFile> {
  return {
    ...readFile(element),
    modified: element.attribute('Modified'),
    patchingType: element.attribute('PatchingType'),
    isEncrypted: readBoolean(element.attribute('IsEncrypted'), false, 'File: IsEncrypted'),
  };
}

function readEulaFile(element: XmlElement): Writable<EulaFile> {
  const file = readFile(element);
  const language = element.attribute('Language');
  if (language === undefined) throw malformed(`EulaFile ${shown(file.fileName)}: Language is missing`);
  const geoId = element.attribute('GeoId');
  return { ...file, language, geoId: geoId === '' ? undefined : geoId };
}

/**
 * True for the one additional digest that is defined. Another algorithm is passed over: the file still has
 * its SHA-1 and SHA-256 to be checked against.
 */
function isSha256Digest(element: XmlElement): boolean {
  return element.local === 'AdditionalDigest' && element.attribute('Algorithm') === 'SHA256';
}

function readDriver(element: XmlElement): DriverDraft {
  const hardwareId = element.attribute('HardwareID');
  if (hardwareId === undefined) throw malformed('WindowsDriverMetaData: HardwareID is missing');
  return {
    hardwareId,
    driverVerDate: element.attribute('DriverVerDate'),
    driverVerVersion: element.attribute('DriverVerVersion'),
    whqlDriverId: element.attribute('WhqlDriverID'),
    driverClass: element.attribute('Class'),
    company: element.attribute('Company'),
    provider: element.attribute('Provider'),
    manufacturer: element.attribute('Manufacturer'),
    model: element.attribute('Model'),
    featureScores: [],
    distributionComputerHardwareIds: [],
    targetComputerHardwareIds: [],
  };
}

function readCategory(element: XmlElement): CategoryInformation {
  const type = element.attribute('CategoryType');
  const boolean = (name: string): boolean => readBoolean(element.attribute(name), false, name);
  return {
    // A type of a later schema is no reason to refuse the document: it is kept in handlerData as written.
    categoryType: CATEGORY_TYPES.find((each) => each === type),
    prohibitsSubcategories: boolean('ProhibitsSubcategories'),
    prohibitsUpdates: boolean('ProhibitsUpdates'),
    excludedByDefault: boolean('ExcludedByDefault'),
    displayOrder: readInteger(element.attribute('DisplayOrder'), 'DisplayOrder'),
  };
}

const WHAT = 'update document';
// Kept between documents for the names it has learned; each document starts with a reset.
const handler = new UpdateHandler();
const reader = new XmlReader(handler, { encoding: 'utf8-bytes', what: WHAT });

/**
 * `full`: every fact, every character checked. `indexed`: the facts that a store keeps in columns; applicability rules
 * (drivers with them) and texts other than titles are passed over, where only the nesting of elements is checked.
 * They are more than half of many documents, and passing over them takes a third off the time.
 */
export type ParseExtent = 'full' | 'indexed';

/**
 * Reads one update document ([MS-WSUSSS] update schema; package-formats 4).
 *
 * Ids of updates own their memory; other strings may share it with a copy of the document, so whoever keeps the
 * facts of many documents should keep only the fields that are needed.
 *
 * @param document UTF-8 without byte order mark
 * @param extent with `indexed`, `drivers` is empty and localized properties have a title only
 * @throws WsusutilError `UPDATE_MALFORMED` (cause: `XML_MALFORMED` if it is not even XML; details: `offset` in
 *   bytes, and `updateId`, `revisionNumber` once they are known), `LIMIT_EXCEEDED` (see `limits.ts`)
 */
export function parseUpdateDocument(document: Uint8Array, extent: ParseExtent = 'full'): RevisionFacts {
  if (document.length > MAX_UPDATE_DOCUMENT_SIZE) {
    throw new WsusutilError(
      'LIMIT_EXCEEDED',
      `${WHAT}: ${document.length} bytes, at most ${MAX_UPDATE_DOCUMENT_SIZE} are read`,
      { hint: 'No real update comes near this limit: check where the document came from.' },
    );
  }
  if (!isUtf8(document)) {
    throw new WsusutilError('UPDATE_MALFORMED', `${WHAT}: not valid UTF-8`, {
      hint: 'The document is damaged or in another encoding: get it again from where it came.',
    });
  }
  handler.begin(extent);
  try {
    reader.write(Buffer.from(document.buffer, document.byteOffset, document.length).toString('latin1'));
    reader.end();
    return handler.finish();
  } catch (error) {
    throw described(error, handler.draft.identity);
  } finally {
    reader.reset(); // lets go of the document
  }
}

/** Adds to an error which update it is about, as far as that was read. */
function described(error: unknown, identity: UpdateIdentity | undefined): unknown {
  if (!isWsusutilError(error)) return error;
  const isLimit = error.code === 'LIMIT_EXCEEDED';
  const who = identity === undefined ? WHAT : `update ${formatIdentity(identity)}`;
  const text = errorText(error);
  const problem = text.startsWith(`${WHAT}: `) ? text.slice(WHAT.length + 2) : text;
  return new WsusutilError(isLimit ? 'LIMIT_EXCEEDED' : 'UPDATE_MALFORMED', `${who}: ${problem}`, {
    hint: error.hint ?? 'The document is damaged or of an unknown kind: get it again from where it came.',
    details: { ...error.details, ...identity },
    cause: error.code === 'XML_MALFORMED' ? error : undefined,
  });
}
