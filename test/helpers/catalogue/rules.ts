/**
 * `ApplicabilityRules` as real documents write them: nested `lar:` expressions over `bar:`, `cbsar:` and `mar:`
 * tests, with the prefix declared again on nearly every leaf (package-formats 4.1 and 4.12).
 */
import { type SeededRandom, seededRandom } from '../seeded-random.js';

const BASE = 'http://schemas.microsoft.com/msus/2002/12/';
const BAR = ` xmlns:bar="${BASE}BaseApplicabilityRules"`;
const CBSAR = ` xmlns:cbsar="${BASE}CbsApplicabilityRules"`;
const MAR = ` xmlns:mar="${BASE}MsiApplicabilityRules"`;
const LAR = ` xmlns:lar="${BASE}LogicalApplicabilityRules"`;

const COMPARISONS = ['EqualTo', 'GreaterThanOrEqualTo', 'LessThan', 'LessThanOrEqualTo', 'GreaterThan'];
const SUBKEYS = [
  'SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion',
  'SOFTWARE\\Microsoft\\Internet Explorer',
  'SYSTEM\\CurrentControlSet\\Control\\Nls\\Language',
  'SOFTWARE\\Microsoft\\NET Framework Setup\\NDP\\v4\\Full',
  'SOFTWARE\\Microsoft\\Office\\16.0\\Common\\InstallRoot',
  'SOFTWARE\\Wow6432Node\\Microsoft\\Microsoft SQL Server',
  'software\\microsoft\\exchange\\setup',
];
const VALUES = ['CurrentBuild', 'Version', 'Release', 'InstallLanguage', 'ProductId', 'NewestBuild', 'UBR'];
const SYSTEM_FILES = [
  'ntoskrnl.exe',
  'win32k.sys',
  'mshtml.dll',
  'drivers\\afd.sys',
  'kernel32.dll',
  'msxml6.dll',
];

export function version(random: SeededRandom): string {
  return `${random.integer(6, 16)}.${random.integer(0, 3)}.${random.integer(1000, 26_000)}.${random.integer(0, 9_000)}`;
}

/** Most tests of real documents occur in many of them: three of four come from a stock of 64. */
function test(unique: SeededRandom): string {
  const random = unique.chance(0.75) ? seededRandom(unique.integer(0, 63)) : unique;
  const comparison = random.pick(COMPARISONS);
  const subkey = random.pick(SUBKEYS);
  const value = random.pick(VALUES);
  switch (random.integer(0, 9)) {
    case 0:
    case 1:
      return `<bar:RegDword Key="HKEY_LOCAL_MACHINE" Subkey="${subkey}" Value="${value}" Comparison="${comparison}" Data="${random.integer(0, 60_000)}"${BAR} />`;
    case 2:
      return `<bar:RegSz Key="HKEY_LOCAL_MACHINE" Subkey="${subkey}" Value="${value}" Comparison="EqualTo" Data="${random.integer(1025, 3076).toString(16).padStart(4, '0')}"${BAR} />`;
    case 3:
      return `<bar:RegKeyExists Key="HKEY_LOCAL_MACHINE" Subkey="${subkey}\\${random.integer(1, 40)}"${BAR} />`;
    case 4:
      return `<bar:FileVersion Path="${random.pick(SYSTEM_FILES)}" Comparison="${comparison}" Version="${version(random)}" Csidl="37"${BAR} />`;
    case 5:
      return `<bar:WindowsVersion Comparison="EqualTo" MajorVersion="${random.pick([6, 10])}" MinorVersion="${random.integer(0, 3)}" ProductType="${random.integer(1, 3)}"${BAR} />`;
    case 6:
      return `<bar:Processor Architecture="${random.pick([0, 5, 9, 12])}"${BAR} />`;
    case 7:
      return `<mar:MsiProductInstalled ProductCode="{${random.guid().toUpperCase()}}"${MAR} />`;
    case 8:
      return `<bar:RegSzToVersion Key="HKEY_LOCAL_MACHINE" Subkey="${subkey}" Value="Version" Comparison="${comparison}" Data="${version(random)}"${BAR} />`;
    default:
      return `<bar:RegValueExists Key="HKEY_LOCAL_MACHINE" Subkey="${subkey}" Value="${value}" Type="REG_SZ"${BAR} />`;
  }
}

