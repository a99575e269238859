import type { MetadataStore } from '../../src/store/metadata-store.js';

/** Writes down, as `sync` does, what an upstream said of its languages. */
export async function rememberLanguages(store: MetadataStore, upstream: string, text: string): Promise<void> {
  const transaction = await store.beginImport();
  await transaction.rememberSync({ upstream, values: { languages: text } });
  await transaction.commit();
}
