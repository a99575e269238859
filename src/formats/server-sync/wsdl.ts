/**
 * Descriptions of the services (WSDL 1.1), for clients that are made from one. Downstream servers need none
 * (server-sync-protocol 18). Types are those of its appendix B, written short:
 *
 *     name:type   0 or 1      name:type!   exactly 1      name:item[]   <name> with any number of <item>
 */
import { DSS_AUTH_NAMESPACE, MONITORABLE_NAMESPACE, SERVER_SYNC_NAMESPACE } from './service.js';

const GUID_NAMESPACE = 'http://microsoft.com/wsdl/types/';

/** Types of the schema language; everything else is of the service's own. */
const SIMPLE: Readonly<Record<string, string>> = {
  string: 's:string',
  int: 's:int',
  short: 's:short',
  unsignedByte: 's:unsignedByte',
  boolean: 's:boolean',
  dateTime: 's:dateTime',
  base64Binary: 's:base64Binary',
  guid: 'g:guid',
};

const SUMMARY_COUNTS = [
  'UpdateCount',
  'DeclinedUpdateCount',
  'ApprovedUpdateCount',
  'NotApprovedUpdateCount',
  'UpdatesWithStaleUpdateApprovalsCount',
  'ExpiredUpdateCount',
  'CriticalOrSecurityUpdatesNotApprovedForInstallCount',
  'WsusInfrastructureUpdatesNotApprovedForInstallCount',
  'UpdatesWithClientErrorsCount',
  'UpdatesWithServerErrorsCount',
  'UpdatesNeedingFilesCount',
  'UpdatesNeededByComputersCount',
  'UpdatesUpToDateCount',
  'CustomComputerTargetGroupCount',
  'ComputerTargetCount',
  'ComputerTargetsNeedingUpdatesCount',
  'ComputerTargetsWithUpdateErrorsCount',
  'ComputersUpToDateCount',
];

type Types = Readonly<Record<string, string>>;

const COOKIE: Types = { Cookie: 'Expiration:dateTime! EncryptedData:base64Binary' };

const AUTHORIZATION: Types = { AuthorizationCookie: 'PlugInId:string CookieData:base64Binary' };

const SYNC_TYPES: Types = {
  ...COOKIE,
  ...AUTHORIZATION,
  AuthPlugInInfo: 'PlugInID:string ServiceUrl:string Parameter:string',
  ServerAuthConfig: 'LastChange:dateTime! AuthInfo:AuthPlugInInfo[] AllowedEventIds:int[]',
  ServerSyncLanguageData: 'LanguageID:int! ShortLanguage:string LongLanguage:string Enabled:boolean!',
  ServerSyncConfigData:
    'CatalogOnlySync:boolean! LazySync:boolean! ServerHostsPsfFiles:boolean! MaxNumberOfComputerIdsInRequest:int! MaxNumberOfDriverSetsPerRequest:int! MaxNumberOfPnpHardwareIdsInRequest:int! MaxNumberOfUpdatesPerRequest:int! NewConfigAnchor:string ProtocolVersion:string LanguageUpdateList:ServerSyncLanguageData[] MaxUpdatesPerRequestInGetUpdateDecryptionData:int!',
  Version: '',
  IdAndDelta: 'Id:guid! Delta:boolean!',
  LanguageAndDelta: 'Id:int! Delta:boolean!',
  HardwareIdAndDelta: 'Id:string Delta:boolean!',
  UpdateIdentity: 'UpdateID:guid! RevisionNumber:int!',
  ServerSyncFilter:
    'DssProtocolVersion:Version Anchor:string GetConfig:boolean! Get63LanguageOnly:boolean Categories:IdAndDelta[] Classifications:IdAndDelta[] Languages:LanguageAndDelta[]',
  RevisionIdList: 'Anchor:string NewRevisions:UpdateIdentity[]',
  ServerSyncUpdateData:
    'Id:UpdateIdentity XmlUpdateBlob:string FileDigestList:base64Binary[] XmlUpdateBlobCompressed:base64Binary',
  ServerSyncUrlData: 'FileDigest:base64Binary MUUrl:string UssUrl:string DecryptionKey:base64Binary',
  ServerUpdateData: 'updates:ServerSyncUpdateData[] fileUrls:ServerSyncUrlData[]',
  ServerSyncFileDecryption: 'FileDigest:base64Binary DecryptionKey:base64Binary',
  ServerSyncUpdateFileDecryption: 'UpdateId:UpdateIdentity FileDecryptionData:ServerSyncFileDecryption[]',
  ServerDecryptionData: 'UpdateFileDecryptionData:ServerSyncUpdateFileDecryption[]',
  ServerSyncTargetGroup: 'TargetGroupID:guid! ParentGroupId:guid! Name:string IsBuiltin:boolean!',
  ServerSyncDeployment:
    'UpdateId:guid! RevisionNumber:int! Action:int! AdminName:string Deadline:dateTime! IsAssigned:boolean! GoLiveTime:dateTime! DeploymentGuid:guid! TargetGroupId:guid! DownloadPriority:unsignedByte!',
  ServerSyncDeploymentResult:
    'Anchor:string Groups:ServerSyncTargetGroup[] Deployments:ServerSyncDeployment[] DeadDeployments:guid[] HiddenUpdates:guid[] AcceptedEulas:guid[]',
  ServerSyncDriverFilter:
    'DssProtocolVersion:Version Anchor:string Categories:IdAndDelta[] ComputerIds:IdAndDelta[] PnpHardwareIds:HardwareIdAndDelta[]',
  DriverSetAndRevisionIdList:
    'Anchor:string NewRevisions:UpdateIdentity[] NewDriverSets:guid[] RemovedDriverSets:guid[]',
  ServerSyncDriverSetData: 'DriverSetId:guid! DriverSetXml:string',
  ServerDriverSetData: 'DriverSets:ServerSyncDriverSetData[]',
};

