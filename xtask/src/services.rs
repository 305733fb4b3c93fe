//! What runs beside a test or a developer: the database, Supabase Lite, the edge, the web site.

pub(crate) mod edge;
pub(crate) mod http;
pub(crate) mod keys;
pub(crate) mod lite;
pub(crate) mod postgres;
pub(crate) mod postrust;
pub(crate) mod www;
