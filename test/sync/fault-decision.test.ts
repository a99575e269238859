import { expect, test } from 'vitest';
import { FAULT_CODES, type FaultCode, SoapFault } from '../../src/formats/soap/soap-fault.js';
import { decideOnFault, type FaultContext, missingRevisionsOf } from '../../src/sync/fault-decision.js';

const READ: FaultContext = { hasAnchor: false, isMicrosoftUpdate: false, isIdempotent: true };

function fault(operation: string, errorCode: string | undefined, faultMessage = '', reason = ''): SoapFault {
  return new SoapFault({
    operation,
    faultCode: FAULT_CODES.find((code) => code === errorCode),
    errorCode,
    faultMessage,
    soapCode: 'Server',
    reason,
    faultId: undefined,
  });
}

test.each<[FaultCode, string, string]>([
  ['InvalidParameters', 'GetConfigData', 'stop'],
  ['InvalidCookie', 'GetConfigData', 'reauthorize'],
  ['InvalidCookie', 'DownloadFiles', 'reauthorize'],
  ['InvalidCookie', 'GetCookie', 'stop'],
  ['CookieExpired', 'GetUpdateData', 'reauthorize'],
  ['ConfigChanged', 'GetUpdateData', 'reauthorize'],
  ['InvalidAuthorizationCookie', 'GetCookie', 'stop'],
  ['IncompatibleProtocolVersion', 'GetConfigData', 'stop'],
  ['InternalServerError', 'GetRevisionIdList', 'back-off'],
  ['InternalServerError', 'GetUpdateData', 'find-unknown'],
  ['ServerChanged', 'GetRevisionIdList', 'server-changed'],
  ['ServerChanged', 'GetCookie', 'stop'],
  ['ServerBusy', 'GetUpdateData', 'back-off'],
  ['ServerBusy', 'GetCookie', 'back-off'],
  ['TooManyIds', 'GetDriverSetData', 'halve'],
  ['TooManyIds', 'GetUpdateData', 'stop'],
  ['FileDigestsMissing', 'DownloadFiles', 'files-gone'],
  ['RegistrationRequired', 'GetConfigData', 'stop'],
  ['RegistrationNotRequired', 'GetConfigData', 'stop'],
  ['FileLocationChanged', 'GetConfigData', 'stop'],
])('%s to %s: %s', (code, operation, action) => {
  expect(decideOnFault(fault(operation, code), READ).action).toBe(action);
});

test('an anchor is dropped only where one was sent and is what the fault names', () => {
  const filter = fault('GetRevisionIdList', 'InvalidParameters', 'filter');
  expect(decideOnFault(filter, { ...READ, hasAnchor: true }).action).toBe('drop-anchor');
  expect(decideOnFault(filter, READ).action).toBe('stop');
  const other = fault('GetRevisionIdList', 'InvalidParameters', 'cookie');
  expect(decideOnFault(other, { ...READ, hasAnchor: true }).action).toBe('stop');
});

test('an internal error of a call that changes the server stops', () => {
  expect(
    decideOnFault(fault('DownloadFiles', 'InternalServerError'), { ...READ, isIdempotent: false }).action,
  ).toBe('stop');
});

test('a fault without a code is repeated towards Microsoft Update alone', () => {
  const nameless = fault('GetConfigData', undefined, '', 'internal error');
  expect(decideOnFault(nameless, READ).action).toBe('stop');
  expect(decideOnFault(nameless, { ...READ, isMicrosoftUpdate: true })).toEqual({
    action: 'back-off',
    pace: 'transport',
  });
  const unknown = fault('GetConfigData', 'Whatever');
  expect(decideOnFault(unknown, { ...READ, isMicrosoftUpdate: true }).action).toBe('stop');
});

test.each(['message', 'reason'])('missing revisions are read from the %s, whatever the code', (place) => {
  const text =
    'Requested 100 returned 98 (test content removed: 0). Missing Revisions: 11111111-2222-4333-8444-55555555550A.1, 11111111-2222-4333-8444-555555555502.204;junk';
  const named = fault(
    'GetUpdateData',
    undefined,
    place === 'message' ? text : '',
    place === 'reason' ? text : '',
  );
  const missing = [
    { updateId: '11111111-2222-4333-8444-55555555550a', revisionNumber: 1 },
    { updateId: '11111111-2222-4333-8444-555555555502', revisionNumber: 204 },
  ];
  expect(missingRevisionsOf(named)).toEqual(missing);
  expect(decideOnFault(named, READ)).toEqual({ action: 'leave-out', missing });
  expect(decideOnFault({ ...named, operation: 'GetConfigData' } as SoapFault, READ).action).toBe('stop');
  expect(missingRevisionsOf(fault('GetUpdateData', undefined, 'Missing Revisions: none'))).toEqual([]);
});