const REPORTING_TYPES: Types = {
  ...COOKIE,
  RollupConfiguration:
    'DoDetailedRollup:boolean! RollupResetGuid:guid! ServerId:guid! RollupDownstreamServersMaxBatchSize:int! RollupComputersMaxBatchSize:int! GetOutOfSyncComputersMaxBatchSize:int! RollupComputerStatusMaxBatchSize:int!',
  DownstreamServerRollupServerSummary: SUMMARY_COUNTS.map((name) => `${name}:int!`).join(' '),
  DownstreamServerRollupClientActivitySummary:
    'UpdateId:guid! RevisionNumber:int! InstallSuccessCount:int! InstallFailureCount:int!',
  DownstreamServerRollupClientSummary:
    'OSMajorVersion:int! OSMinorVersion:int! OSBuildNumber:int! OSServicePackMajorNumber:int! OSServicePackMinorNumber:int! OSLocale:string SuiteMask:short! OldProductType:unsignedByte! NewProductType:int! SystemMetrics:int! ProcessorArchitecture:string Count:int! ActivitySummaries:DownstreamServerRollupClientActivitySummary[]',
  DownstreamServerRollupInfo:
    'ServerId:guid! FullDomainName:string LastSyncTime:dateTime! ParentServerId:guid! Version:string IsReplica:boolean! LastRollupTime:dateTime! ServerSummary:DownstreamServerRollupServerSummary ClientSummaries:DownstreamServerRollupClientSummary[]',
};

const MONITORABLE_TYPES: Types = {
  MonitoredServicesResponse:
    'SuccessFlag:boolean! ServicesTime:dateTime! ServicesName:string ServicesMachine:string IsHttps:boolean! RequestContentType:string ConfigFilePath:string ConfigFileProjectName:string ConfigFileEnvironmentName:string ConfigFileLastModifiedTime:dateTime! ConfigFileVersion:string ConfigFileNextExpirationTime:dateTime! ConfigFileExpirationModuloInMinutes:int! DatabaseInfo:string CustomInfo:string',
};

interface OperationShape {
  readonly name: string;
  /** fields of the request */
  readonly request: string;
  /** type of `<name>Result`; undefined: the response is empty */
  readonly result: string | undefined;
}

