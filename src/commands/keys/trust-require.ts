import { WsusutilError } from '../../errors.js';
import { defineCommand } from '../declaration.js';
import { changeTrust } from './change-trust.js';

export const trustRequire = defineCommand({
  name: 'trust require',
  summary: 'Set whether .cab and .xml.gz packages must be signed',
  description: [
    'With on, "import" and "verify" refuse a .cab or .xml.gz package without enough signatures beside it. With off, signatures are checked where there are any.',
  ],
  inRealTool: false,
  needsDataDirectory: true,
  positionals: [
    { name: 'state', description: 'on or off', required: true, kind: 'text', suggests: ['on', 'off'] },
  ],
  options: {},
  examples: ['wsusutil trust require on'],
  check({ positionals }) {
    readState(positionals.state);
  },
  async run({ positionals }, context) {
    const requireSignature = readState(positionals.state);
    const { before } = await changeTrust(context, (list) => ({ ...list, requireSignature }));
    return {
      status: 'complete',
      result: { requireSignature, before: before.requireSignature },
      view: {
        kind: 'lines',
        lines: [
          requireSignature
            ? '.cab and .xml.gz packages must be signed.'
            : '.cab and .xml.gz packages may come unsigned.',
        ],
      },
    };
  },
});

/** @throws WsusutilError `USAGE` */
function readState(text: string): boolean {
  const state = text.toLowerCase();
  if (state === 'on' || state === 'off') return state === 'on';
  throw new WsusutilError('USAGE', `"${text}" is neither on nor off`, {
    hint: 'Write "wsusutil trust require on".',
  });
}
