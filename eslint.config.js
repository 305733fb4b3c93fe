// What the compiler does not hold: promises that nobody awaits, and who may import whom.
import { dirname, relative, resolve } from "node:path";
import tseslint from "typescript-eslint";

const root = import.meta.dirname;
const typescript = [
  "pkg/tsconfig.check.json",
  "www/tsconfig.json",
  "www/worker/tsconfig.json",
  "tests/bench/tsconfig.json",
  "tests/browser/tsconfig.json",
  "tests/packaging/tsconfig.json",
];

/** A relative import that leaves the room the file lives in. */
const stayInside = {
  meta: {
    type: "problem",
    schema: [{ type: "string" }],
    messages: { outside: "{{path}} is outside {{room}}/: this room may not know it." },
  },
  create(context) {
    const [room] = context.options;
    const check = (node) => {
      const path = node.source?.value;
      if (typeof path !== "string" || !path.startsWith(".")) return;
      const target = relative(resolve(root, room), resolve(dirname(context.filename), path));
      if (target.startsWith("..")) context.report({ node, messageId: "outside", data: { path, room } });
    };
    return {
      ImportDeclaration: check,
      ImportExpression: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
    };
  },
};

/** Calls that read a table instead of calling a function; `Array.from` and its like are none. */
const tableAccess = {
  selector:
    "CallExpression[callee.type='MemberExpression'][callee.property.name='from']:not([callee.object.name=/^(Array|Buffer|[A-Z][A-Za-z0-9]*Array)$/])",
  message: "Tables are private: call a function of @mps/sdk.",
};

export default tseslint.config(
  { ignores: ["**/dist/", "**/dist.new/", "**/node_modules/", "**/build/", "edge/build-*/", "target/", "**/generated/", "**/*.d.ts", ".mps/", "supabase/"] },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: ["**/*.{ts,tsx}"],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: typescript, tsconfigRootDir: root } },
    rules: { "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }] },
  },
  {
    files: ["**/*.test.ts"],
    rules: {
      // node:test awaits its own tests.
      "@typescript-eslint/no-floating-promises": [
        "error",
        { allowForKnownSafeCalls: [{ from: "package", name: ["test", "describe", "suite"], package: "node:test" }] },
      ],
      // A test runs the examples of a README.
      "@typescript-eslint/no-implied-eval": "off",
    },
  },
  { plugins: { mps: { rules: { "stay-inside": stayInside } } } },
  {
    files: ["pkg/src/**/*.ts"],
    rules: {
      "mps/stay-inside": ["error", "pkg"],
      "no-restricted-imports": [
        "error",
        { patterns: [{ regex: "^(?!\\.|node:)", message: "The package depends on nothing but its own wasm." }] },
      ],
    },
  },
  {
    files: ["www/**/*.{ts,tsx}"],
    rules: {
      "mps/stay-inside": ["error", "www"],
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            { regex: "^@mps/sdk/(?!(client|scanner)$)", message: "Import the package by its name." },
            { regex: "^@supabase/(supabase-js|postgrest-js)", message: "Tables are private: call a function of @mps/sdk." },
            { regex: "(^|/)mps_(bg|wasm)", message: "The core is reached through @mps/sdk." },
          ],
        },
      ],
      "no-restricted-syntax": ["error", tableAccess],
    },
  },
);
