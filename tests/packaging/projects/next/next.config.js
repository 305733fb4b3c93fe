import { join } from "node:path";

// The packages are installed in the folder above, for all projects at once.
export default { turbopack: { root: join(import.meta.dirname, "..") }, outputFileTracingRoot: join(import.meta.dirname, "..") };