interface Part {
  readonly namespace: string;
  readonly types: Types;
  readonly operations: readonly OperationShape[];
}

const PING: Part = {
  namespace: MONITORABLE_NAMESPACE,
  types: MONITORABLE_TYPES,
  operations: [{ name: 'Ping', request: 'pingLevel:int!', result: 'MonitoredServicesResponse' }],
};

const operation = (name: string, request: string, result?: string): OperationShape => ({
  name,
  request,
  result,
});

const PARTS: Readonly<Record<string, Part>> = {
  ServerSyncWebService: {
    namespace: SERVER_SYNC_NAMESPACE,
    types: SYNC_TYPES,
    operations: [
      operation('GetAuthConfig', '', 'ServerAuthConfig'),
      operation(
        'GetCookie',
        'authCookies:AuthorizationCookie[] oldCookie:Cookie protocolVersion:string',
        'Cookie',
      ),
      operation('GetConfigData', 'cookie:Cookie configAnchor:string', 'ServerSyncConfigData'),
      operation('GetRevisionIdList', 'cookie:Cookie filter:ServerSyncFilter', 'RevisionIdList'),
      operation('GetUpdateData', 'cookie:Cookie updateIds:UpdateIdentity[]', 'ServerUpdateData'),
      operation(
        'GetUpdateDecryptionData',
        'cookie:Cookie updateIds:UpdateIdentity[]',
        'ServerDecryptionData',
      ),
      operation('GetRelatedRevisionsForUpdates', 'cookie:Cookie updateIDs:guid[]', 'UpdateIdentity[]'),
      operation('DownloadFiles', 'cookie:Cookie fileDigestList:base64Binary[]'),
      operation(
        'GetDeployments',
        'cookie:Cookie deploymentAnchor:string syncAnchor:string',
        'ServerSyncDeploymentResult',
      ),
      operation(
        'GetDriverIdList',
        'cookie:Cookie filter:ServerSyncDriverFilter',
        'DriverSetAndRevisionIdList',
      ),
      operation('GetDriverSetData', 'cookie:Cookie driverSets:guid[]', 'ServerDriverSetData'),
    ],
  },
  DssAuthWebService: {
    namespace: DSS_AUTH_NAMESPACE,
    types: AUTHORIZATION,
    operations: [
      operation(
        'GetAuthorizationCookie',
        'accountName:string accountGuid:string programKeys:guid[]',
        'AuthorizationCookie',
      ),
    ],
  },
  ReportingWebService: {
    namespace: SERVER_SYNC_NAMESPACE,
    types: REPORTING_TYPES,
    operations: [
      operation('GetRollupConfiguration', 'cookie:Cookie', 'RollupConfiguration'),
      operation(
        'RollupDownstreamServers',
        'cookie:Cookie clientTime:dateTime! downstreamServers:DownstreamServerRollupInfo[]',
      ),
    ],
  },
};

/**
 * @param service `ServerSyncWebService`, `DssAuthWebService` or `ReportingWebService`
 * @param address absolute URL of the service, escaped for XML
 */
