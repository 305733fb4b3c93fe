# The Worker on plain workerd: the same build and the same names as wrangler.toml.
#   workerd serve edge/workerd.capnp --socket-addr http=127.0.0.1:8787 --directory-path state=/var/lib/mps
# `mps serve` does that for each edge of a machine, and fires the jobs, which workerd does not.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  # The host's objects that a request uses are freed by V8's large collections only, each of which stops all requests for as long as it
  # has objects to free. With little room for young objects they come early and are short. And our module is compiled well after some
  # hundred requests, where V8 by itself takes thousands (docs/benchmarks.md).
  v8Flags = ["--max-semi-space-size=1", "--wasm-tiering-budget=100000"],
  services = [
    (name = "edge", worker = .edge),
    # Durable Objects: counters of the metrics and of the limits.
    (name = "state", disk = (path = "../.mps/edge-state", writable = true)),
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
    (name = "SUPABASE_REST_URL", fromEnvironment = "SUPABASE_REST_URL"),
    (name = "SUPABASE_PUBLISHABLE_KEY", fromEnvironment = "SUPABASE_PUBLISHABLE_KEY"),
    (name = "SUPABASE_SECRET_KEY", fromEnvironment = "SUPABASE_SECRET_KEY"),
    (name = "SUPABASE_JWT_SECRET", fromEnvironment = "SUPABASE_JWT_SECRET"),
    (name = "SUPABASE_JWT_SECRET_PREVIOUS", fromEnvironment = "SUPABASE_JWT_SECRET_PREVIOUS"),
    (name = "SUPABASE_JWKS_URL", fromEnvironment = "SUPABASE_JWKS_URL"),
    (name = "JWT_AUDIENCE", fromEnvironment = "JWT_AUDIENCE"),
    (name = "JWT_ISSUER", fromEnvironment = "JWT_ISSUER"),
    (name = "CORS_ALLOWED_ORIGINS", fromEnvironment = "CORS_ALLOWED_ORIGINS"),
    (name = "TRUSTED_ADDRESS_HEADER", fromEnvironment = "TRUSTED_ADDRESS_HEADER"),
    (name = "RATE_LIMIT_USER", fromEnvironment = "RATE_LIMIT_USER"),
    (name = "RATE_LIMIT_PAYMENT", fromEnvironment = "RATE_LIMIT_PAYMENT"),
    (name = "RATE_LIMIT_ADDRESS", fromEnvironment = "RATE_LIMIT_ADDRESS"),
    (name = "REQUESTS_IN_FLIGHT", fromEnvironment = "REQUESTS_IN_FLIGHT"),
    (name = "CODE_TTL_SECONDS", fromEnvironment = "CODE_TTL_SECONDS"),
    (name = "ATTEMPTS_MAX", fromEnvironment = "ATTEMPTS_MAX"),
    (name = "AUDIT_RETENTION_DAYS", fromEnvironment = "AUDIT_RETENTION_DAYS"),
    (name = "LOG_LEVEL", fromEnvironment = "LOG_LEVEL"),
    (name = "OPS_TOKEN", fromEnvironment = "OPS_TOKEN"),
    (name = "OPS_TOKEN_PREVIOUS", fromEnvironment = "OPS_TOKEN_PREVIOUS"),
    (name = "METRICS_TOKEN", fromEnvironment = "METRICS_TOKEN"),
    (name = "METRICS_TOKEN_PREVIOUS", fromEnvironment = "METRICS_TOKEN_PREVIOUS"),
    (name = "PUBLIC_URL", fromEnvironment = "PUBLIC_URL"),
    (name = "WECHAT_MCHID", fromEnvironment = "WECHAT_MCHID"),
    (name = "WECHAT_APPID", fromEnvironment = "WECHAT_APPID"),
    (name = "WECHAT_SERIAL_NO", fromEnvironment = "WECHAT_SERIAL_NO"),
    (name = "WECHAT_PRIVATE_KEY", fromEnvironment = "WECHAT_PRIVATE_KEY"),
    (name = "WECHAT_API_V3_KEY", fromEnvironment = "WECHAT_API_V3_KEY"),
    (name = "WECHAT_API_V3_KEY_PREVIOUS", fromEnvironment = "WECHAT_API_V3_KEY_PREVIOUS"),
    (name = "WECHAT_PUBLIC_KEYS", fromEnvironment = "WECHAT_PUBLIC_KEYS"),
    (name = "WECHAT_BASE_URL", fromEnvironment = "WECHAT_BASE_URL"),
    (name = "ALIPAY_APP_ID", fromEnvironment = "ALIPAY_APP_ID"),
    (name = "ALIPAY_SELLER_ID", fromEnvironment = "ALIPAY_SELLER_ID"),
    (name = "ALIPAY_PRIVATE_KEY", fromEnvironment = "ALIPAY_PRIVATE_KEY"),
    (name = "ALIPAY_PUBLIC_KEYS", fromEnvironment = "ALIPAY_PUBLIC_KEYS"),
    (name = "ALIPAY_GATEWAY_URL", fromEnvironment = "ALIPAY_GATEWAY_URL"),
    (name = "LIMITER", durableObjectNamespace = "LimiterObject"),
    (name = "METRICS", durableObjectNamespace = "MetricsObject"),
  ],
  durableObjectNamespaces = [
    (className = "LimiterObject", uniqueKey = "mps-limiter"),
    (className = "MetricsObject", uniqueKey = "mps-metrics"),
  ],
  durableObjectStorage = (localDisk = "state"),
);
