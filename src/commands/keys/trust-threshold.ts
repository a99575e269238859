import { WsusutilError } from '../../errors.js';
import { isThreshold, MAX_THRESHOLD } from '../../settings/trust-list.js';
import { defineCommand } from '../declaration.js';
import { changeTrust } from './change-trust.js';

export const trustThreshold = defineCommand({
  name: 'trust threshold',
  summary: 'Set how many signers a package needs',
  description: [
    'Sets how many different signers must have signed a package, as 2 of 3 that are trusted. Each counts once, however often they signed and however many keys of theirs followed each other.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    { name: 'number', description: `Signers, 1 to ${MAX_THRESHOLD}`, required: true, kind: 'text' },
  ],
  options: {},
  examples: ['wsusutil trust threshold 2'],
  check({ positionals }) {
    readThreshold(positionals.number);
  },
  async run({ positionals }, context) {
    const threshold = readThreshold(positionals.number);
    const { before } = await changeTrust(context, (list) => ({ ...list, threshold }));
    const was = before.threshold === threshold ? 'as before' : `was ${before.threshold}`;
    return {
      status: 'complete',
      result: { threshold, before: before.threshold },
      view: { kind: 'lines', lines: [`Signers a package needs: ${threshold}, ${was}`] },
    };
  },
});

/** @throws WsusutilError `USAGE` */
function readThreshold(text: string): number {
  const number = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (isThreshold(number)) return number;
  throw new WsusutilError('USAGE', `"${text}" is no whole number from 1 to ${MAX_THRESHOLD}`, {
    hint: 'Write "wsusutil trust threshold 2" for two signers.',
  });
}
