// Before a test file (`node --import`): its @mps/sdk is @mps/sdk/script, in a runtime where asking for WebAssembly throws.

import { registerHooks, stripTypeScriptTypes } from "node:module";

// Node.js reads types by WebAssembly, which it starts at the first file.
stripTypeScriptTypes("");
Object.defineProperty(globalThis, "WebAssembly", {
  get: () => {
    throw new Error("WebAssembly was asked for");
  },
});
registerHooks({ resolve: (name, context, next) => next(name === "@mps/sdk" ? "@mps/sdk/script" : name, context) });
