/** Update documents, element by element as in package-formats 4.1 to 4.12. Values in, text out; no order, no ids made. */
import { digestToBase64 } from '../../../src/model/digest.js';
import type { UpdateId, UpdateIdentity } from '../../../src/model/update-identity.js';

const BASE = 'http://schemas.microsoft.com/msus/2002/12/';
export const HANDLERS = {
  category: `${BASE}UpdateHandlers/Category`,
  command: `${BASE}UpdateHandlers/CommandLineInstallation`,
  cbs: `${BASE}UpdateHandlers/Cbs`,
  patch: `${BASE}UpdateHandlers/WindowsPatch`,
  driver: `${BASE}UpdateHandlers/WindowsDriver`,
} as const;

const PREFIXES: Readonly<Record<string, string>> = {
  pub: `${BASE}Publishing`,
  cat: HANDLERS.category,
  cmd: HANDLERS.command,
  cbs: HANDLERS.cbs,
  psf: HANDLERS.patch,
  drv: HANDLERS.driver,
  bar: `${BASE}BaseApplicabilityRules`,
  lar: `${BASE}LogicalApplicabilityRules`,
  upd: `${BASE}Update`,
};
const XSI = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export function escapeXml(text: string): string {
  return /[&<>"]/.test(text) ? text.replaceAll(/[&<>"]/g, (character) => ESCAPES[character] as string) : text;
}

export interface LocalizedText {
  readonly language: string;
  readonly title: string;
  readonly description?: string;
  readonly uninstallNotes?: string;
  readonly moreInfoUrl?: string;
  readonly supportUrl?: string;
}

export interface FileText {
  readonly sha1: string;
  readonly sha256: string;
  readonly fileName: string;
  /** bytes */
  readonly size: number;
  readonly modified: string;
  readonly patchingType?: string;
}

export interface EulaText {
  readonly sha1: string;
  readonly sha256: string;
  readonly fileName: string;
  /** bytes */
  readonly size: number;
  readonly language: string;
  readonly geoId?: string;
}

/** A group of alternatives, or one id alone. */
export type Clause =
  | { readonly id: UpdateId }
  | { readonly anyOf: readonly UpdateId[]; readonly isCategory?: boolean };

export interface DocumentText {
  readonly identity: UpdateIdentity;
  /** as the document shall write it; upper case in some real documents */
  readonly writtenId?: string;
  /** prefixes declared on the root, besides `upd` */
  readonly prefixes: readonly string[];
  /** attribute → value, in order; undefined ones are left out */
  readonly properties: Readonly<Record<string, string | number | undefined>>;
  /** children of `Properties`, serialized */
  readonly propertyElements?: string;
  readonly localized: readonly LocalizedText[];
  readonly eulaFiles?: readonly EulaText[];
  readonly prerequisites?: readonly Clause[];
  readonly bundled?: readonly (readonly UpdateIdentity[])[];
  readonly superseded?: readonly UpdateId[];
  /** the element `ApplicabilityRules`, serialized */
  readonly rules?: string;
  readonly files?: readonly FileText[];
  /** the element `HandlerSpecificData`, serialized */
  readonly handlerData?: string;
  /** put behind `Relationships` */
  readonly comment?: string;
}

export function serializeDocument(document: DocumentText): string {
  const prefixes = [...document.prefixes, 'upd']
    .map((prefix) => ` xmlns:${prefix}="${PREFIXES[prefix]}"`)
    .join('');
  const { updateId, revisionNumber } = document.identity;
  return (
    `<upd:Update${prefixes}><upd:UpdateIdentity UpdateID="${document.writtenId ?? updateId}" RevisionNumber="${revisionNumber}" />` +
    `<upd:Properties${attributes(document.properties)}>${document.propertyElements ?? ''}</upd:Properties>` +
    localizedCollection(document) +
    relationships(document) +
    (document.comment === undefined ? '' : `<!--${document.comment}-->`) +
    (document.rules ?? '') +
    files(document.files ?? []) +
    (document.handlerData ?? '') +
    '</upd:Update>'
  );
}

