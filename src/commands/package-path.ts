import { WsusutilError } from '../errors.js';

const ADDRESS = /^(?!file:)[a-z][a-z0-9+.-]+:\/\//i;
const TRANSFER_PACKAGE = /\.tar$/i;

/** @throws WsusutilError `USAGE` for an address */
export function refuseAddress(command: string, path: string): void {
  if (ADDRESS.test(path)) {
    throw new WsusutilError('USAGE', `${command} takes a local file, not the address ${path}`, {
      hint: 'Download the package first, then name the file.',
    });
  }
}

/** @throws WsusutilError `USAGE` for what cannot be a package to read, whether it is there or not */
export function checkSource(command: string, path: string): void {
  refuseAddress(command, path);
  if (TRANSFER_PACKAGE.test(path)) {
    throw new WsusutilError('USAGE', `${path}: transfer packages (.tar) are not read by this version`, {
      hint: 'Give an export package: .cab or .xml.gz.',
    });
  }
}

/** @throws WsusutilError `USAGE` for a name that promises another format than the one written */
export function checkTarget(path: string): void {
  if (ADDRESS.test(path)) {
    throw new WsusutilError('USAGE', `export writes a local file, not to the address ${path}`, {
      hint: 'Give a path that ends in .cab or .xml.gz.',
    });
  }
  if (TRANSFER_PACKAGE.test(path)) {
    throw new WsusutilError('USAGE', `${path}: transfer packages (.tar) are not written by this version`, {
      hint: 'Give a name that ends in .cab or .xml.gz.',
    });
  }
}
