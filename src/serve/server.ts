/** A server over one store: everything below a listener, ready to be attached to some. */
import type { BlockList } from 'node:net';
import type { Report } from '../events.js';
import type { LanguageChoice } from '../model/language.js';
import type { MetadataStore } from '../store/metadata-store.js';
import type { AccessEntry } from './access-log.js';
import { ContentFiles } from './content-files.js';
import { CookieSeal } from './cookie-seal.js';
import { Front } from './front.js';
import { DEFAULT_LIMITS, type ServeLimits } from './limits.js';
import { Services } from './services.js';

export interface ServeOptions {
  /** opened to read; the caller closes it after the server has stopped */
  readonly store: MetadataStore;
  /** the folder that holds `00` … `FF` */
  readonly contentFolder: string;
  /** 32 bytes (cookie-key.ts) */
  readonly cookieKey: Uint8Array;
  readonly now: () => Date;
  readonly report: Report;
  /** host names or GUIDs of downstreams, in any case; undefined: any */
  readonly accounts?: readonly string[] | undefined;
  /** languages this server is set to, asked for whenever a downstream asks; default: no choice */
  readonly languageChoice?: (() => Promise<LanguageChoice>) | undefined;
  readonly addresses?: BlockList | undefined;
  readonly hasMetrics?: boolean | undefined;
  readonly onAccess?: ((entry: AccessEntry) => void) | undefined;
  readonly limits?: Partial<ServeLimits> | undefined;
  /** bytes of update documents kept ready */
  readonly cacheSize?: number | undefined;
}

/** Reads the store once through; nothing listens yet. */
export async function openServeFront(options: ServeOptions): Promise<Front> {
  const { store, report, now, accounts } = options;
  const view = await store.serveView();
  const services = new Services({
    store,
    languageChoice: options.languageChoice ?? (async () => 'all'),
    view,
    seal: new CookieSeal(options.cookieKey),
    now,
    accounts: accounts === undefined ? undefined : new Set(accounts.map((name) => name.toLowerCase())),
    onFilesWanted: (sha1s) =>
      report({
        type: 'step',
        message: `A downstream server asks for files that are not here: ${sha1s.slice(0, 5).join(', ')}${sha1s.length > 5 ? ` and ${sha1s.length - 5} more` : ''}`,
      }),
    cacheSize: options.cacheSize,
  });
  const { catalogue } = services;
  await catalogue.refresh();
  if (catalogue.heldBackCount > 0) {
    report({
      type: 'warning',
      code: 'REVISIONS_NOT_OFFERED',
      message: `${catalogue.heldBackCount} of ${catalogue.revisionCount} revisions are not offered: something they need is not in the store ("wsusutil checkstore" names it)`,
    });
  }
  return new Front({
    services,
    content: new ContentFiles(options.contentFolder, view),
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    addresses: options.addresses,
    hasMetrics: options.hasMetrics ?? false,
    onAccess: options.onAccess,
    now,
    report,
  });
}
