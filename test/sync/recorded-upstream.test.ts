/** The client against the answers of a real Windows Server 2025, over HTTP. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseUpdateDocument } from '../../src/formats/update-xml/parse-update.js';
import { formatIdentity } from '../../src/model/update-identity.js';
import type { ServerSyncClient } from '../../src/sync/server-sync-client.js';
import { Recording } from '../formats/server-sync/recorded.js';
import { type RecordedUpstream, startRecordedUpstream } from '../helpers/recorded-upstream.js';
import { withSharedData } from '../helpers/shared-data.js';
import { openTestPost } from '../helpers/test-post.js';
import { clientOf, collect } from './client-setup.js';

const DEFENDER = '8c3fcc84-7410-4a95-8b89-a166a0190486';
const DEFINITIONS = 'e0789628-ce08-4437-be74-2495b842f43b';
const SECURITY = '0fa1201d-4330-4fa8-8ae9-b877473b6441';

interface Setup extends AsyncDisposable {
  readonly upstream: RecordedUpstream;
  readonly client: ServerSyncClient;
}

async function connect(recording: Recording): Promise<Setup> {
  const upstream = await startRecordedUpstream(recording);
  const http = openTestPost();
  const client = clientOf(upstream.url, http.post);
  return {
    upstream,
    client,
    async [Symbol.asyncDispose]() {
      await http[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

withSharedData('a client of a recorded server', (directory) => {
  if (!existsSync(directory)) return;
  const recording = new Recording(directory);
  const isUpdate = (number: string) => /^GetUpdateData/.test(recording.facts(number).operation);

  test('from authorization to the lists, every request is one that the real server took', async () => {
    await using setup = await connect(recording);
    const { client, upstream } = setup;
    await client.authorize();
    const { config } = await client.getConfigData();
    expect(config).toMatchObject({
      catalogOnlySync: false,
      maxUpdatesPerRequest: 100,
      protocolVersion: '1.20',
      newConfigAnchor: recording.facts('000005').config?.NewConfigAnchor,
    });
    expect(config.languages).toHaveLength(recording.facts('000005').languages as number);
    const ids = (id: string, delta = false) => [{ id, delta }];
    const answers = [
      ['000006', await client.getRevisionIdList({ anchor: undefined, getConfig: true })],
      [
        '000008',
        await client.getRevisionIdList({
          anchor: undefined,
          getConfig: false,
          categories: ids(DEFENDER),
          classifications: ids(SECURITY),
        }),
      ],
      [
        '000009',
        await client.getRevisionIdList({
          anchor: undefined,
          getConfig: false,
          categories: ids(DEFENDER),
          classifications: ids(DEFINITIONS),
        }),
      ],
      [
        '000011',
        await client.getRevisionIdList({
          anchor: '9438,2026-10-04 16:09:27.371',
          getConfig: false,
          categories: ids(DEFENDER, true),
          classifications: ids(DEFINITIONS, true),
        }),
      ],
      [
        '000012',
        await client.getRevisionIdList({ anchor: '9438,2026-10-04 16:09:27.371', getConfig: false }),
      ],
    ] as const;
    for (const [number, { anchor, revisions }] of answers) {
      const facts = recording.facts(number);
      expect([anchor, revisions.length], number).toEqual([facts.anchor, facts.newRevisions]);
    }
    expect(upstream.refused).toEqual([]);
    expect(upstream.repeated).toEqual([
      ...['000001', '000002', '000003', '000005'],
      ...answers.map(([number]) => number),
    ]);
  });

  test('the configuration since an anchor comes without languages', async () => {
    await using setup = await connect(recording);
    const { config } = await setup.client.getConfigData('9438,2026-10-04 16:09:27.167');
    expect(config.languages).toEqual([]);
    expect(setup.upstream.repeated.at(-1)).toBe('000004');
  });

  test.each(recording.numbers.filter(isUpdate))(
    'the document of exchange %s is the published one',
    async (number) => {
      await using setup = await connect(recording);
      const { blob, compressedBlob } = recording.facts(number);
      const published = (blob?.update ?? compressedBlob?.update) as { updateId: string; revision: number };
      const identity = { updateId: published.updateId.toLowerCase(), revisionNumber: published.revision };
      const { documents, unavailable, unreadable } = await collect(setup.client.getUpdateData([identity]));
      expect([unavailable, unreadable]).toEqual([[], []]);
      const document = documents.get(formatIdentity(identity)) as Uint8Array;
      expect(createHash('sha256').update(document).digest('hex')).toBe(
        blob?.utf8Sha256 ?? compressedBlob?.asUtf8Sha256,
      );
      expect(parseUpdateDocument(document).identity).toEqual(identity);
    },
  );

  test('what the real server was never asked is refused', async () => {
    await using setup = await connect(recording);
    const unknown = [{ updateId: DEFENDER, revisionNumber: 7 }];
    await expect(collect(setup.client.getUpdateData(unknown))).rejects.toMatchObject({
      code: expect.stringMatching(/^UPSTREAM_/),
    });
    expect(setup.upstream.refused).toHaveLength(1);
  });
});
