// What build_script.mjs writes: wasm-bindgen's glue for the translated module. It has the functions of mps.d.ts.

import type { Core } from "./mps_translated.js";

export declare function __wbg_set_wasm(core: Core): void;