export function writeWsdl(service: keyof typeof PARTS, address: string): string {
  const part = PARTS[service];
  if (part === undefined) throw new Error(`there is no service ${service}`);
  const parts = [part, PING];
  const prefixes = new Map(parts.map(({ namespace }, index) => [namespace, index === 0 ? 'tns' : 'm']));
  const prefixOf = (namespace: string) => prefixes.get(namespace) as string;
  const operations = parts.flatMap(({ namespace, operations: all }) =>
    all.map((each) => ({ ...each, namespace, prefix: prefixOf(namespace) })),
  );
  const messages = operations
    .map(
      ({ name, prefix }) =>
        `<wsdl:message name="${name}SoapIn"><wsdl:part name="parameters" element="${prefix}:${name}"/></wsdl:message>` +
        `<wsdl:message name="${name}SoapOut"><wsdl:part name="parameters" element="${prefix}:${name}Response"/></wsdl:message>`,
    )
    .join('');
  const ports = operations
    .map(
      ({ name }) =>
        `<wsdl:operation name="${name}"><wsdl:input message="tns:${name}SoapIn"/><wsdl:output message="tns:${name}SoapOut"/></wsdl:operation>`,
    )
    .join('');
  const bindings = operations
    .map(
      ({ name, namespace }) =>
        `<wsdl:operation name="${name}"><soap:operation soapAction="${namespace}/${name}" style="document"/>` +
        '<wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>',
    )
    .join('');
  return (
    '<?xml version="1.0" encoding="utf-8"?>' +
    `<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:s="http://www.w3.org/2001/XMLSchema" xmlns:g="${GUID_NAMESPACE}" xmlns:tns="${part.namespace}" xmlns:m="${MONITORABLE_NAMESPACE}" targetNamespace="${part.namespace}">` +
    `<wsdl:types>${parts.map((each) => schemaOf(each, prefixOf(each.namespace))).join('')}${GUID_SCHEMA}</wsdl:types>` +
    messages +
    `<wsdl:portType name="${service}Soap">${ports}</wsdl:portType>` +
    `<wsdl:binding name="${service}Soap" type="tns:${service}Soap"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>${bindings}</wsdl:binding>` +
    `<wsdl:service name="${service}"><wsdl:port name="${service}Soap" binding="tns:${service}Soap"><soap:address location="${address}"/></wsdl:port></wsdl:service>` +
    '</wsdl:definitions>'
  );
}

const GUID_SCHEMA = `<s:schema elementFormDefault="qualified" targetNamespace="${GUID_NAMESPACE}"><s:simpleType name="guid"><s:restriction base="s:string"><s:pattern value="[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"/></s:restriction></s:simpleType></s:schema>`;

function schemaOf({ namespace, types, operations }: Part, prefix: string): string {
  const lists = new Set<string>();
  const fieldsOf = (text: string) =>
    text
      .split(' ')
      .filter((each) => each !== '')
      .map((each) => fieldOf(each, prefix, lists))
      .join('');
  const elements = operations.map(({ name, request, result }) => {
    const inside = result === undefined ? '' : fieldOf(`${name}Result:${result}`, prefix, lists);
    return (
      `<s:element name="${name}">${complex(fieldsOf(request))}</s:element>` +
      `<s:element name="${name}Response">${complex(inside)}</s:element>`
    );
  });
  const named = Object.entries(types).map(([name, fields]) => complex(fieldsOf(fields), name));
  const arrays = [...lists].map((item) =>
    complex(
      `<s:element minOccurs="0" maxOccurs="unbounded" name="${item}" type="${typeOf(item, prefix)}"/>`,
      arrayName(item),
    ),
  );
  return (
    `<s:schema elementFormDefault="qualified" targetNamespace="${namespace}"><s:import namespace="${GUID_NAMESPACE}"/>` +
    `${elements.join('')}${named.join('')}${arrays.join('')}</s:schema>`
  );
}

function fieldOf(text: string, prefix: string, lists: Set<string>): string {
  const [name = '', type = ''] = text.split(':');
  const isRequired = type.endsWith('!');
  const bare = isRequired ? type.slice(0, -1) : type;
  if (!bare.endsWith('[]')) {
    return `<s:element minOccurs="${isRequired ? 1 : 0}" maxOccurs="1" name="${name}" type="${typeOf(bare, prefix)}"/>`;
  }
  const item = bare.slice(0, -2);
  lists.add(item);
  return `<s:element minOccurs="0" maxOccurs="1" name="${name}" type="${prefix}:${arrayName(item)}"/>`;
}

function complex(fields: string, name?: string): string {
  const start = name === undefined ? '<s:complexType>' : `<s:complexType name="${name}">`;
  return `${start}${fields === '' ? '' : `<s:sequence>${fields}</s:sequence>`}</s:complexType>`;
}

function typeOf(type: string, prefix: string): string {
  return SIMPLE[type] ?? `${prefix}:${type}`;
}

/** As Microsoft's tools call them: `ArrayOfGuid`. */
function arrayName(item: string): string {
  return `ArrayOf${item.charAt(0).toUpperCase()}${item.slice(1)}`;
}
