//! What runs beside a test or a developer: the database, Supabase Lite, the edge, the web site.

pub(crate) mod postgres;