function attributes(values: Readonly<Record<string, string | number | undefined>>): string {
  let text = '';
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) text += ` ${name}="${escapeXml(String(value))}"`;
  }
  return text;
}

/** `<upd:name>text</upd:name>` for each text. */
export function elements(name: string, texts: readonly string[]): string {
  return texts.map((text) => `<upd:${name}>${escapeXml(text)}</upd:${name}>`).join('');
}

function localizedCollection(document: DocumentText): string {
  let text = '<upd:LocalizedPropertiesCollection>';
  for (const entry of document.localized) {
    text += `<upd:LocalizedProperties><upd:Language>${entry.language}</upd:Language><upd:Title>${escapeXml(entry.title)}</upd:Title>`;
    if (entry.description !== undefined) text += elements('Description', [entry.description]);
    if (entry.uninstallNotes !== undefined) text += elements('UninstallNotes', [entry.uninstallNotes]);
    if (entry.moreInfoUrl !== undefined) text += elements('MoreInfoUrl', [entry.moreInfoUrl]);
    if (entry.supportUrl !== undefined) text += elements('SupportUrl', [entry.supportUrl]);
    text += '</upd:LocalizedProperties>';
  }
  for (const eula of document.eulaFiles ?? []) {
    text += `<upd:EulaFile${attributes({
      Digest: digestToBase64(eula.sha1),
      DigestAlgorithm: 'SHA1',
      FileName: eula.fileName,
      Size: eula.size,
      Language: eula.language,
      GeoId: eula.geoId,
    })}><upd:AdditionalDigest Algorithm="SHA256">${digestToBase64(eula.sha256)}</upd:AdditionalDigest></upd:EulaFile>`;
  }
  return `${text}</upd:LocalizedPropertiesCollection>`;
}

function relationships(document: DocumentText): string {
  const { prerequisites = [], bundled = [], superseded = [] } = document;
  if (prerequisites.length + bundled.length + superseded.length === 0) return '';
  let text = '<upd:Relationships>';
  if (superseded.length > 0)
    text += `<upd:SupersededUpdates>${superseded.map((id) => reference(id)).join('')}</upd:SupersededUpdates>`;
  if (prerequisites.length > 0)
    text += `<upd:Prerequisites>${prerequisites.map(prerequisite).join('')}</upd:Prerequisites>`;
  if (bundled.length > 0) {
    text += '<upd:BundledUpdates>';
    for (const members of bundled) {
      const inner = members.map((member) => reference(member.updateId, member.revisionNumber)).join('');
      text += members.length === 1 ? inner : `<upd:AtLeastOne>${inner}</upd:AtLeastOne>`;
    }
    text += '</upd:BundledUpdates>';
  }
  return `${text}</upd:Relationships>`;
}

function reference(updateId: UpdateId, revisionNumber?: number): string {
  return `<upd:UpdateIdentity UpdateID="${updateId}"${
    revisionNumber !== undefined ? ` RevisionNumber="${revisionNumber}"` : ''
  } />`;
}

function prerequisite(clause: Clause): string {
  if ('id' in clause) return reference(clause.id);
  const flag = clause.isCategory === true ? ' IsCategory="true"' : '';
  return `<upd:AtLeastOne${flag}>${clause.anyOf.map((id) => reference(id)).join('')}</upd:AtLeastOne>`;
}

function files(list: readonly FileText[]): string {
  if (list.length === 0) return '';
  let text = '<upd:Files>';
  for (const file of list) {
    text += `<upd:File${attributes({
      Digest: digestToBase64(file.sha1),
      DigestAlgorithm: 'SHA1',
      FileName: file.fileName,
      Size: file.size,
      Modified: file.modified,
      PatchingType: file.patchingType,
    })}><upd:AdditionalDigest Algorithm="SHA256">${digestToBase64(file.sha256)}</upd:AdditionalDigest></upd:File>`;
  }
  return `${text}</upd:Files>`;
}

