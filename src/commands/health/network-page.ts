/** What `checkhealth --network` does and shows. */
import {
  checkNetwork,
  type EndpointFinding,
  type NetworkFindings,
  type NetworkStep,
} from '../../health/check-network.js';
import type { NetworkSource } from '../../health/network-hosts.js';
import { readSettings, type Settings } from '../../settings/settings.js';
import { upstreamOf } from '../../settings/upstream.js';
import { contentUrlOf } from '../../sync/content-url.js';
import type { CommandContext } from '../context.js';
import type { Outcome, View } from '../outcome.js';
import { formatQuantity } from '../quantities.js';
import { httpOptionsOf } from '../sync/http-options.js';

const STATE_TEXTS: Readonly<Record<NetworkStep['state'], string>> = {
  ok: 'ok',
  failed: 'FAILED',
  skipped: '–',
};

/** @throws WsusutilError `SETTINGS_INVALID`, `READ_FAILED`, `INTERRUPTED` */
export async function networkPage(context: CommandContext): Promise<Outcome> {
  const { settingsPath } = await context.findDataDirectory();
  const settings = await readSettings(settingsPath);
  const source = networkSourceOf(settings);
  const { limitRate: _, ...http } = httpOptionsOf(settings, context, 1);
  const findings = await checkNetwork({ source, http, signal: context.signal });
  const errors = findings.endpoints.filter(({ level }) => level === 'error').length;
  const warnings = findings.endpoints.filter(({ level }) => level === 'warning').length;
  return {
    status: errors === 0 ? 'complete' : 'incomplete',
    result: {
      isReachable: errors === 0,
      errorCount: errors, // the document has its own "warnings"
      warningCount: warnings,
      source: source.isMicrosoftUpdate ? 'microsoft-update' : 'upstream',
      ...findings,
    },
    view: viewOf(findings, errors, warnings),
  };
}

function networkSourceOf(settings: Settings): NetworkSource {
  const { url, isMicrosoftUpdate } = upstreamOf(settings);
  return {
    upstream: url,
    isMicrosoftUpdate,
    contentUrl: isMicrosoftUpdate ? undefined : new URL(settings.upstreamContentUrl ?? contentUrlOf(url)),
    wantsContent: settings.contentPolicy !== 'none',
  };
}

function viewOf({ endpoints, firewall }: NetworkFindings, errors: number, warnings: number): readonly View[] {
  const services = endpoints.filter(({ kind }) => kind === 'web-service');
  const servers = endpoints.filter(({ kind }) => kind === 'content');
  const toDo = adviceOf(endpoints);
  return [
    ...services.map(
      ({ endpoint, why, steps }): View => ({
        kind: 'fields',
        title: `${endpoint} (${why})`,
        fields: steps.map((step) => [
          titleOf(step, 'web-service'),
          `${STATE_TEXTS[step.state]}: ${step.says}`,
        ]),
      }),
    ),
    ...(servers.length === 0 ? [] : [serverTable(servers)]),
    ...(toDo.length === 0 ? [] : [{ kind: 'fields', title: 'What to do', fields: toDo } as const]),
    {
      kind: 'lines',
      lines: [
        errors > 0
          ? `Not reachable: ${formatQuantity(errors, 'error')}, ${formatQuantity(warnings, 'warning')}.`
          : warnings > 0
            ? `Reachable, with ${formatQuantity(warnings, 'warning')}.`
            : 'Reachable.',
        'A firewall must let these connections out (all TCP):',
      ],
    },
    {
      kind: 'table',
      columns: [
        { title: 'From' },
        { title: 'To' },
        { title: 'Port', align: 'right' },
        { title: 'Protocol' },
        { title: 'For', secondary: true },
      ],
      rows: firewall.map(({ from, host, port, protocol, why }) => [from, host, String(port), protocol, why]),
      emptyText: 'None.',
    },
  ];
}

/** What failed and what to do about it, told once for all that fail alike. */
function adviceOf(endpoints: readonly EndpointFinding[]): readonly (readonly [string, readonly string[]])[] {
  const groups = new Map<
    string,
    { readonly name: string; readonly says: string[]; readonly whatToDo: string }
  >();
  for (const { endpoint, level, kind, steps } of endpoints) {
    for (const step of steps) {
      const { name, says, whatToDo } = step;
      if (whatToDo === undefined) continue;
      const key = `${name} ${whatToDo}`;
      const group = groups.get(key) ?? { name: titleOf(step, kind), says: [], whatToDo };
      group.says.push(`${level === 'error' ? 'ERROR' : 'WARNING'}: ${endpoint}: ${says}`);
      groups.set(key, group);
    }
  }
  return [...groups.values()].map(({ name, says, whatToDo }) => [name, [...says, whatToDo]]);
}

function serverTable(servers: readonly EndpointFinding[]): View {
  const names = servers[0]?.steps ?? [];
  return {
    kind: 'table',
    columns: [
      { title: 'Content server', flexible: true },
      ...names.map((step) => ({ title: titleOf(step, 'content') })),
    ],
    rows: servers.map(({ endpoint, steps }) => [endpoint, ...steps.map(({ state }) => STATE_TEXTS[state])]),
    emptyText: 'None.',
  };
}

function titleOf({ name }: NetworkStep, kind: EndpointFinding['kind']): string {
  if (name !== 'Answer') return name;
  return kind === 'web-service' ? 'SOAP ping' : 'HTTP';
}
