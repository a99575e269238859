import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { findVolumes } from '../../carry/find-volumes.js';
import { inspectTransfer, type TransferInspection } from '../../carry/inspect-transfer.js';
import { describeFilters, saveInspectionPage } from '../../carry/inspection-page.js';
import { WsusutilError } from '../../errors.js';
import type { PackageHeader } from '../../model/export-package.js';
import { packageFormatOf } from '../../model/export-package.js';
import { readPackage } from '../../packages/read-package.js';
import type { CommandContext } from '../context.js';
import { defineCommand } from '../declaration.js';
import type { Outcome, TableView, View } from '../outcome.js';
import { formatCount, formatQuantity, formatSize } from '../quantities.js';
import { refuseAddress } from './package-path.js';

const TRANSFER_PACKAGE = /\.tar$/i;
/** Ids shown in one line; `--json` has all. */
const MAX_IDS_SHOWN = 12;
const MAX_UPDATES_SHOWN = 40;

export const inspect = defineCommand({
  name: 'inspect',
  summary: 'Show what a package says of itself, and what its updates fix; needs no store',
  description: [
    'Shows who exported a package, for whom, what it builds on, and what is in it. For a transfer package (.tar) it also lists the KB articles, CVEs and severities of its updates, names the volumes that are missing, and the keys of its signatures.',
    'It reads the beginning of each volume only and verifies no signature: it says what the package claims. "wsusutil verify" checks every byte.',
  ],
  inRealTool: false,
  needsDataDirectory: false,
  csv: true,
  positionals: [
    {
      name: 'package',
      description:
        'Path of the package: .cab, .xml.gz, or .tar; volumes that lie beside it are found, others are given too',
      required: true,
      variadic: true,
      kind: 'file',
    },
  ],
  options: {
    html: {
      type: 'string',
      value: 'path',
      description: 'Also write it as a page to print and sign; an existing file is not overwritten',
      completes: 'file',
    },
  },
  notes: ['With --csv it prints the list of all files of a transfer package, with their digests.'],
  examples: [
    'wsusutil inspect carry.tar',
    'wsusutil inspect carry.tar --html carry.html',
    'wsusutil inspect carry-1.tar carry-2.tar --csv > files.csv',
    'wsusutil inspect export.cab',
  ],
  check({ positionals, options }) {
    const paths = positionals.package;
    const transfers = paths.filter((path) => TRANSFER_PACKAGE.test(path));
    for (const path of paths) refuseAddress('inspect', path);
    if (transfers.length < paths.length && paths.length > 1) {
      throw new WsusutilError('USAGE', 'inspect takes one package at a time', {
        hint: 'Give one .cab or .xml.gz, or the volumes of one transfer package.',
      });
    }
    if (options.html !== undefined && transfers.length === 0) {
      throw new WsusutilError('USAGE', '--html is for transfer packages (.tar)', {
        hint: 'Leave it out; --json gives what is known of a .cab or .xml.gz.',
      });
    }
  },
  async run({ positionals, options }, context) {
    const paths = positionals.package.map((path) => resolve(path));
    const [first] = paths;
    if (first === undefined) throw new Error('no package was given');
    if (!TRANSFER_PACKAGE.test(first)) return inspectExport(first, context);
    const htmlPath = options.html === undefined ? undefined : resolve(options.html);
    const inspection = await inspectTransfer(await findVolumes(first, paths.slice(1)), context);
    if (htmlPath !== undefined) {
      await saveInspectionPage(htmlPath, inspection, context.toolVersion);
    }
    return describeTransfer(inspection, htmlPath);
  },
});

