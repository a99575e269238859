/** `verify` of a name that ends in .tar. */
import { resolve } from 'node:path';
import { findVolumes } from '../../carry/find-volumes.js';
import { requireSetSigners } from '../../carry/open-volumes.js';
import { type VerifyTransferSummary, verifyTransfer } from '../../carry/verify-transfer.js';
import type { CommandContext } from '../context.js';
import { currentTrust } from '../keys/change-trust.js';
import type { Outcome, View } from '../outcome.js';
import { formatCount, formatQuantity, formatSize } from '../quantities.js';
import { type SignatureOptions, trustOnly } from './package-signatures.js';

/** Problems and files that people are shown; `--json` has more. */
const MAX_ROWS = 100;

interface TransferVerifyOptions extends SignatureOptions {
  readonly volume: readonly string[];
  readonly 'public-key': readonly string[];
}

/** @throws WsusutilError as `verifyTransfer`; `SIGNATURE_MISSING` */
export async function runTransferVerify(
  path: string,
  options: TransferVerifyOptions,
  context: CommandContext,
): Promise<Outcome> {
  const paths = await findVolumes(
    path,
    options.volume.map((each) => resolve(each)),
  );
  const given = options['public-key'];
  const trust = given.length > 0 ? await trustOnly(given) : await currentTrust(context);
  // A machine in between knows nobody: the signatures are named then, and verified where the package is imported.
  const isKnown = trust.keys.length > 0;
  const summary = await verifyTransfer({
    paths,
    trust: isKnown ? trust : undefined,
    signal: context.signal,
    report: context.report,
  });
  const isDemanded = options['require-signature'] || isKnown;
  if (isDemanded && !options['allow-unsigned']) {
    requireSetSigners(
      summary.verdict ?? { signers: [], threshold: trust.threshold, missing: trust.threshold },
      path,
    );
  }
  return outcomeOf(summary, paths);
}

function outcomeOf(summary: VerifyTransferSummary, paths: readonly string[]): Outcome {
  const { manifest, digest, verdict, claimedSigners, isComplete, problems, problemCount, again } = summary;
  const { volumes } = manifest;
  const { sequence, destination, followsSequence, counts } = manifest;
  return {
    status: isComplete ? 'complete' : 'incomplete',
    result: {
      package: paths[0],
      format: 'tar',
      isComplete,
      serverId: manifest.serverId,
      destination,
      sequence,
      followsSequence,
      manifest: digest,
      createdAt: manifest.createdAt,
      counts,
      signatures:
        verdict === undefined
          ? { verified: false, keyIds: claimedSigners }
          : {
              verified: true,
              threshold: verdict.threshold,
              missing: verdict.missing,
              signers: verdict.signers,
            },
      volumes: summary.volumes,
      missingVolumes: summary.missingVolumes,
      problemCount,
      problems,
      again,
      bytes: summary.bytes,
    },
    view: [
      {
        kind: 'fields',
        fields: [
          ['Package', `${sequence} for ${destination}, made ${manifest.createdAt}`],
          ['From', `server ${manifest.serverId}`],
          ['Builds on', followsSequence === null ? 'nothing' : `package ${followsSequence}`],
          ['Manifest', digest],
          [
            'Signed by',
            verdict === undefined
              ? claimedSigners.length === 0
                ? 'nobody'
                : claimedSigners.map((keyId) => `key ${keyId}, not verified: nobody is trusted here`)
              : verdict.signers.length === 0
                ? 'nobody'
                : verdict.signers.map(({ name, keyId }) => `${name}, key ${keyId}`),
          ],
          ['Volumes', `${formatCount(summary.volumes.length)} of ${formatCount(volumes.length)}`],
          ['Revisions', formatCount(counts.revisions)],
          [
            'Content',
            `${formatQuantity(counts.contentFiles + counts.licences, 'file')} (${formatSize(counts.contentSize + counts.licenceSize)})`,
          ],
          ['Read', formatSize(summary.bytes)],
        ],
      },
      ...problemViews(summary),
      {
        kind: 'lines',
        lines: [
          isComplete
            ? 'The package is whole: every byte is what its manifest says.'
            : problemCount === 0
              ? `What is here is whole. ${describeAgain(again)}`
              : `The package is damaged. ${describeAgain(again)}`,
        ],
      },
    ],
  };
}

function problemViews({ problems, problemCount, again }: VerifyTransferSummary): readonly View[] {
  const views: View[] = [];
  if (problemCount > 0) {
    views.push({
      kind: 'lines',
      lines: [
        ...problems.slice(0, MAX_ROWS).map(({ message }) => message),
        ...(problemCount > MAX_ROWS ? [`${formatCount(problemCount - MAX_ROWS)} more: see --json`] : []),
      ],
    });
  }
  if (again.files.length > 0) {
    views.push({
      kind: 'table',
      columns: [{ title: 'Carry again', flexible: true }],
      rows: again.files.slice(0, MAX_ROWS).map((file) => [file]),
      emptyText: '',
    });
  }
  return views;
}

function describeAgain({ volumes, files, size }: VerifyTransferSummary['again']): string {
  const parts = [
    volumes.length === 0
      ? ''
      : `volume${volumes.length === 1 ? '' : 's'} ${volumes.join(', ')} (export --only-volumes ${volumes.join(',')})`,
    files.length === 0 ? '' : `${formatQuantity(files.length, 'file')} (export --only-files)`,
  ].filter((each) => each !== '');
  return parts.length === 0
    ? 'Every file in it is whole: copy the volume from the medium once more.'
    : `To be carried again: ${parts.join(' and ')}, ${formatSize(size)} of content.`;
}
