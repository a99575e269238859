#!/usr/bin/env node
// Written so that old versions of Node can parse it far enough to say that they are too old.
var parts = process.versions.node.split('.').map(Number);
if (parts[0] < 20 || (parts[0] === 20 && parts[1] < 19)) {
  process.stderr.write(`wsusutil needs Node.js 20.19 or later; this is ${process.versions.node}.\n`);
  process.exit(1);
} else {
  import('../dist/main.js')
    .then((program) => program.main(process))
    .then(
      (exitCode) => {
        process.exitCode = exitCode;
      },
      (error) => {
        var isUnbuilt =
          error.code === 'ERR_MODULE_NOT_FOUND' && /Cannot find module '[^']*main\.js'/.test(error.message);
        process.stderr.write(
          isUnbuilt
            ? 'wsusutil has not been built: run "npm ci" in its folder, then try again.\n'
            : `error: ${String(error instanceof Error ? error.stack : error).trimEnd()}\n`,
        );
        process.exitCode = 1;
      },
    );
}
