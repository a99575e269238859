import { defineCommand } from './declaration.js';

export const help = defineCommand({
  name: 'help',
  summary: 'List the commands, or explain one of them',
  description: ['Lists the commands, or explains one of them.'],
  inRealTool: true,
  needsDataDirectory: false,
  positionals: [
    {
      name: 'command',
      description: 'A command (of one or two words), or "exit-codes" for the table of exit codes',
      required: false,
      variadic: true,
      kind: 'text',
    },
  ],
  options: {},
  examples: ['wsusutil help export', 'wsusutil export /?', 'wsusutil help exit-codes'],
  async run({ positionals }, { manual }) {
    const lines = (await manual?.help(positionals.command)) ?? [];
    return { status: 'complete', result: { text: lines.join('\n') }, view: { kind: 'lines', lines } };
  },
});