/** One expression with about `testCount` tests in it, nested as deep as that makes it. */
export function expression(random: SeededRandom, testCount: number): string {
  if (testCount <= 1) return random.chance(0.2) ? `<lar:Not>${test(random)}</lar:Not>` : test(random);
  const operator = random.chance(0.5) ? 'And' : 'Or';
  let left = testCount;
  let inner = '';
  while (left > 0) {
    const part = left > 3 && random.chance(0.5) ? random.integer(2, left - 1) : 1;
    inner += expression(random, part);
    left -= part;
  }
  return `<lar:${operator}>${inner}</lar:${operator}>`;
}

/** `lar:And` and `lar:Or` in turn, `depth` levels deep, with one test per level: no limit of ours may cut it. */
export function deepExpression(random: SeededRandom, depth: number): string {
  let result = test(random);
  for (let level = 0; level < depth; level++) {
    const operator = level % 2 === 0 ? 'Or' : 'And';
    result = `<lar:${operator}>${test(random)}${result}</lar:${operator}>`;
  }
  return result;
}

/** The top of a rule: the logical prefix is declared on the root and again here. */
export function rule(element: 'IsInstalled' | 'IsInstallable' | 'IsSuperseded', body: string): string {
  return `<upd:${element}><lar:And${LAR}>${body}</lar:And></upd:${element}>`;
}

/** Both rules of a servicing package, by its identity. */
export function cbsRules(packageIdentity: string): string {
  return (
    `<upd:ApplicabilityRules><upd:IsInstalled><cbsar:CbsPackageInstalledByIdentity PackageIdentity="${packageIdentity}"${CBSAR} /></upd:IsInstalled>` +
    `<upd:IsInstallable><cbsar:CbsPackageInstallableByIdentity PackageIdentity="${packageIdentity}"${CBSAR} /></upd:IsInstallable></upd:ApplicabilityRules>`
  );
}

const DEFENDER = 'SOFTWARE\\Microsoft\\Windows Defender';

function signatureVersion(file: string, comparison: string, versionText: string): string {
  return `<bar:FileVersionPrependRegSz Path="${file}" Comparison="${comparison}" Version="${versionText}" Key="HKEY_LOCAL_MACHINE" Subkey="${DEFENDER}\\Signature Updates" Value="SignatureLocation"${BAR} />`;
}

function defenderFlag(value: string): string {
  return `<bar:RegDword Key="HKEY_LOCAL_MACHINE" Subkey="${DEFENDER}\\Miscellaneous Configuration" Value="${value}" Comparison="GreaterThanOrEqualTo" Data="1"${BAR} />`;
}

/** Rules of a delta that fits on any of the versions in `from`: two tests for each. */
export function deltaRules(versionText: string, from: readonly string[]): string {
  const installed =
    signatureVersion('mpasdlta.vdm', 'GreaterThanOrEqualTo', versionText) +
    signatureVersion('mpavdlta.vdm', 'GreaterThanOrEqualTo', versionText) +
    `<lar:Not>${defenderFlag('DeltaUpdateFailure')}</lar:Not>`;
  const bases = from
    .map(
      (base) =>
        `<lar:And>${signatureVersion('mpasdlta.vdm', 'EqualTo', base)}${signatureVersion('mpavdlta.vdm', 'EqualTo', base)}</lar:And>`,
    )
    .join('');
  const installable =
    `<lar:Not><bar:RegValueExists Key="HKEY_LOCAL_MACHINE" Subkey="${DEFENDER}\\Diagnostics\\BlockedVersions\\Signatures" Value="${versionText}" Type="REG_BINARY"${BAR} /></lar:Not>` +
    `<lar:Or>${defenderFlag('DeltaUpdateFailure')}${defenderFlag('BddUpdateFailure')}${bases === '' ? '' : `<lar:Not><lar:Or>${bases}</lar:Or></lar:Not>`}</lar:Or>`;
  return `<upd:ApplicabilityRules>${rule('IsInstalled', installed)}${rule('IsInstallable', installable)}</upd:ApplicabilityRules>`;
}
