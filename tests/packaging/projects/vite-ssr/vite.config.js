export default { ssr: { noExternal: true }, logLevel: "warn" };
