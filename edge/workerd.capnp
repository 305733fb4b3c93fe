# The Worker on plain workerd: the same build and the same names as wrangler.toml.
#   workerd serve edge/workerd.capnp --socket-addr http=127.0.0.1:8787
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "edge", worker = .edge),
    (name = "internet", network = (
      allow = ["public", "private"],
      tlsOptions = (trustBrowserCas = true),
    )),
  ],
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "edge")],
);

const edge :Workerd.Worker = (
  modules = [
    (name = "index.js", esModule = embed "build/index.js"),
    (name = "index_bg.wasm", wasm = embed "build/index_bg.wasm"),
  ],
  compatibilityDate = "2026-10-20",
  bindings = [
    (name = "SUPABASE_URL", fromEnvironment = "SUPABASE_URL"),
    (name = "SUPABASE_PUBLISHABLE_KEY", fromEnvironment = "SUPABASE_PUBLISHABLE_KEY"),
    (name = "SUPABASE_SECRET_KEY", fromEnvironment = "SUPABASE_SECRET_KEY"),
    (name = "SUPABASE_JWT_SECRET", fromEnvironment = "SUPABASE_JWT_SECRET"),
    (name = "JWT_AUDIENCE", fromEnvironment = "JWT_AUDIENCE"),
    (name = "JWT_ISSUER", fromEnvironment = "JWT_ISSUER"),
    (name = "CORS_ALLOWED_ORIGINS", fromEnvironment = "CORS_ALLOWED_ORIGINS"),
  ],
);
