import { WsusutilError } from '../errors.js';
import { defineCommand } from './declaration.js';

const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;

export const completion = defineCommand({
  name: 'completion',
  summary: 'Print a completion script for a shell',
  description: ['Prints a script that lets a shell complete commands, options, their values and file names.'],
  inRealTool: false,
  needsDataDirectory: false,
  positionals: [{ name: 'shell', description: `One of ${SHELLS.join(', ')}`, required: true, kind: 'text' }],
  options: {},
  examples: [
    'bash:       source <(wsusutil completion bash)',
    'zsh:        source <(wsusutil completion zsh)',
    'fish:       wsusutil completion fish | source',
    'powershell: wsusutil completion powershell | Out-String | Invoke-Expression',
  ],
  async run({ positionals }, { manual }) {
    const shell = SHELLS.find((each) => each === positionals.shell.toLowerCase());
    if (shell === undefined) {
      throw new WsusutilError('USAGE', `unknown shell "${positionals.shell}", expected ${SHELLS.join(', ')}`);
    }
    const script = (await manual?.completion(shell)) ?? '';
    return {
      status: 'complete',
      result: { shell, script },
      view: { kind: 'raw', bytes: new TextEncoder().encode(script) },
    };
  },
});