function describeTransfer(inspection: TransferInspection, htmlPath: string | undefined): Outcome {
  const { manifest, digest, volumes, missingVolumes, signatures, fixes } = inspection;
  const { counts, options } = manifest;
  const problems = volumes.flatMap(({ path, problem }) => (problem === undefined ? [] : [{ path, problem }]));
  const isWhole = missingVolumes.length === 0 && problems.length === 0;
  const fields: View = {
    kind: 'fields',
    fields: [
      ['Manifest', `SHA-256 ${digest}`],
      ['Destination', manifest.destination],
      ['Number', formatCount(manifest.sequence)],
      [
        'Builds on',
        manifest.follows === null
          ? 'nothing: it is complete in itself'
          : `number ${formatCount(manifest.followsSequence ?? 0)}, manifest ${manifest.follows}`,
      ],
      ['Made', `${manifest.createdAt} by server ${manifest.serverId}, wsusutil ${manifest.toolVersion}`],
      [
        'Chosen',
        Object.keys(manifest.filters).length === 0 ? 'everything' : describeFilters(manifest.filters),
      ],
      [
        'Content policy',
        `${options.contentPolicy}; languages: ${options.languages.join(', ') || 'none'}; express files: ${options.expressFiles ? 'yes' : 'no'}`,
      ],
      [
        'Updates',
        `${formatCount(counts.updates)} (${formatQuantity(counts.revisions, 'revision')}, ${formatSize(counts.metadataSize)})`,
      ],
      ['Content files', `${formatCount(counts.contentFiles)} (${formatSize(counts.contentSize)})`],
      ['Licence texts', `${formatCount(counts.licences)} (${formatSize(counts.licenceSize)})`],
      ['Volumes', describeVolumes(inspection)],
      ['Announces the key', manifest.nextKey ?? undefined],
      [
        'Signed with',
        signatures.length === 0
          ? 'nothing: it is not signed'
          : signatures.map(({ name, keyId }) =>
              keyId === undefined ? `${name}: not a signature of minisign` : `key ${keyId}, not verified`,
            ),
      ],
    ],
  };
  const closing = [
    ...problems.map(({ path, problem }) => `${path}: ${problem}`),
    'This is what the package says of itself. No signature was verified, and no content file read; "wsusutil verify" does that.',
    ...(htmlPath === undefined ? [] : [`Wrote ${htmlPath}`]),
  ];
  return {
    status: isWhole ? 'complete' : 'incomplete',
    result: {
      format: 'transfer',
      manifest: digest,
      serverId: manifest.serverId,
      destination: manifest.destination,
      sequence: manifest.sequence,
      follows: manifest.follows,
      followsSequence: manifest.followsSequence,
      createdAt: manifest.createdAt,
      toolVersion: manifest.toolVersion,
      filters: manifest.filters,
      options,
      counts,
      products: manifest.products,
      classifications: manifest.classifications,
      nextKey: manifest.nextKey,
      volumes: manifest.volumes,
      volumesSeen: volumes,
      missingVolumes,
      signatures: signatures.map((each) => ({ ...each, isVerified: false })),
      fixes: fixes === undefined ? null : { ...fixes, severities: Object.fromEntries(fixes.severities) },
      html: htmlPath ?? null,
    },
    view: [
      fields,
      ...fixesViews(inspection),
      shareTable('Product', manifest.products),
      shareTable('Classification', manifest.classifications),
      { kind: 'lines', lines: closing },
      entryTable(inspection),
    ],
  };
}

function describeVolumes({ manifest, volumes, missingVolumes }: TransferInspection): string {
  const size = manifest.volumes.reduce((sum, each) => sum + each.size, 0);
  const total = `${formatCount(manifest.volumes.length)} (${formatSize(size)})`;
  const some = volumes.filter(({ only }) => only !== undefined).map(({ number }) => number);
  return [
    total,
    missingVolumes.length === 0 ? 'all here' : `not here: ${missingVolumes.join(', ')}`,
    ...(some.length === 0 ? [] : [`with some of its files only: ${some.join(', ')}`]),
  ].join('; ');
}

