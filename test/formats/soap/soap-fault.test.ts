import { expect, test } from 'vitest';
import { readFault, readReply } from '../../../src/formats/soap/reply-reader.js';
import { type SoapFault, showText } from '../../../src/formats/soap/soap-fault.js';
import { chunksOf, faultReply, readEveryWay, reply, SD } from './reply-cases.js';

async function faultIn(text: string): Promise<SoapFault> {
  const fault = await readEveryWay(text, (chunks) => readFault(chunks, 'GetUpdateData'));
  if (fault === undefined) throw new Error('no fault');
  return fault;
}

test('a fault of WSUS gives code, message and id', async () => {
  const fault = await faultIn(
    faultReply(
      '<ErrorCode>InvalidParameters</ErrorCode><Message>updateIds</Message><ID>8d3c7c0b</ID><Method>"urn:m"</Method>',
    ),
  );
  expect(fault).toMatchObject({
    code: 'UPSTREAM_FAULT',
    operation: 'GetUpdateData',
    faultCode: 'InvalidParameters',
    errorCode: 'InvalidParameters',
    faultMessage: 'updateIds',
    soapCode: 'Client',
    reason: 'Fault occurred',
    faultId: '8d3c7c0b',
  });
  expect(fault.message).toBe('The upstream refused GetUpdateData: InvalidParameters (updateIds)');
});

test('a fault of SOAP 1.2 with its Detail without a namespace is read too', async () => {
  const fault = await faultIn(
    '<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"><soap:Body><soap:Fault>' +
      '<soap:Code><soap:Value>soap:Sender</soap:Value></soap:Code>' +
      '<soap:Reason><soap:Text xml:lang="en">Fault occurred</soap:Text></soap:Reason><soap:Detail/>' +
      '<Detail><ErrorCode>InvalidCookie</ErrorCode><Message/><ID>8d3c</ID></Detail>' +
      '</soap:Fault></soap:Body></soap:Envelope>',
  );
  expect(fault).toMatchObject({ faultCode: 'InvalidCookie', soapCode: 'Sender', reason: 'Fault occurred' });
});

test('a fault without ErrorCode keeps what the stack calls it, and no code is guessed from its words', async () => {
  const fault = await faultIn(
    faultReply('', 'a:InternalServiceFault').replace('Fault occurred', 'InvalidCookie maybe'),
  );
  expect(fault).toMatchObject({
    faultCode: undefined,
    errorCode: undefined,
    soapCode: 'InternalServiceFault',
  });
});

test.each(['invalidcookie', 'Other', 'InvalidCookie2'])('the code is compared exactly: %s', async (code) => {
  const fault = await faultIn(faultReply(`<ErrorCode>${code}</ErrorCode>`));
  expect(fault.faultCode).toBeUndefined();
  expect(fault.errorCode).toBe(code);
});

test('the ErrorCode is found below other elements and under a prefix', async () => {
  const fault = await faultIn(
    faultReply('<x:w xmlns:x="urn:x"><x:ErrorCode> ServerBusy </x:ErrorCode></x:w>', 's:Server'),
  );
  expect(fault.faultCode).toBe('ServerBusy');
});

test("a server's words reach a message short, on one line and without control characters", async () => {
  const fault = await faultIn(
    faultReply(`<ErrorCode>X</ErrorCode><Message>a\n\u202eb\u009b${'y'.repeat(5000)}</Message>`),
  );
  expect(fault.message.length).toBeLessThan(400);
  expect(fault.message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  expect(showText('a\r\n\tb')).toBe('a b');
});

test('a fault is thrown by the reader of any reply', async () => {
  const text = faultReply('<ErrorCode>InternalServerError</ErrorCode><Message/>', 'soap:Server');
  await expect(readReply(chunksOf(text), { operation: 'GetCookie', namespace: SD })).rejects.toMatchObject({
    faultCode: 'InternalServerError',
    operation: 'GetCookie',
  });
});

test.each([
  ['an error page', '<html><body><h1>Server Error</h1></body></html>'],
  ['a page that is no XML', '<!DOCTYPE html><p>Server Error<br>'],
  ['plain text', 'Service Unavailable'],
  ['nothing', ''],
  ['a reply', reply('GetUpdateData', '')],
  ['half a fault', faultReply('<ErrorCode>X</ErrorCode>').slice(0, 300)],
])('%s is no fault', async (_name, text) => {
  expect(await readFault(chunksOf(text), 'GetUpdateData')).toBeUndefined();
});