/** `categoryType` undefined: a category of no type, as a current upstream has hundreds (package-formats 1.5). */
export function categoryData(categoryType: string | undefined, displayOrder?: number): string {
  return `<upd:HandlerSpecificData xsi:type="cat:Category"${XSI}><cat:CategoryInformation${attributes({
    CategoryType: categoryType,
    ProhibitsSubcategories:
      categoryType === 'Product' || categoryType === 'UpdateClassification' ? 'true' : 'false',
    ProhibitsUpdates: categoryType === 'Company' || categoryType === 'ProductFamily' ? 'true' : 'false',
    DisplayOrder: displayOrder,
  })} /></upd:HandlerSpecificData>`;
}

export function commandData(program: string, args: string, returnCodes: readonly number[]): string {
  const codes = returnCodes.map((code) => {
    const reboot = code === 3010 ? ' Reboot="true"' : '';
    return `<cmd:ReturnCode Code="${code}" Result="${code === 0 || code === 3010 ? 'Succeeded' : 'Failed'}"${reboot} />`;
  });
  return `<upd:HandlerSpecificData xsi:type="cmd:CommandLineInstallation"${XSI}><cmd:InstallCommand${attributes(
    {
      Program: program,
      Arguments: args,
    },
  )} xmlns:cmd="${HANDLERS.command}">${codes.join('')}</cmd:InstallCommand></upd:HandlerSpecificData>`;
}

export function cbsData(packageIdentity: string): string {
  return `<upd:HandlerSpecificData xsi:type="cbs:Cbs"${XSI}><cbs:CbsData PackageIdentity="${packageIdentity}" xmlns:cbs="${HANDLERS.cbs}" /></upd:HandlerSpecificData>`;
}

export function patchData(): string {
  return `<upd:HandlerSpecificData xsi:type="psf:WindowsPatch"${XSI}><psf:WindowsPatchData InstallParameters="/q /z" UnpackParameters="/x" xmlns:psf="${HANDLERS.patch}" /></upd:HandlerSpecificData>`;
}

export interface DriverText {
  readonly hardwareId: string;
  readonly verDate: string;
  readonly verVersion: string;
  readonly driverClass: string;
  readonly company: string;
  readonly model: string;
  readonly featureScores: readonly (readonly [operatingSystem: string, score: string])[];
  readonly distributionIds: readonly string[];
  readonly targetIds: readonly string[];
}

export function driverRules(drivers: readonly DriverText[]): string {
  const drv = ` xmlns:drv="${HANDLERS.driver}"`;
  const metadata = drivers.map((driver) => {
    const scores = driver.featureScores.map(
      ([operatingSystem, score]) =>
        `<drv:FeatureScore FeatureScore="${score}" OperatingSystem="${operatingSystem}" />`,
    );
    const distribution = driver.distributionIds.map(
      (id) => `<drv:DistributionComputerHardwareId>${id}</drv:DistributionComputerHardwareId>`,
    );
    const target = driver.targetIds.map(
      (id) => `<drv:TargetComputerHardwareId>${id}</drv:TargetComputerHardwareId>`,
    );
    return `<drv:WindowsDriverMetaData${attributes({
      HardwareID: driver.hardwareId,
      DriverVerDate: driver.verDate,
      DriverVerVersion: driver.verVersion,
      WhqlDriverID: '0',
      Class: driver.driverClass,
      Company: driver.company,
      Provider: driver.company,
      Manufacturer: driver.company,
      Model: driver.model,
    })}${drv}>${scores.join('')}${distribution.join('')}${target.join('')}</drv:WindowsDriverMetaData>`;
  });
  return (
    `<upd:ApplicabilityRules><upd:IsInstalled><drv:WindowsDriverInstalled${drv} /></upd:IsInstalled>` +
    `<upd:IsSuperseded><drv:WindowsDriverSuperseded${drv} /></upd:IsSuperseded>` +
    `<upd:IsInstallable><drv:WindowsDriverInstallable${drv} /></upd:IsInstallable>` +
    `<upd:Metadata>${metadata.join('')}</upd:Metadata></upd:ApplicabilityRules>`
  );
}