function fixesViews({ fixes }: TransferInspection): View[] {
  if (fixes === undefined) {
    return [
      {
        kind: 'lines',
        lines: [
          'What it fixes is not known: it has no update documents, or the volume with them is not here.',
        ],
      },
    ];
  }
  const { updates, kbArticleIds, cveIds, severities } = fixes;
  return [
    {
      kind: 'fields',
      title: 'What it fixes',
      fields: [
        ['Software updates', formatCount(updates.length)],
        [
          'Severities',
          [...severities]
            .map(([severity, count]) => `${severity || 'none given'}: ${formatCount(count)}`)
            .join(', '),
        ],
        ['KB articles', shorten(kbArticleIds.map((kb) => `KB${kb}`))],
        ['CVEs', shorten(cveIds)],
      ],
    },
    {
      kind: 'table',
      forCsv: false,
      columns: [{ title: 'Update', flexible: true }, { title: 'KB' }, { title: 'Severity' }],
      rows: updates
        .slice(0, MAX_UPDATES_SHOWN)
        .map(({ title, kbArticleIds: kbs, severity }) => [
          title,
          shorten(kbs.map((kb) => `KB${kb}`)),
          severity,
        ]),
      emptyText: 'No software updates.',
      footer: () =>
        updates.length > MAX_UPDATES_SHOWN
          ? `and ${formatCount(updates.length - MAX_UPDATES_SHOWN)} more; --html and --json list them`
          : '',
    },
  ];
}

function shorten(ids: readonly string[]): string {
  const rest = ids.length - MAX_IDS_SHOWN;
  const shown = ids.slice(0, MAX_IDS_SHOWN).join(', ');
  return rest > 0 ? `${shown} and ${formatCount(rest)} more` : shown;
}

function shareTable(title: string, shares: TransferInspection['manifest']['products']): TableView {
  return {
    kind: 'table',
    forCsv: false,
    columns: [
      { title, flexible: true },
      { title: 'Updates', align: 'right' },
      { title: 'Content', align: 'right' },
    ],
    rows: shares.map((each) => [each.title, formatCount(each.updates), formatSize(each.size)]),
    emptyText: `No ${title.toLowerCase()} is listed.`,
  };
}

function entryTable({ manifest, volumes }: TransferInspection): TableView {
  const isHere = (index: number, number: number) =>
    volumes.some((volume) => volume.number === number && (volume.only?.includes(index) ?? true));
  return {
    kind: 'table',
    forCsv: true,
    columns: ['Path', 'Kind', 'Size', 'SHA-256', 'SHA-1', 'Volumes', 'Volume here'].map((title) => ({
      title,
    })),
    rows: (function* () {
      for (const [index, { path, kind, size, sha256, sha1, volume, parts }] of manifest.entries.entries()) {
        const numbers = parts?.map((part) => part.volume) ?? [volume];
        yield [
          path,
          kind,
          String(size),
          sha256,
          sha1 ?? '',
          numbers.join(' '),
          numbers.every((number) => isHere(index, number)) ? 'yes' : 'no',
        ];
      }
    })(),
    emptyText: 'No files.',
  };
}

/** What the header of an export package says; its documents are not looked at. */
async function inspectExport(path: string, context: CommandContext): Promise<Outcome> {
  let header: PackageHeader | undefined;
  const parts = readPackage(path, {
    signal: context.signal,
    warn: (code, message) => context.report({ type: 'warning', code, message }),
  });
  for await (const part of parts) {
    if (part.type !== 'header') continue;
    header = part.header;
    break;
  }
  if (header === undefined) {
    throw new WsusutilError('PACKAGE_MALFORMED', `${path} has no header`, { hint: 'Export it again.' });
  }
  const signaturePath = `${path}.minisig`;
  const isSigned = await access(signaturePath).then(
    () => true,
    () => false,
  );
  const enabled = header.languages.filter((each) => each.enabled).map((each) => each.shortName);
  return {
    status: 'complete',
    result: {
      format: packageFormatOf(path),
      package: path,
      header,
      signature: isSigned ? signaturePath : null,
    },
    view: [
      {
        kind: 'fields',
        fields: [
          ['Package', path],
          ['Made', `${header.creationTime} by server ${header.serverId}`],
          [
            'Format',
            `${packageFormatOf(path)}, format ${header.formatVersion}, protocol ${header.protocolVersion}`,
          ],
          ['Languages', `${header.languages.length}, enabled: ${enabled.join(', ')}`],
          ['Signature', isSigned ? `${signaturePath}, not verified` : 'none beside it'],
        ],
      },
      {
        kind: 'lines',
        lines: ['This is what its header says. "wsusutil verify" reads the package to its end.'],
      },
    ],
  };
}
