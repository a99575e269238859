import { resolve } from 'node:path';
import { countsOf, isComplete } from '../packages/import-package.js';
import { verifyPackage } from '../packages/verify-package.js';
import { defineCommand } from './declaration.js';
import { checkSource } from './package-path.js';
import { describeRevisionTypes, formatCount, formatSize } from './quantities.js';

export const verify = defineCommand({
  name: 'verify',
  summary: 'Check that a package is whole and consistent',
  description: [
    'Reads a package from end to end, as an import would, and changes nothing. It needs no data directory and no store, so it runs on a machine in between.',
    'Checked are: the container and its checksums, that both members list the same revisions in the same order, every document and its identity, and that what updates need is in the package too.',
  ],
  inRealTool: false,
  needsDataDirectory: false,
  positionals: [
    { name: 'package', description: 'Path of the package: .cab or .xml.gz', required: true, kind: 'file' },
  ],
  options: {
    strict: { type: 'boolean', description: 'Fail if something that an update needs is not in the package' },
  },
  examples: ['wsusutil verify export.cab', 'wsusutil verify export.xml.gz --json'],
  check({ positionals }) {
    checkSource('verify', positionals.package);
  },
  async run({ positionals, options }, context) {
    const summary = await verifyPackage({
      path: resolve(positionals.package),
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
      },
      view: [
        {
          kind: 'fields',
          fields: [
            ['Package', summary.path],
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
