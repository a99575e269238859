import { resolve } from 'node:path';
import { countsOf, isComplete } from '../../packages/import-package.js';
import { verifyPackage } from '../../packages/verify-package.js';
import { defineCommand } from '../declaration.js';
import { describeRevisionTypes, formatCount, formatSize } from '../quantities.js';
import { checkNetwork, NETWORK_OPTION } from './network-option.js';
import { refuseAddress } from './package-path.js';
import {
  checkPackageSignatures,
  checkSignatureOptions,
  describeSigners,
  SIGNATURE_OPTIONS,
  signaturesJson,
} from './package-signatures.js';
import { VOLUME_OPTION } from './transfer-import.js';
import { isTransferPackage, refuseTransferOptions } from './transfer-options.js';
import { runTransferVerify } from './transfer-verify.js';

export const verify = defineCommand({
  name: 'verify',
  summary: 'Check that a package is whole and consistent',
  description: [
    'Reads a package from end to end, as an import would, and changes nothing. It needs no data directory and no store, so it runs on a machine in between.',
    'Checked are: the container and its checksums, that both members list the same revisions in the same order, every document and its identity, and that what updates need is in the package too.',
    'Of a transfer package (.tar) every byte is checked against its signed manifest, for all volumes beside the one that is named; what is damaged or missing is told, and what must be carried again.',
  ],
  inRealTool: false,
  needsDataDirectory: false,
  positionals: [
    {
      name: 'package',
      description: 'Path of the package: .cab, .xml.gz, or a volume of a transfer package (.tar)',
      required: true,
      kind: 'file',
    },
  ],
  options: {
    ...SIGNATURE_OPTIONS,
    'public-key': {
      type: 'strings',
      value: 'key',
      description:
        'Demand a signature of this key, a .pub file or its one line; the trust list is left out of it',
    },
    volume: VOLUME_OPTION,
    network: NETWORK_OPTION,
    strict: { type: 'boolean', description: 'Fail if something that an update needs is not in the package' },
  },
  examples: ['wsusutil verify export.cab', 'wsusutil verify export.xml.gz --json'],
  notes: [
    'Signatures of "wsusutil sign" or of minisign that lie beside the package (<package>.minisig, <package>.2.minisig, …) are checked too: against the trust list of the data directory if there is one, or against --public-key.',
  ],
  check({ positionals, options }) {
    refuseAddress('verify', positionals.package);
    checkNetwork(options);
    checkSignatureOptions(options, options['public-key']);
    if (!isTransferPackage(positionals.package)) refuseTransferOptions(options, ['volume']);
  },
  async run({ positionals, options }, context) {
    const path = resolve(positionals.package);
    if (isTransferPackage(path)) return runTransferVerify(path, options, context);
    const signatures = await checkPackageSignatures(path, options, context, options['public-key']);
    const summary = await verifyPackage({
      path,
      confirm: signatures.confirm,
      now: context.now,
      signal: context.signal,
      report: context.report,
      threads: context.threads,
      strict: options.strict,
    });
    const { header, newByType } = summary;
    return {
      status: isComplete(summary) ? 'complete' : 'incomplete',
      result: {
        package: summary.path,
        format: summary.format,
        header,
        ...countsOf(summary),
        byType: newByType,
        conflictList: summary.conflicts,
        missingList: summary.missing,
        signatures: signaturesJson(signatures),
      },
      view: [
        {
          kind: 'fields',
          fields: [
            ['Package', summary.path],
            ['Signed', describeSigners(signatures)],
            ['Made', `${header.creationTime} by server ${header.serverId}`],
            [
              'Format',
              `${summary.format}, format ${header.formatVersion}, protocol ${header.protocolVersion}`,
            ],
            [
              'Languages',
              `${header.languages.length}, enabled: ${header.languages
                .filter((each) => each.enabled)
                .map((each) => each.shortName)
                .join(', ')}`,
            ],
            ['Updates', formatCount(summary.newUpdates)],
            ['Revisions', `${formatCount(summary.revisions)} (${formatSize(summary.documentBytes)})`],
            ['Types', describeRevisionTypes(newByType)],
            ['Files listed', formatCount(summary.files)],
            ['Missing', summary.missingCount === 0 ? 'nothing' : formatCount(summary.missingCount)],
          ],
        },
        {
          kind: 'lines',
          lines: [
            isComplete(summary)
              ? 'The package is whole and consistent.'
              : 'The package is whole, but updates in it need others that are not in it; the warnings name them.',
          ],
        },
      ],
    };
  },
});
