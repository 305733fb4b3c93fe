//! Every script of the repository.
fn main() {}
