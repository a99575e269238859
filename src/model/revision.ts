import type { ContentFile, EulaFile } from './content-file.js';
import type { UpdateId, UpdateIdentity } from './update-identity.js';

/** `Properties/@UpdateType`. */
export type UpdateType = 'Category' | 'Detectoid' | 'Software' | 'Driver';
export const UPDATE_TYPES: readonly UpdateType[] = ['Category', 'Detectoid', 'Software', 'Driver'];

/** `CategoryInformation/@CategoryType`; a category may have none (package-formats 1.5). */
export type CategoryType = 'Company' | 'ProductFamily' | 'Product' | 'UpdateClassification';
export const CATEGORY_TYPES: readonly CategoryType[] = [
  'Company',
  'ProductFamily',
  'Product',
  'UpdateClassification',
];

export interface LocalizedProperties {
  /** short tag as written, e.g. `en`, `pt-br` */
  readonly language: string;
  readonly title: string | undefined;
  readonly description: string | undefined;
  readonly uninstallNotes: string | undefined;
  readonly moreInfoUrls: readonly string[];
  readonly supportUrl: string | undefined;
}

/**
 * One clause of `Prerequisites`. Clauses are ANDed, the members of one are ORed.
 * A bare `UpdateIdentity` is a clause with one member and `atLeastOne` false.
 */
export interface PrerequisiteClause {
  readonly atLeastOne: boolean;
  /** `AtLeastOne/@IsCategory`. Some documents name their product in a plain group: resolve by looking the id up. */
  readonly isCategory: boolean;
  readonly members: readonly UpdateId[];
}

/** One clause of `BundledUpdates`; members carry their revision. */
export interface BundleClause {
  readonly atLeastOne: boolean;
  readonly members: readonly UpdateIdentity[];
}

/** `InstallationBehavior` / `UninstallationBehavior`. */
export interface InstallBehavior {
  /** `NeverReboots`, `AlwaysRequiresReboot`, `CanRequestReboot` */
  readonly rebootBehavior: string | undefined;
  /** `Normal`, `Minor`, `RequiresExclusiveHandling` */
  readonly impact: string | undefined;
  readonly canRequestUserInput: boolean;
  readonly requiresNetworkConnectivity: boolean;
}

/** `HandlerSpecificData`: which installer, and its commands as name → value. */
export interface HandlerData {
  /** local name of `xsi:type`, e.g. `CommandLineInstallation` */
  readonly type: string;
  /** child elements in order: local name and attributes (namespaces left out) */
  readonly items: readonly { readonly name: string; readonly attributes: Readonly<Record<string, string>> }[];
}

/** `CategoryInformation` of a category document. */
export interface CategoryInformation {
  readonly categoryType: CategoryType | undefined;
  readonly prohibitsSubcategories: boolean;
  readonly prohibitsUpdates: boolean;
  readonly excludedByDefault: boolean;
  readonly displayOrder: number | undefined;
}

/** One `WindowsDriverMetaData`. */
export interface DriverFacts {
  readonly hardwareId: string;
  readonly driverVerDate: string | undefined;
  readonly driverVerVersion: string | undefined;
  readonly whqlDriverId: string | undefined;
  readonly driverClass: string | undefined;
  readonly company: string | undefined;
  readonly provider: string | undefined;
  readonly manufacturer: string | undefined;
  readonly model: string | undefined;
  readonly featureScores: readonly { readonly operatingSystem: string; readonly featureScore: string }[];
  readonly distributionComputerHardwareIds: readonly string[];
  readonly targetComputerHardwareIds: readonly string[];
}

/** Everything the tool knows about one revision from its document alone. */
export interface RevisionFacts {
  readonly identity: UpdateIdentity;
  readonly updateType: UpdateType;
  /** `DefaultPropertiesLanguage`; title fallback */
  readonly defaultLanguage: string | undefined;
  readonly publicationState: string | undefined;
  /** As written. Writers differ: `Z`, an offset, seven fraction digits, or no time at all. */
  readonly creationDate: string | undefined;
  /** milliseconds since 1970 of `creationDate`, undefined if it does not parse */
  readonly createdAt: number | undefined;
  readonly publisherId: string | undefined;
  readonly legacyName: string | undefined;
  readonly detectoidType: string | undefined;
  /** namespace URI of the handler; absent on bundles */
  readonly handler: string | undefined;
  readonly explicitlyDeployable: boolean;
  readonly autoSelectOnWebSites: boolean;
  /** default true */
  readonly isPublic: boolean;
  readonly isBeta: boolean;
  readonly browseOnly: boolean;
  readonly perUser: boolean;
  readonly osUpgrade: boolean;
  /** bytes */
  readonly maxDownloadSize: number | undefined;
  /** bytes */
  readonly minDownloadSize: number | undefined;
  readonly msrcSeverity: string | undefined;
  readonly eulaId: string | undefined;
  readonly requiresReacceptanceOfEula: boolean;
  readonly installationBehavior: InstallBehavior | undefined;
  readonly uninstallationBehavior: InstallBehavior | undefined;
  /** `Properties/Language`: what the payload serves */
  readonly languages: readonly string[];
  readonly supportUrl: string | undefined;
  readonly moreInfoUrls: readonly string[];
  readonly securityBulletinIds: readonly string[];
  /** digits only, no "KB" */
  readonly kbArticleIds: readonly string[];
  readonly cveIds: readonly string[];
  /** `Properties/SecuredFragment` present: URLs or decryption keys are delivered apart */
  readonly hasSecuredFragment: boolean;
  readonly localized: readonly LocalizedProperties[];
  readonly eulaFiles: readonly EulaFile[];
  readonly prerequisites: readonly PrerequisiteClause[];
  readonly bundledUpdates: readonly BundleClause[];
  /** stated on the newer update; update ids, not revisions */
  readonly supersededUpdates: readonly UpdateId[];
  readonly files: readonly ContentFile[];
  readonly handlerData: HandlerData | undefined;
  readonly category: CategoryInformation | undefined;
  readonly drivers: readonly DriverFacts[];
}

/**
 * The localized entry to show: requested language → default language → `en` → first.
 * Languages compare without case.
 */
export function pickLocalized<T extends { readonly language: string }>(
  entries: readonly T[],
  wanted: string | undefined,
  defaultLanguage: string | undefined,
): T | undefined {
  for (const language of [wanted, defaultLanguage, 'en']) {
    if (language === undefined) continue;
    const found = entries.find((entry) => entry.language.toLowerCase() === language.toLowerCase());
    if (found !== undefined) return found;
  }
  return entries[0];
}
