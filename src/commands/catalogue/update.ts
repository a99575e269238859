import { isWsusutilError, WsusutilError } from '../../errors.js';
import type { InstallBehavior } from '../../model/revision.js';
import { formatIdentity, parseIdentityArgument } from '../../model/update-identity.js';
import {
  describeUpdate,
  findRevision,
  type NamedUpdate,
  readStoredDocument,
  type UpdateDescription,
} from '../../query/describe-update.js';
import type { MetadataStore, RevisionSummary } from '../../store/metadata-store.js';
import { defineCommand } from '../declaration.js';
import type { View } from '../outcome.js';
import { formatCount, formatInstant, formatSize, isoInstant } from '../quantities.js';

export const update = defineCommand({
  name: 'update',
  summary: 'Show everything known about one update',
  description: [
    'Shows an update: texts, articles, relations, files and installation behaviour. Without a revision number it shows the newest revision.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    {
      name: 'id',
      description: 'UpdateID, with :<revision number> for one revision',
      required: true,
      kind: 'text',
    },
  ],
  options: {
    language: { type: 'string', value: 'tag', description: 'Texts in this language, e.g. de or pt-br' },
    xml: { type: 'boolean', description: 'Print the stored document, byte for byte' },
  },
  examples: [
    'wsusutil update 56309036-4c77-4dd9-951a-99ee9c246a94',
    'wsusutil update 56309036-4c77-4dd9-951a-99ee9c246a94:101 --xml',
  ],
  check({ positionals }) {
    parseId(positionals.id);
  },
  async run({ positionals, options }, context) {
    const { updateId, revisionNumber } = parseId(positionals.id);
    const store = await context.openStore('read');
    try {
      if (options.xml) {
        const { summary } = await findRevision(store, updateId, revisionNumber);
        const document = await readStoredDocument(store, summary);
        return {
          status: 'complete',
          result: { ...summary.identity, xml: Buffer.from(document).toString('utf8') },
          view: { kind: 'raw', bytes: document },
        };
      }
      const language =
        options.language === undefined ? undefined : await titleLanguageOf(options.language, store);
      const found = await describeUpdate(store, updateId, revisionNumber, language);
      return { status: 'complete', result: resultOf(found), view: viewOf(found) };
    } finally {
      await store.close();
    }
  },
});

/** What people have at hand instead of an id is what the search takes: a KB number, the first digits of an id. */
function parseId(text: string): ReturnType<typeof parseIdentityArgument> {
  try {
    return parseIdentityArgument(text);
  } catch (error) {
    const [, kb] = /^kb-?(\d{1,10})$/i.exec(text.trim()) ?? [];
    const search =
      kb !== undefined
        ? `--kb KB${kb}`
        : /^[0-9a-f][0-9a-f-]{3,34}$/i.test(text.trim())
          ? `${text.trim()} --type all`
          : undefined;
    if (search === undefined || !isWsusutilError(error, 'USAGE')) throw error;
    throw new WsusutilError('USAGE', error.message, {
      hint: `"wsusutil updates ${search}" finds the id.`,
      cause: error,
    });
  }
}

function resultOf(found: UpdateDescription): Record<string, unknown> {
  const { summary, facts, ...rest } = found;
  return {
    ...facts,
    ...rest,
    createdAt: isoInstant(facts.createdAt),
    isNewest: summary.isNewest,
    isSuperseded: summary.isSuperseded,
    documentSize: summary.documentSize,
    bundledBy: found.bundledBy.map((each) => each.identity),
    supersededBy: found.supersededBy.map((each) => each.identity),
  };
}

