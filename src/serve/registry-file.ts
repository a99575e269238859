import { createAtomicFile } from '../platform/atomic-file.js';

/**
 * UTF-16LE with a mark, as the registry editor itself writes it: any name of a group survives.
 *
 * @throws WsusutilError `TARGET_EXISTS`, `DISK_FULL`, `READ_ONLY`, `WRITE_FAILED`
 */
export async function writeRegistryFile(path: string, text: string): Promise<void> {
  const file = await createAtomicFile(path, { replace: false });
  try {
    await file.write(Buffer.from(`\ufeff${text}`, 'utf16le'));
    await file.commit();
  } catch (error) {
    await file.discard();
    throw error;
  }
}
