//! The Durable Objects: what must be one for all isolates. Each is a thin shell; the arithmetic is elsewhere.

mod limiter;
mod metrics;
