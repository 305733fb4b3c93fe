//! The edge on workerd.