function viewOf(found: UpdateDescription): View[] {
  const { summary, facts } = found;
  const states = [
    facts.publicationState,
    summary.isNewest ? undefined : 'old revision',
    summary.isSuperseded ? 'superseded' : undefined,
    facts.explicitlyDeployable ? undefined : 'not to be approved by itself',
    facts.isBeta ? 'beta' : undefined,
  ];
  const views: View[] = [
    {
      kind: 'fields',
      title: found.title,
      fields: [
        ['Update', formatIdentity(facts.identity)],
        ['Revisions here', found.revisions.length > 1 ? found.revisions.join(', ') : undefined],
        [
          'Type',
          facts.category === undefined
            ? facts.updateType
            : `Category, ${facts.category.categoryType ?? 'without a kind'}`,
        ],
        ['State', states.filter((each) => each !== undefined).join(', ')],
        ['Created', facts.createdAt === undefined ? facts.creationDate : formatInstant(facts.createdAt)],
        ['Severity', facts.msrcSeverity],
        ['KB articles', facts.kbArticleIds.map((kb) => `KB${kb}`).join(', ')],
        ['Bulletins', facts.securityBulletinIds.join(', ')],
        ['CVEs', facts.cveIds.join(', ')],
        ['Description', found.description],
        ['More information', facts.moreInfoUrls],
        ['Support', facts.supportUrl],
        ['Texts in', facts.localized.map((each) => each.language).join(', ')],
        ['Payload serves', facts.languages.join(', ')],
        ['Handler', facts.handlerData?.type ?? facts.handler?.split('/').at(-1)],
        ['Install', describeBehavior(facts.installationBehavior)],
        ['Uninstall', describeBehavior(facts.uninstallationBehavior)],
        [
          'Download size',
          facts.maxDownloadSize === undefined ? undefined : `${formatSize(facts.maxDownloadSize)} at most`,
        ],
        [
          'Licence',
          facts.eulaId === undefined
            ? undefined
            : `${facts.eulaId}, ${facts.eulaFiles.length} texts${facts.requiresReacceptanceOfEula ? ', to be accepted again' : ''}`,
        ],
        ['Detectoid type', facts.detectoidType],
        ['Publisher', facts.publisherId],
        ['Legacy name', facts.legacyName],
        ['Document', formatSize(summary.documentSize)],
      ],
    },
  ];
  addLines(
    views,
    'Prerequisites',
    found.prerequisites.flatMap(({ members, isCategory, atLeastOne }) =>
      atLeastOne && members.length > 1
        ? [
            `${isCategory ? 'one category of' : 'one of'}:`,
            ...members.map((each) => `  ${describeNamed(each)}`),
          ]
        : members.map((each) => `${isCategory ? 'category ' : ''}${describeNamed(each)}`),
    ),
  );
  addLines(
    views,
    'Bundled updates',
    found.bundledUpdates.flatMap(({ members, atLeastOne }) => {
      const names = members.map((each) =>
        describeNamed({ ...each, updateId: `${each.updateId}:${each.revisionNumber}` }),
      );
      return atLeastOne && members.length > 1 ? ['one of:', ...names.map((each) => `  ${each}`)] : names;
    }),
  );
  addLines(views, 'Supersedes', found.supersededUpdates.map(describeNamed));
  addLines(views, 'Superseded by', found.supersededBy.map(describeSummary));
  addLines(views, 'Bundled by', found.bundledBy.map(describeSummary));
  addLines(
    views,
    'Files',
    found.files.flatMap((file) => [
      `${file.fileName}  ${formatSize(file.size)} (${formatCount(file.size)} bytes)${file.patchingType === undefined ? '' : `, ${file.patchingType}`}`,
      `  ${file.contentPath}`,
      ...(file.sha256 === undefined ? [] : [`  SHA-256 ${file.sha256}`]),
      ...(file.url === undefined ? [] : [`  ${file.url}`]),
    ]),
  );
  addLines(
    views,
    'Licence texts',
    facts.eulaFiles.map(
      (file) =>
        `${file.language}${file.geoId === undefined ? '' : `-${file.geoId}`}  ${file.fileName}, ${formatSize(file.size)}`,
    ),
  );
  addLines(
    views,
    'Drivers',
    facts.drivers.map((driver) =>
      [driver.hardwareId, driver.model, driver.provider, driver.driverVerVersion, driver.driverVerDate]
        .filter((each) => each !== undefined)
        .join(', '),
    ),
  );
  addLines(
    views,
    'Installer',
    (facts.handlerData?.items ?? []).map(
      ({ name, attributes }) =>
        `${name} ${Object.entries(attributes)
          .map(([key, value]) => `${key}="${value}"`)
          .join(' ')}`,
    ),
  );
  return views;
}

function addLines(views: View[], title: string, lines: readonly string[]): void {
  if (lines.length > 0) views.push({ kind: 'lines', lines: [title, ...lines.map((line) => `  ${line}`)] });
}

function describeNamed({ updateId, title }: NamedUpdate): string {
  return `${updateId}  ${title ?? '(not in the store)'}`;
}

function describeSummary({ identity, title }: RevisionSummary): string {
  return `${formatIdentity(identity)}  ${title.trim()}`;
}

function describeBehavior(behavior: InstallBehavior | undefined): string | undefined {
  if (behavior === undefined) return undefined;
  const parts = [
    behavior.rebootBehavior,
    behavior.impact === undefined ? undefined : `impact ${behavior.impact}`,
    behavior.canRequestUserInput ? 'may ask the user' : undefined,
    behavior.requiresNetworkConnectivity ? 'needs a network' : undefined,
  ];
  return parts.filter((each) => each !== undefined).join(', ');
}

/** What it takes to read the option is loaded for those who give it. */
async function titleLanguageOf(text: string, store: MetadataStore): Promise<string> {
  const { resolveTitleLanguage } = await import('../../query/resolve-filter.js');
  return resolveTitleLanguage(text, store);
}
